use json_patch::Patch;
use serde_json::Value;

use super::*;

fn review(object: Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "x",
            "operation": "CREATE",
            "userInfo": {},
            "object": object,
            "dryRun": false,
        },
    })
}

fn pod(metadata: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "c"}]}})
}

fn parse(review: &Value) -> Result<Request, NoReview> {
    Request::parse(review.to_string().as_bytes())
}

/// With another value at this place.
fn with(path: &str, value: Value) -> Value {
    let mut review = review(pod(json!({"name": "p"})));
    let (parent, name) = path.rsplit_once('/').unwrap();
    review.pointer_mut(parent).unwrap()[name] = value;
    review
}

/// The object after the patch that the answer holds.
fn after(object: Value, record: Option<&str>) -> Value {
    let Request { uid, subject, .. } = parse(&review(object.clone())).unwrap();
    let (Reviewed::Pod(_, place) | Reviewed::Invalid(place)) = subject else { panic!("{subject:?}") };
    let answer = match record {
        Some(record) => Answer::recorded(uid, place, record),
        None => Answer::unrecorded(uid, place),
    };
    let answer = serde_json::to_value(&answer).unwrap();
    assert_eq!(answer["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(answer["response"]["allowed"], true);
    let Some(patch) = answer["response"]["patch"].as_str() else { return object };
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
    let patch: Patch = serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
    assert_eq!(patch.len(), 1);
    let mut object = object;
    json_patch::patch(&mut object, &patch).unwrap();
    object
}

#[test]
fn a_record_is_added_and_nothing_else_is_touched() {
    let unknown = json!({"name": "p", "annotations": {"a/b": "c"}, "novel": {"x": 1}});
    let expected = pod(json!({"name": "p", "annotations": {"a/b": "c", RECORD: "{}"}, "novel": {"x": 1}}));
    assert_eq!(after(pod(unknown), Some("{}")), expected);
    let expected = pod(json!({"name": "p", "annotations": {RECORD: "{}"}}));
    for none in [
        json!({"name": "p"}),
        json!({"name": "p", "annotations": null}),
        json!({"name": "p", "annotations": {}}),
    ] {
        assert_eq!(after(pod(none), Some("{}")), expected);
    }
    let bare = json!({"spec": {"containers": []}});
    assert_eq!(after(bare, Some("{}"))["metadata"], json!({"annotations": {RECORD: "{}"}}));
}

#[test]
fn a_record_that_the_pod_brought_along_never_stays() {
    let brought = || pod(json!({"name": "p", "annotations": {RECORD: "forged", "a": "b"}}));
    assert_eq!(after(brought(), Some("{}"))["metadata"]["annotations"][RECORD], "{}");
    let without = pod(json!({"name": "p", "annotations": {"a": "b"}}));
    assert_eq!(after(brought(), None), without);
    let mut invalid = brought();
    invalid["spec"] = json!("a text");
    assert_eq!(after(invalid, None)["metadata"], without["metadata"]);
}

#[test]
fn a_pod_without_a_record_is_left_as_it_is() {
    let before = pod(json!({"name": "p"}));
    assert_eq!(after(before.clone(), None), before);
}

#[test]
fn a_body_that_is_no_review_is_refused() {
    for body in ["", "not JSON", "[]", "{}", "null", "\u{0}"] {
        assert_eq!(Request::parse(body.as_bytes()).unwrap_err(), NoReview, "{body}");
    }
    let reviews = [
        pod(json!({})),
        with("/apiVersion", json!("admission.k8s.io/v1beta1")),
        with("/kind", json!("ConversionReview")),
        with("/request/uid", json!("")),
        with("/request/uid", json!(7)),
        with("/request", Value::Null),
    ];
    for review in reviews {
        assert_eq!(parse(&review).unwrap_err(), NoReview, "{review}");
    }
}

#[test]
fn only_creations_of_pods_are_looked_at() {
    let others = [
        with("/request/operation", json!("UPDATE")),
        with("/request/operation", json!(["CREATE"])),
        with("/request/subResource", json!("binding")),
        with("/request/kind/kind", json!("Deployment")),
        with("/request/kind/group", json!("apps")),
        with("/request/kind/version", json!("v2")),
        with("/request/kind", json!("Pod")),
        with("/request/resource/resource", json!("deployments")),
        with("/request/object", Value::Null),
    ];
    for review in others {
        let request = parse(&review).unwrap();
        assert!(matches!(request.subject, Reviewed::Other), "{review}");
    }
}

#[test]
fn a_pod_that_is_not_well_formed_still_has_an_answer() {
    let cases = [
        (json!({"metadata": {"name": "p"}, "spec": "a text"}), Place::NoAnnotations),
        (
            json!({"metadata": {"annotations": {"a": 1}}, "spec": {}}),
            Place::Annotations { has_record: false },
        ),
        (json!({"metadata": {"annotations": "none"}}), Place::Unknown),
        (json!({"metadata": []}), Place::Unknown),
        (json!("a pod"), Place::Unknown),
        (json!([1]), Place::Unknown),
    ];
    for (object, expected) in cases {
        let request = parse(&review(object.clone())).unwrap();
        assert!(matches!(request.subject, Reviewed::Invalid(place) if place == expected), "{object}");
        assert_eq!(after(object.clone(), None), object);
    }
}

#[test]
fn the_namespace_is_the_requests_own() {
    let review = review(pod(json!({"namespace": "elsewhere", "generateName": "p-"})));
    let request = parse(&review).unwrap();
    assert_eq!((request.namespace.as_str(), request.name.as_str()), ("x", ""));
    assert_eq!(parse(&with("/request/namespace", json!(1))).unwrap().namespace, "");
}

#[test]
fn a_pod_of_too_many_parts_is_not_parsed_and_braces_in_texts_are_none() {
    let subject = |object: Value| parse(&review(object)).unwrap().subject;
    let volumes = |count: usize| {
        json!({"metadata": {"annotations": {"a": "{".repeat(20_000)}}, "spec": {
            "containers": [{"name": "c", "image": "\\\"{{{"}],
            "volumes": vec![json!({"name": "v"}); count],
        }})
    };
    assert!(matches!(subject(volumes(1000)), Reviewed::Pod(..)));
    assert!(matches!(subject(volumes(20_000)), Reviewed::TooLarge(..)));
    assert_eq!(objects(r#"{"a": "\\", "b": {}, "c": "\"{", "d": [{}]}"#), 3);
}
