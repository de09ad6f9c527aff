use axum::body::{Body, Bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use reload_core::annotation::RECORD;
use reload_core::hash_key::HashKey;
use reload_core::record::{Record, SourceRecord, Unread};
use reload_core::source::SourceId;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use self::api::{Api, Doing};
use super::*;
use crate::admission::RecordArgs;
use crate::api::ApiServer;
use crate::metrics::{Cause, ReviewResult};
use crate::outcome::{recorded, unless_panicked};
use crate::review::Place;
use crate::server_clock::ServerClock;
use crate::sources::Sources;

mod api;
mod faults;
mod load;
mod operations;
mod requests;

const DEADLINE: Duration = Duration::from_millis(1500);
const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

/// A webhook over an API server.
struct Webhook {
    app: Arc<App>,
    router: Router,
}

/// Settings of a webhook.
struct With {
    max_reviews: usize,
    max_reads: usize,
    hash_key: bool,
}

const USUAL: With = With { max_reviews: 256, max_reads: 64, hash_key: true };

impl Webhook {
    fn new(api: &Api, with: With) -> Self {
        let clock = Arc::new(ServerClock::default());
        let metrics = Arc::new(Metrics::new());
        let api = Arc::new(ApiServer::new(api.client(), clock.clone(), DEADLINE));
        let key = with.hash_key.then(|| Arc::new(HashKey::from_bytes(&[7; 32]).unwrap()));
        let app = Arc::new(App {
            recorder: Recorder {
                sources: Sources::new(api.clone(), with.max_reads, metrics.clone()),
                clock: clock.clone(),
                hash_key: watch::channel(key).1,
                args: RecordArgs { ignore: Vec::new(), secrets: true, secret_key_names: true },
            },
            room: Room::new(with.max_reviews),
            health: Arc::new(Health::new(api, clock)),
            metrics,
            deadline: DEADLINE,
            namespace: "kubectl-reload".to_owned(),
        });
        Self { router: router(app.clone()), app }
    }

    async fn send(&self, request: http::Request<Body>) -> (StatusCode, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, body.to_vec())
    }

    /// The answer to a review, which comes within the deadline and admits the pod.
    async fn review(&self, review: &Value) -> Answered {
        let start = Instant::now();
        let (status, body) = self.send(post("/mutate", review.to_string())).await;
        let took = start.elapsed();
        assert!(took <= DEADLINE, "{took:?}");
        assert_eq!(status, StatusCode::OK);
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!(UID), &json!(true)));
        let patch = answer["response"]["patch"].as_str().map(|patch| STANDARD.decode(patch).unwrap());
        let patch = patch.map_or(Value::Null, |patch| serde_json::from_slice(&patch).unwrap());
        Answered { patch, took }
    }

    async fn metrics(&self) -> String {
        let (status, text) = self.send(get("/metrics")).await;
        assert_eq!(status, StatusCode::OK);
        String::from_utf8(text).unwrap()
    }

    /// Asserts that a sample has this value.
    async fn assert_metric(&self, sample: &str) {
        let metrics = self.metrics().await;
        let sample = format!("kubectl_reload_webhook_{sample}");
        assert!(metrics.lines().any(|line| line == sample), "no {sample} in\n{metrics}");
    }
}

struct Answered {
    patch: Value,
    took: Duration,
}

impl Answered {
    fn record(&self) -> Record {
        let value = &self.patch[0]["value"];
        let text = value.as_str().or_else(|| value[RECORD].as_str());
        Record::parse(text.unwrap_or_else(|| panic!("no record: {}", self.patch))).unwrap()
    }

    fn unread(&self, source: &SourceId) -> Option<Unread> {
        match self.record().sources[source] {
            SourceRecord::Unread(why) => Some(why),
            _ => None,
        }
    }
}

fn post(path: &str, body: impl Into<Body>) -> http::Request<Body> {
    let request = http::Request::post(path).header(CONTENT_TYPE, "application/json");
    request.body(body.into()).unwrap()
}

fn get(path: &str) -> http::Request<Body> {
    http::Request::get(path).body(Body::empty()).unwrap()
}

fn review(namespace: &str, object: Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": UID, "namespace": namespace, "operation": "CREATE", "userInfo": {}, "dryRun": false,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "object": object,
    }})
}

/// A pod with the whole of these sources in its environment.
fn pod(sources: &[SourceId]) -> Value {
    let reference = |id: &SourceId| match id.kind {
        reload_core::source::SourceKind::ConfigMap => json!({"configMapRef": {"name": id.name}}),
        reload_core::source::SourceKind::Secret => json!({"secretRef": {"name": id.name}}),
    };
    let from: Vec<_> = sources.iter().map(reference).collect();
    json!({"metadata": {"generateName": "p-"}, "spec": {"containers": [{"name": "c", "envFrom": from}]}})
}

fn map() -> SourceId {
    SourceId::config_map("settings")
}

fn user(namespace: &str) -> Value {
    review(namespace, pod(&[map()]))
}
