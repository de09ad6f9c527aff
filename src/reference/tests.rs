use serde_json::{Value, json};

use super::*;

fn found(spec: Value) -> Vec<Reference> {
    let spec: PodSpec = serde_json::from_value(spec).unwrap();
    references(&spec, &BTreeSet::new())
}

/// `mode source keys [?]`, one line a reference, so that a table reads like the specification.
fn lines(spec: Value) -> Vec<String> {
    let line = |r: &Reference| {
        let keys = match &r.keys {
            Keys::All { except } if except.is_empty() => "*".to_owned(),
            Keys::All { except } => format!("*-{}", Vec::from_iter(except.iter().cloned()).join(",")),
            Keys::Some(keys) => Vec::from_iter(keys.iter().cloned()).join(","),
        };
        format!("{} {:?} {} {}{}", r.container, r.mode, r.source, keys, if r.optional { " ?" } else { "" })
    };
    found(spec).iter().map(line).collect()
}

fn env(entries: Value, from: Value) -> Value {
    json!({"containers": [{"name": "c", "env": entries, "envFrom": from}]})
}

fn mounted(volume: Value, mount: Value) -> Value {
    let mut volume = volume;
    volume["name"] = json!("v");
    let mut mount = mount;
    mount["name"] = json!("v");
    mount["mountPath"] = json!("/m");
    json!({"containers": [{"name": "c", "volumeMounts": [mount]}], "volumes": [volume]})
}

