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

/// What comes of reading a review.
fn parse<T>(review: &Value, of: impl FnOnce(Request<'_>) -> T) -> Result<T, NoReview> {
    Request::parse(review.to_string().as_bytes()).map(of)
}

/// Where the record goes, and what the pod is.
fn object(review: &Value) -> (Place, Result<Pod, NoPod>) {
    let of = |request: Request<'_>| request.object.map(|object| (object.place(), object.pod()));
    parse(review, of).unwrap().unwrap()
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
    let review = review(object.clone());
    let of = |request: Request<'_>| (request.uid, request.object.unwrap().place());
    let (uid, place) = parse(&review, of).unwrap();
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
        assert_eq!(parse(&review, |_| ()).unwrap_err(), NoReview, "{review}");
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
        assert!(parse(&review, |request| request.object.is_none()).unwrap(), "{review}");
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
    for (text, expected) in cases {
        let (place, pod) = object(&review(text.clone()));
        assert_eq!((place, pod.unwrap_err()), (expected, NoPod::Invalid), "{text}");
        assert_eq!(after(text.clone(), None), text);
    }
}

#[test]
fn the_namespace_is_the_requests_own() {
    let review = review(pod(json!({"namespace": "elsewhere", "generateName": "p-"})));
    let names = |review: &Value| parse(review, |request| (request.namespace, request.name)).unwrap();
    assert_eq!(names(&review), ("x".to_owned(), String::new()));
    assert_eq!(names(&with("/request/namespace", json!(1))).0, "");
}
