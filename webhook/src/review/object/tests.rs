use serde_json::{Value, json};

use super::*;

/// What `of` says of an object.
fn object<T>(object: &Value, of: impl FnOnce(&Object<'_>) -> T) -> T {
    let text = object.to_string();
    of(&Object::new(serde_json::from_str(&text).unwrap()))
}

fn pod(value: Value) -> Result<Pod, NoPod> {
    object(&value, |object| object.pod())
}

#[test]
fn objects_and_commas_in_texts_are_none() {
    let text = r#"{"a": "\\", "b": {}, "c": "\"{,", "d": [{}, 1]}"#;
    let Parts { bytes, objects, commas } = Parts::default().and(text);
    assert_eq!((bytes, objects, commas), (text.len(), 3, 4));
}

#[test]
fn a_pod_of_too_many_parts_is_not_parsed() {
    let volumes =
        |count: usize| json!({"spec": {"containers": [], "volumes": vec![json!({"name": "v"}); count]}});
    let args = |count: usize| json!({"spec": {"containers": [{"name": "c", "args": vec![""; count]}]}});
    let annotations = |count: usize| {
        let all: BTreeMap<_, _> = (0..count).map(|i| (format!("a{i}"), "{,".repeat(3))).collect();
        json!({"metadata": {"annotations": all}})
    };
    let owners = |count: usize| json!({"metadata": {"ownerReferences": vec![json!({}); count]}});
    let few: [fn(usize) -> Value; 4] = [volumes, args, annotations, owners];
    for (number, of) in few.iter().enumerate() {
        let few = pod(of(1000));
        assert!(!matches!(few, Err(NoPod::TooLarge)), "{number}");
        assert_eq!(pod(of(40_000)).unwrap_err(), NoPod::TooLarge, "{number}");
    }
}

#[test]
fn of_what_has_no_say_in_a_record_nothing_is_made() {
    let numbers = vec![1; 500_000];
    let large = json!({
        "metadata": {
            "name": "p",
            "labels": {"not": ["a", "label"]},
            "managedFields": [{"fieldsV1": {"f:spec": numbers}}],
        },
        "spec": {"containers": [{"name": "c"}]},
        "status": numbers,
    });
    let pod = pod(large.clone()).unwrap();
    assert_eq!(pod.name.as_deref(), Some("p"));
    assert_eq!(pod.spec.unwrap().containers.len(), 1);
    assert_eq!(object(&large, |object| object.size()), Size::Common);
}

#[test]
fn what_takes_long_to_parse_is_large() {
    let with = |count: usize, text: usize| json!({"spec": {"containers": vec![json!({"name": "c", "image": "x".repeat(text)}); count]}});
    for (name, pod, expected) in [
        ("a common one", with(5, 1000), Size::Common),
        ("one of long texts", with(2, 70_000), Size::Large),
        ("one of many parts", with(1000, 1), Size::Large),
        ("one of too many", with(10_000, 1), Size::TooLarge),
    ] {
        assert_eq!(object(&pod, |object| object.size()), expected, "{name}");
    }
}

#[test]
fn a_record_is_found_among_a_million_annotations_that_may_be_anything() {
    let place = |annotations: &str| {
        let text = format!(r#"{{"metadata": {{"annotations": {annotations}}}}}"#);
        Object::new(serde_json::from_str(&text).unwrap()).place()
    };
    let many = r#""a":1,"#.repeat(1 << 20);
    assert_eq!(place(&format!(r#"{{{many}"b":{{}}}}"#)), Place::Annotations { has_record: false });
    assert_eq!(place(&format!(r#"{{{many}"{RECORD}":7}}"#)), Place::Annotations { has_record: true });
    let escaped = RECORD.replace('/', "\\/");
    assert_eq!(place(&format!(r#"{{"{escaped}":""}}"#)), Place::Annotations { has_record: true });
    assert_eq!(place("[]"), Place::Unknown);
}