#[test]
fn every_way_to_use_a_source_is_found() {
    let key = |kind: &str, name: &str, key: &str| json!({kind: {"name": name, "key": key}});
    let cases: Vec<(&str, Value, Vec<&str>)> = vec![
        (
            "env by key",
            env(
                json!([
                    {"name": "A", "valueFrom": key("configMapKeyRef", "m", "a")},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "b", "optional": true}}},
                ]),
                json!([]),
            ),
            vec!["c Env configmap/m a", "c Env secret/s b ?"],
        ),
        (
            "envFrom with a prefix",
            env(
                json!([]),
                json!([{"prefix": "P_", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}}]),
            ),
            vec!["c Env configmap/m *", "c Env secret/s *"],
        ),
        (
            "an env entry overrides a key of envFrom",
            env(
                json!([{"name": "P_a", "value": "x"}]),
                json!([{"prefix": "P_", "configMapRef": {"name": "m"}}]),
            ),
            vec!["c Env configmap/m *-a"],
        ),
        (
            "an overriding entry that is optional may leave the key in place",
            env(
                json!([{"name": "a", "valueFrom": {"configMapKeyRef": {"name": "n", "key": "k", "optional": true}}}]),
                json!([{"configMapRef": {"name": "m"}}]),
            ),
            vec!["c Env configmap/m *", "c Env configmap/n k ?"],
        ),
        (
            "an overriding entry that reads the old value uses it",
            env(json!([{"name": "a", "value": "$(a):x"}]), json!([{"configMapRef": {"name": "m"}}])),
            vec!["c Env configmap/m *"],
        ),
        (
            "an entry overridden by a later one is required and not used",
            env(
                json!([{"name": "A", "valueFrom": key("configMapKeyRef", "m", "a")}, {"name": "A", "value": "x"}]),
                json!([]),
            ),
            vec!["c Env configmap/m "],
        ),
        (
            "an entry that an expansion reads before it is overridden is used",
            env(
                json!([
                    {"name": "A", "valueFrom": key("configMapKeyRef", "m", "a")},
                    {"name": "B", "value": "$(A)"},
                    {"name": "A", "value": "x"},
                ]),
                json!([]),
            ),
            vec!["c Env configmap/m a"],
        ),
        (
            "a directory",
            mounted(json!({"configMap": {"name": "m"}}), json!({})),
            vec!["c Directory configmap/m *"],
        ),
        (
            "items",
            mounted(
                json!({"secret": {"secretName": "s", "optional": true, "items": [
                {"key": "a", "path": "x"}, {"key": "a", "path": "y"}, {"key": "b", "path": "z"}]}}),
                json!({}),
            ),
            vec!["c Directory secret/s a,b ?"],
        ),
        (
            "subPath uses the file that it names",
            mounted(json!({"configMap": {"name": "m"}}), json!({"subPath": "./app.conf"})),
            vec!["c SubPath configmap/m app.conf"],
        ),
        (
            "subPath of items uses what lies under it",
            mounted(
                json!({"configMap": {"name": "m", "items": [
                    {"key": "a", "path": "d/x"}, {"key": "b", "path": "d/y"}, {"key": "c", "path": "dx"}]}}),
                json!({"subPath": "d"}),
            ),
            vec!["c SubPath configmap/m a,b"],
        ),
        (
            "subPathExpr may point at any key",
            mounted(json!({"configMap": {"name": "m"}}), json!({"subPathExpr": "$(POD_NAME)"})),
            vec!["c SubPath configmap/m *"],
        ),
        (
            "subPath by the kubelet's own link may show any key",
            mounted(json!({"configMap": {"name": "m"}}), json!({"subPath": "..data/a"})),
            vec!["c SubPath configmap/m *"],
        ),
        (
            "subPath by the kubelet's own link may show any item",
            mounted(
                json!({"configMap": {"name": "m", "items": [{"key": "a", "path": "x"}]}}),
                json!({"subPath": "..data/x"}),
            ),
            vec!["c SubPath configmap/m a"],
        ),
        (
            "an empty subPath is a directory",
            mounted(json!({"configMap": {"name": "m"}}), json!({"subPath": ""})),
            vec!["c Directory configmap/m *"],
        ),
        (
            "projected sources",
            mounted(
                json!({"projected": {"sources": [
                    {"configMap": {"name": "m", "items": [{"key": "a", "path": "a"}]}},
                    {"secret": {"name": "s", "optional": true}},
                    {"serviceAccountToken": {"path": "token"}},
                    {"downwardAPI": {}},
                ]}}),
                json!({}),
            ),
            vec!["c Directory configmap/m a", "c Directory secret/s * ?"],
        ),
        (
            "a volume that nothing mounts",
            json!({"containers": [{"name": "c"}], "volumes": [{"name": "v", "configMap": {"name": "m"}}]}),
            vec![],
        ),
        (
            "init containers and sidecars",
            json!({
                "initContainers": [
                    {"name": "i", "envFrom": [{"configMapRef": {"name": "m"}}]},
                    {"name": "s", "restartPolicy": "Always", "envFrom": [{"secretRef": {"name": "s"}}]},
                ],
                "containers": [{"name": "c"}],
            }),
            vec!["i Env configmap/m *", "s Env secret/s *"],
        ),
        (
            "what configures the kubelet is left out",
            json!({
                "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/m"}]}],
                "imagePullSecrets": [{"name": "pull"}],
                "volumes": [{"name": "v", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "csi"}}}],
            }),
            vec![],
        ),
    ];
    for (name, spec, expected) in cases {
        assert_eq!(lines(spec), expected, "{name}");
    }
}

#[test]
fn extra_sources_are_read_by_every_container() {
    let spec = serde_json::from_value(json!({"containers": [{"name": "a"}, {"name": "b"}]})).unwrap();
    let found = references(&spec, &[SourceId::config_map("m")].into());
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|r| r.mode == Mode::Api && r.keys == Keys::all() && r.optional));
}

#[test]
fn merging_keeps_every_key_and_mode_in_any_order() {
    let mut found = found(json!({
        "containers": [
            {"name": "a", "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "x"}}}]},
            {"name": "b", "env": [{"name": "Y", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "y"}}}],
             "volumeMounts": [{"name": "v", "mountPath": "/m"}]},
        ],
        "volumes": [{"name": "v", "configMap": {"name": "m"}}],
    }));
    let merged = selection(&found);
    let modes = &merged[&SourceId::config_map("m")];
    assert_eq!(modes[&Mode::Env], Keys::Some(["x".to_owned(), "y".to_owned()].into()));
    assert_eq!(modes[&Mode::Directory], Keys::all());
    found.reverse();
    assert_eq!(selection(&found), merged);
}

#[test]
fn a_key_overridden_for_one_container_only_is_used() {
    let both = Keys::All { except: ["a".to_owned()].into() }.union(Keys::one("a"));
    assert_eq!(both, Keys::all());
}
