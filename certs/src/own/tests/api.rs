//! As much of an API server as the keeper talks to: one Secret, one registration, versions that
//! count up, and writes that fail where a version has moved on.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

#[derive(Default)]
pub(super) struct Objects {
    version: u64,
    pub(super) secret: Option<Value>,
    pub(super) registration: Option<Value>,
    /// Answers that come first, before any real one: method and status.
    pub(super) faults: Vec<(Method, StatusCode)>,
    /// Nothing is answered any more.
    pub(super) hangs: bool,
    /// `METHOD object` of each request.
    pub(super) requests: Vec<String>,
}

#[derive(Clone, Default)]
pub(super) struct Api(pub(super) Arc<Mutex<Objects>>);

impl Api {
    pub(super) fn with_registration(webhooks: &[&str]) -> Self {
        let api = Self::default();
        api.change(|objects| {
            let webhooks: Vec<Value> = webhooks
                .iter()
                .map(|name| {
                    json!({ "name": name, "clientConfig": {}, "sideEffects": "None",
                            "admissionReviewVersions": ["v1"] })
                })
                .collect();
            objects.registration = Some(json!({
                "metadata": { "name": "zz-kubectl-reload", "resourceVersion": "0" },
                "webhooks": webhooks,
            }));
        });
        api
    }

    pub(super) fn client(&self) -> kube::Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                if api.0.lock().unwrap().hangs {
                    std::future::pending::<()>().await;
                }
                // Others get their turn between any two requests.
                tokio::task::yield_now().await;
                let (status, answer) = api.answer(&parts.method, parts.uri.path(), body);
                let answer = Body::from(serde_json::to_vec(&answer).unwrap());
                let response = Response::builder().status(status).body(answer);
                Ok::<_, std::convert::Infallible>(response.unwrap())
            }
        });
        kube::Client::new(service, "tools")
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Objects) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// The bundle of each webhook of the registration, in base64.
    pub(super) fn bundles(&self) -> Vec<String> {
        let registration = self.change(|objects| objects.registration.clone().unwrap());
        let webhooks = registration["webhooks"].as_array().unwrap().clone();
        let bundle = |webhook: &Value| webhook["clientConfig"]["caBundle"].clone();
        webhooks.iter().map(|webhook| bundle(webhook).as_str().unwrap_or_default().to_owned()).collect()
    }

    fn answer(&self, method: &Method, path: &str, body: Value) -> (StatusCode, Value) {
        let mut objects = self.0.lock().unwrap();
        let kind = if path.contains("secrets") { "secret" } else { "registration" };
        objects.requests.push(format!("{method} {kind}"));
        let fault = objects.faults.iter().position(|(m, _)| m == method);
        if let Some(index) = fault {
            let (_, status) = objects.faults.remove(index);
            return failure(status);
        }
        let found = match kind {
            "secret" => objects.secret.clone(),
            _ => objects.registration.clone(),
        };
        let sent = body["metadata"]["resourceVersion"].clone();
        let mut object = match (method, found) {
            (&Method::POST, Some(_)) => return failure(StatusCode::CONFLICT),
            (&Method::POST, None) => body,
            (_, None) => return failure(StatusCode::NOT_FOUND),
            (&Method::GET, Some(found)) => return (StatusCode::OK, found),
            (_, Some(found)) if found["metadata"]["resourceVersion"] != sent => {
                return failure(StatusCode::CONFLICT);
            }
            (&Method::PUT, Some(_)) => body,
            (_, Some(found)) => merged(found, &body),
        };
        objects.version += 1;
        object["metadata"]["resourceVersion"] = json!(objects.version.to_string());
        match kind {
            "secret" => objects.secret = Some(object.clone()),
            _ => objects.registration = Some(object.clone()),
        }
        (StatusCode::OK, object)
    }
}

fn merged(mut registration: Value, patch: &Value) -> Value {
    for webhook in registration["webhooks"].as_array_mut().unwrap() {
        let patches = patch["webhooks"].as_array().unwrap();
        if let Some(patch) = patches.iter().find(|p| p["name"] == webhook["name"]) {
            webhook["clientConfig"]["caBundle"] = patch["clientConfig"]["caBundle"].clone();
        }
    }
    registration
}

fn failure(status: StatusCode) -> (StatusCode, Value) {
    let reason = match status {
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::UNPROCESSABLE_ENTITY => "Invalid",
        _ => "InternalError",
    };
    let answer = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {},
                         "status": "Failure", "message": reason, "reason": reason,
                         "code": status.as_u16() });
    (status, answer)
}
