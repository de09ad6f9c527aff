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

/// The pod after the patch that the answer holds.
fn after(pod_before: Value, record: Result<String, Unrecordable>) -> Value {
    let request = parse(review(pod_before.clone()).to_string().as_bytes()).unwrap();
    let response = patched(AdmissionResponse::from(&request), request.object.as_ref().unwrap(), record);
    assert!(response.allowed);
    let patch: Patch = match &response.patch {
        Some(patch) => serde_json::from_slice(patch).unwrap(),
        None => Patch::default(),
    };
    let mut pod_after = pod_before;
    json_patch::patch(&mut pod_after, &patch).unwrap();
    pod_after
}

#[test]
fn a_record_is_added_and_nothing_else_is_touched() {
    let unknown = json!({"name": "p", "annotations": {"a/b": "c"}, "novel": {"x": 1}});
    let patched = after(pod(unknown), Ok("{}".to_owned()));
    assert_eq!(
        patched,
        pod(json!({"name": "p", "annotations": {"a/b": "c", RECORD: "{}"}, "novel": {"x": 1}}))
    );
    let bare = after(pod(json!({"name": "p"})), Ok("{}".to_owned()));
    assert_eq!(bare, pod(json!({"name": "p", "annotations": {RECORD: "{}"}})));
}

#[test]
fn a_record_that_the_pod_brought_along_never_stays() {
    let brought = || pod(json!({"name": "p", "annotations": {RECORD: "forged", "a": "b"}}));
    assert_eq!(after(brought(), Ok("{}".to_owned()))["metadata"]["annotations"][RECORD], "{}");
    let without = after(brought(), Err(Unrecordable::NoRoom));
    assert_eq!(without, pod(json!({"name": "p", "annotations": {"a": "b"}})));
}

#[test]
fn a_pod_without_a_record_is_left_as_it_is() {
    let before = pod(json!({"name": "p"}));
    assert_eq!(after(before.clone(), Err(Unrecordable::TooLong)), before);
}

#[test]
fn a_body_that_is_no_review_is_refused() {
    let good = review(pod(json!({"name": "p"})));
    let with = |path: &str, value: Value| {
        let mut review = good.clone();
        *review.pointer_mut(path).unwrap() = value;
        review.to_string()
    };
    let bodies = [
        String::new(),
        "not JSON".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        pod(json!({})).to_string(),
        with("/apiVersion", json!("admission.k8s.io/v1beta1")),
        with("/kind", json!("ConversionReview")),
        with("/request/uid", json!("")),
        with("/request/object/spec", json!("a text")),
        with("/request", Value::Null),
    ];
    for body in bodies {
        assert!(parse(body.as_bytes()).is_err(), "{body}");
    }
    assert!(parse(good.to_string().as_bytes()).is_ok());
}
