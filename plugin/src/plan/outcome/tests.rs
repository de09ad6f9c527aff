use serde_json::json;

use super::super::source::values;
use super::*;

fn wanted(data: Value, immutable: Option<bool>) -> Wanted {
    Wanted {
        namespace: "shop".to_owned(),
        id: SourceId::config_map("a"),
        data: Data { data: values(Some(&data), false).unwrap(), ..Data::default() },
        immutable,
        kind: None,
        annotations: Map::new(),
    }
}

/// A source with the keys `a` and `b`, both 1.
fn present(annotation: Option<Value>, writers: Value, immutable: bool) -> Option<Present> {
    let mut annotations = Map::new();
    if let Some(applied) = annotation {
        let name = "kubectl.kubernetes.io/last-applied-configuration".to_owned();
        annotations.insert(name, Value::String(applied.to_string()));
    }
    let object = json!({
        "metadata": {
            "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": annotations, "managedFields": writers,
        },
        "data": {"a": "1", "b": "1"},
        "immutable": immutable,
    });
    Some(Present::of(reload_core::source::SourceKind::ConfigMap, &object).unwrap())
}

fn writer(manager: &str, operation: &str, keys: &[&str]) -> Value {
    let keys: Map<String, Value> = keys.iter().map(|key| (format!("f:{key}"), json!({}))).collect();
    json!({"manager": manager, "operation": operation, "fieldsV1": {"f:data": keys, "f:metadata": {}}})
}

fn sets(changes: &Changes) -> String {
    let list = |sign: &str, keys: &BTreeSet<String>| -> String {
        keys.iter().map(|key| format!("{sign}{key}")).collect()
    };
    list("+", &changes.added) + &list("~", &changes.changed) + &list("-", &changes.removed)
}

#[test]
fn keys_that_a_file_does_not_name_go_where_apply_takes_them_back() {
    let applied = || Some(json!({"data": {"a": "1", "b": "1"}}));
    let by_text = || Some(json!({"stringData": {"a": "1", "b": "1"}}));
    for (name, annotation, writers, removed, kept) in [
        ("applied before", applied(), json!([]), "-b", ""),
        ("applied as stringData", by_text(), json!([]), "", "b"),
        ("put there by others", Some(json!({"data": {"a": "1"}})), json!([]), "", "b"),
        ("applied on the server's side", None, json!([writer("flux", "Apply", &["a", "b"])]), "-b", ""),
        ("installed by Helm", None, json!([writer("helm", "Update", &["a", "b"])]), "-b", ""),
        ("edited", None, json!([writer("kubectl-edit", "Update", &["a", "b"])]), "", "b"),
        (
            "owned by others too",
            None,
            json!([writer("flux", "Apply", &["a", "b"]), writer("x", "Update", &["b"])]),
            "",
            "b",
        ),
        ("nobody knows", None, json!([]), "", "b"),
    ] {
        let planned =
            PlannedSource::of(wanted(json!({"a": "1"}), None), Ok(present(annotation, writers, false)));
        assert_eq!(sets(&planned.changes), removed, "{name}");
        let keys: Vec<&str> = planned.kept.iter().map(String::as_str).collect();
        assert_eq!(keys.join(","), kept, "{name}");
        assert_eq!(planned.action, if removed.is_empty() { Action::None } else { Action::Change }, "{name}");
    }
}

#[test]
fn what_the_api_server_would_refuse_changes_nothing() {
    let applied = |immutable: bool| Some(json!({"data": {"a": "1", "b": "1"}, "immutable": immutable}));
    let same = json!({"a": "1", "b": "1"});
    let other = json!({"a": "2", "b": "1"});
    for (name, data, immutable, annotation, action) in [
        ("the same", &same, Some(true), applied(true), Action::None),
        ("another content", &other, Some(true), applied(true), Action::Refused),
        ("made mutable", &same, Some(false), applied(true), Action::Refused),
        ("immutable taken back", &same, None, applied(true), Action::Refused),
        ("immutable of others", &same, None, applied(false), Action::None),
    ] {
        let present = present(annotation, json!([]), true);
        let planned = PlannedSource::of(wanted(data.clone(), immutable), Ok(present));
        assert_eq!(planned.action, action, "{name}");
        assert_eq!(planned.reason.is_some(), action == Action::Refused, "{name}");
    }
    let typed = Wanted { kind: Some("Opaque".to_owned()), ..wanted(same, None) };
    let mut of_another = present(applied(false), json!([]), false).unwrap();
    of_another.kind = Some("kubernetes.io/tls".to_owned());
    assert_eq!(PlannedSource::of(typed, Ok(Some(of_another))).action, Action::Refused);
}

#[test]
fn a_planned_source_can_be_judged_like_any_other() {
    use reload_core::source::{Source, SourceKind};
    let writers = json!([writer("flux", "Apply", &["a"])]);
    let planned =
        PlannedSource::of(wanted(json!({"a": "2", "c": "3"}), None), Ok(present(None, writers, false)));
    assert_eq!(sets(planned.changes(Mode::Env)), "+c~a");
    let source = Source::parse(SourceKind::ConfigMap, planned.object().as_bytes()).unwrap();
    assert_eq!((source.uid.as_str(), source.resource_version.as_str()), ("u", "planned"));
    let write = source.last_write.unwrap();
    assert!(write.at > Timestamp::now());
    assert_eq!(write.keys, ["a".to_owned(), "c".to_owned()].into(), "nobody knows who wrote b");
    assert!(source.content.is_some_and(|content| content.has(Mode::Env, "b")));
    let new = PlannedSource::of(wanted(json!({"a": "1"}), Some(true)), Ok(None));
    assert_eq!(new.action, Action::Create);
    let source = Source::parse(SourceKind::ConfigMap, new.object().as_bytes()).unwrap();
    assert!(source.immutable && source.last_write.is_some_and(|write| write.at == source.created_at));
}
