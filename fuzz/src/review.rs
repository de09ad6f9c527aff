//! What has to hold for any body that is sent to the webhook, over an API server that has some
//! sources and not others.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use json_patch::Patch;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

const RECORD: &str = "kubectl-reload.dev/record";

thread_local! {
    static WEBHOOK: Webhook = Webhook::new();
}

struct Webhook {
    runtime: Runtime,
    router: Router,
}

/// A body is a review, whose answer admits what was asked and touches nothing but the record; or it
/// is refused.
pub(crate) fn check(input: &[u8]) {
    let (status, body) = WEBHOOK.with(|webhook| webhook.send(input));
    if status != 200 {
        assert_eq!(status, 400);
        return;
    }
    let answer: Value = serde_json::from_slice(&body).expect("the answer is JSON");
    let response = &answer["response"];
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(response["allowed"], true);
    // What of a body is not looked at need not be text, as with bytes that are not UTF-8 in a string.
    let Ok(review) = serde_json::from_slice::<Value>(input) else { return };
    // A list passes for an object where its items are in order.
    let request = review.get("request").filter(|request| request.is_object());
    if let Some(request) = request {
        assert_eq!(response["uid"], request["uid"]);
    }
    let Some(patch) = response["patch"].as_str() else { return };
    let patch = STANDARD.decode(patch).expect("a patch is base64");
    let patch: Patch = serde_json::from_slice(&patch).expect("a patch is a JSON Patch");
    assert_eq!(patch.len(), 1);
    let Some(request) = request else { return };
    let mut after = request["object"].clone();
    json_patch::patch(&mut after, &patch).expect("the patch fits");
    assert_eq!(without_record(after), without_record(request["object"].clone()));
}

/// The object without its record, and without the places that only hold one.
fn without_record(mut object: Value) -> Value {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata {
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(RECORD);
        }
        if metadata.get("annotations").is_some_and(is_empty) {
            metadata.remove("annotations");
        }
    }
    if let Some(whole) = object.as_object_mut()
        && whole.get("metadata").is_some_and(is_empty)
    {
        whole.remove("metadata");
    }
    object
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

impl Webhook {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let service = tower::service_fn(async |request: Request<kube::client::Body>| {
            Ok::<_, Infallible>(answer(request.uri().path()))
        });
        let router = {
            // The client starts a task.
            let _context = runtime.enter();
            reload_webhook::router_over(kube::Client::new(service, "default")).expect("a router")
        };
        Self { runtime, router }
    }

    fn send(&self, body: &[u8]) -> (u16, Vec<u8>) {
        let request = Request::post("/mutate").header("content-type", "application/json");
        let request = request.body(Body::from(body.to_vec())).expect("a request");
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.expect("infallible");
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            (status, body.to_vec())
        })
    }
}

/// By the last letter of the name; nothing that would open the breaker.
fn answer(path: &str) -> Response<Body> {
    assert!(path.starts_with("/api/v1/namespaces/") && path.matches('/').count() == 6, "{path}");
    let source = r#"{"metadata": {"uid": "u", "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z"}, "data": {"a": "YQ==", "b": ""}}"#;
    let (status, body) = match path.bytes().last() {
        Some(b'a'..=b'h') => (404, "{}"),
        Some(b'i'..=b'k') => (403, "{}"),
        Some(b'l'..=b'm') => (200, "garbage"),
        _ => (200, source),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = axum::http::StatusCode::from_u16(status).expect("a status");
    response
}
