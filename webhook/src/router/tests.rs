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
use crate::server_clock::ServerClock;
use crate::sources::Sources;

mod api;

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
                args: RecordArgs { ignore: Vec::new(), secret_key_names: true },
            },
            room: Room::new(with.max_reviews),
            health: Arc::new(Health::new(api, clock)),
            metrics,
            deadline: DEADLINE,
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

#[tokio::test(start_paused = true)]
async fn whatever_the_api_server_does_the_pod_is_admitted_in_time_with_the_reason() {
    let cases = [
        (Doing::AnswersAfter(Duration::from_secs(5)), Unread::Timeout, "timeout"),
        (Doing::Hangs, Unread::Timeout, "timeout"),
        (Doing::Says(500), Unread::Error, "error"),
        (Doing::Says(503), Unread::Error, "error"),
        (Doing::Says(429), Unread::Overload, "overload"),
        (Doing::Says(403), Unread::Forbidden, "forbidden"),
        (Doing::Says(401), Unread::Forbidden, "forbidden"),
        (Doing::Says(302), Unread::Error, "error"),
        (Doing::Cuts, Unread::Error, "error"),
        (Doing::CutsBody, Unread::Error, "error"),
        (Doing::Garbage, Unread::Error, "error"),
        (Doing::Endless, Unread::Error, "error"),
        (Doing::Panics, Unread::Error, "panic"),
    ];
    for (doing, expected, cause) in cases {
        let webhook = Webhook::new(&Api::new(doing), USUAL);
        let sources = [map(), SourceId::secret("login")];
        let answered = webhook.review(&review("x", pod(&sources))).await;
        for source in &sources {
            assert_eq!(answered.unread(source), Some(expected), "{doing:?}");
        }
        webhook.assert_metric(&format!("fail_open_total{{cause=\"{cause}\"}} 1")).await;
        webhook.assert_metric("reviews_total{result=\"recorded\"} 1").await;
    }
}

#[tokio::test]
async fn a_source_that_is_not_there_is_recorded_as_absent() {
    let webhook = Webhook::new(&Api::new(Doing::Says(404)), USUAL);
    let answered = webhook.review(&user("x")).await;
    assert_eq!(answered.record().sources[&map()], SourceRecord::Absent);
    webhook.assert_metric("reads_total{result=\"absent\"} 1").await;
}

#[tokio::test]
async fn the_namespace_is_the_requests_and_a_path_cannot_be_made_of_it() {
    let api = Api::new(Doing::Answers);
    let webhook = Webhook::new(&api, USUAL);
    let mut object = pod(&[map()]);
    object["metadata"]["namespace"] = json!("elsewhere");
    let record = webhook.review(&review("here", object)).await.record();
    assert_eq!(record.namespace, "here");
    assert_eq!(api.requests(), ["/api/v1/namespaces/here/configmaps/settings"]);
    for namespace in ["", "..", "a/b", "A", "a?b"] {
        assert_eq!(webhook.review(&user(namespace)).await.patch, Value::Null, "{namespace}");
    }
    let strange = pod(&[SourceId::config_map("../../secrets/x"), SourceId::config_map("")]);
    webhook.review(&review("here", strange)).await;
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn five_hundred_pods_share_two_gets() {
    let api = Api::new(Doing::AnswersAfter(Duration::from_millis(200)));
    let webhook = Webhook::new(&api, With { max_reviews: 500, ..USUAL });
    let request = user("x");
    let answers = (0..500).map(|_| webhook.review(&request));
    for answered in futures::future::join_all(answers).await {
        assert!(matches!(answered.record().sources[&map()], SourceRecord::Read(_)));
    }
    assert!(api.requests().len() <= 2, "{}", api.requests().len());
}

#[tokio::test(start_paused = true)]
async fn one_review_too_many_is_answered_at_once_without_a_record() {
    let webhook = Webhook::new(&Api::new(Doing::Hangs), With { max_reviews: 1, ..USUAL });
    let request = user("x");
    let mut brought = user("x");
    brought["request"]["object"]["metadata"]["annotations"] = json!({RECORD: "another pod's"});
    let (first, second, third) =
        tokio::join!(webhook.review(&request), webhook.review(&request), webhook.review(&brought));
    assert_eq!(first.unread(&map()), Some(Unread::Timeout));
    assert_eq!((second.patch, second.took), (Value::Null, Duration::ZERO));
    assert_eq!(third.patch[0]["op"], "remove");
    webhook.assert_metric("reviews_total{result=\"shed\"} 2").await;
    webhook.assert_metric("fail_open_total{cause=\"shed\"} 2").await;
    let after = webhook.review(&request).await;
    assert_eq!(after.unread(&map()), Some(Unread::Timeout), "there is room again");
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_answers_at_once_and_closes_by_itself() {
    let api = Api::new(Doing::Hangs);
    api.now(Doing::Hangs, Doing::Hangs);
    let webhook = Webhook::new(&api, USUAL);
    let guard = webhook.app.recorder.sources.guard();
    let _watch = tokio::spawn(async move { guard.keep_watch().await });
    for number in 0..5 {
        webhook.review(&user(if number % 2 == 0 { "a" } else { "b" })).await;
    }
    webhook.assert_metric("breaker_open 1").await;
    let before = api.requests().len();
    let answered = webhook.review(&user("c")).await;
    assert_eq!((answered.unread(&map()), answered.took), (Some(Unread::Timeout), Duration::ZERO));
    webhook.assert_metric("fail_open_total{cause=\"breaker\"} 1").await;
    assert_eq!(api.requests().len(), before, "a read was tried");
    let secret = SourceId::secret("login");
    api.now(Doing::Answers, Doing::Answers);
    assert_eq!(
        webhook.review(&review("c", pod(std::slice::from_ref(&secret)))).await.unread(&secret),
        None,
        "the other kind"
    );

    let closed = async {
        while webhook.review(&user("c")).await.unread(&map()).is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), closed).await.unwrap();
    webhook.assert_metric("breaker_open 0").await;
}

#[tokio::test(start_paused = true)]
async fn a_single_namespaces_trouble_does_not_open_the_breaker() {
    let api = Api::new(Doing::Says(500));
    let webhook = Webhook::new(&api, USUAL);
    let guard = webhook.app.recorder.sources.guard();
    let _watch = tokio::spawn(async move { guard.keep_watch().await });
    for _ in 0..50 {
        webhook.review(&user("odd")).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    webhook.assert_metric("breaker_open 0").await;
    api.now(Doing::Says(500), Doing::Says(500));
    for _ in 0..50 {
        webhook.review(&user("odd")).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    webhook.assert_metric("breaker_open 1").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_answer_and_a_count() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    let deadline = Instant::now() + DEADLINE;
    let place = Place::Annotations { has_record: true };
    let panics = async { panic!("scripted") };
    let outcome = recorded(UID.to_owned(), place, panics, deadline, &webhook.app.metrics).await;
    assert_eq!((outcome.result, outcome.causes), (ReviewResult::Panic, vec![Cause::Panic]));
    assert_eq!(serde_json::to_value(&outcome.answer).unwrap()["response"]["uid"], UID);
    webhook.assert_metric("panics_total 1").await;

    let hangs = std::future::pending();
    let outcome = recorded(UID.to_owned(), place, hangs, deadline, &webhook.app.metrics).await;
    assert_eq!((outcome.result, Instant::now()), (ReviewResult::Timeout, deadline));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_review_gets_the_status_that_says_why() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    let good = user("x").to_string();
    let plain = http::Request::post("/mutate").header(CONTENT_TYPE, "text/plain").body(good.clone().into());
    let untyped = http::Request::post("/mutate").body(good.clone().into());
    let mut put = post("/mutate", good.clone());
    *put.method_mut() = Method::PUT;
    let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 65_536])));
    let mut announced = post("/mutate", "");
    announced.headers_mut().insert(CONTENT_LENGTH, "5000000".parse().unwrap());
    let silence = futures::stream::pending::<Result<Bytes, std::io::Error>>();
    let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
    let mut no_uid = user("x");
    no_uid["request"]["uid"] = json!("");
    let cases = [
        (post("/", good.clone()), 404),
        (post("/mutate/", good.clone()), 404),
        (get("/mutate"), 405),
        (put, 405),
        (post("/metrics", good), 405),
        (plain.unwrap(), 415),
        (untyped.unwrap(), 415),
        (post("/mutate", Body::from_stream(chunks)), 413),
        (announced, 413),
        (post("/mutate", Body::from_stream(silence)), 408),
        (post("/mutate", Body::from_stream(broken)), 400),
        (post("/mutate", "not JSON"), 400),
        (post("/mutate", "{}"), 400),
        (post("/mutate", "[".repeat(100_000)), 400),
        (post("/mutate", no_uid.to_string()), 400),
    ];
    for (request, expected) in cases {
        let told = format!("{} {}", request.method(), request.uri());
        let (status, _) = webhook.send(request).await;
        assert_eq!(status.as_u16(), expected, "{told}");
    }
    webhook.assert_metric("refused_requests_total{status=\"400\"} 5").await;
    assert!(!webhook.metrics().await.contains("reviews_total{"));
    let mut charset = post("/mutate", user("x").to_string());
    charset.headers_mut().insert(CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap());
    assert_eq!(webhook.send(charset).await.0, StatusCode::OK);
}

#[tokio::test]
async fn bodies_take_no_more_room_than_there_is() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    let large = || futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; MAX_REVIEW]))]);
    let held = async || webhook.app.room.read(Body::from_stream(large())).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(held().await);
    }
    assert_eq!(webhook.send(post("/mutate", user("x").to_string())).await.0, StatusCode::SERVICE_UNAVAILABLE);
    drop(all);
    webhook.review(&user("x")).await;
}

#[tokio::test]
async fn what_is_no_new_pod_and_what_is_no_pod_at_all_is_admitted_as_it_is() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    let mut update = user("x");
    update["request"]["operation"] = json!("UPDATE");
    assert_eq!(webhook.review(&update).await.patch, Value::Null);
    let invalid = review("x", json!({"metadata": {"name": "p"}, "spec": {"containers": "none"}}));
    assert_eq!(webhook.review(&invalid).await.patch, Value::Null);
    webhook.assert_metric("reviews_total{result=\"not_a_pod_creation\"} 1").await;
    webhook.assert_metric("reviews_total{result=\"invalid_pod\"} 1").await;
    webhook.assert_metric("fail_open_total{cause=\"invalid_pod\"} 1").await;
}

#[tokio::test]
async fn a_dry_run_has_the_same_answer_and_a_second_call_replaces_the_first() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    let first = webhook.review(&user("x")).await;
    let mut dry = user("x");
    dry["request"]["dryRun"] = json!(true);
    assert_eq!(webhook.review(&dry).await.record().sources, first.record().sources);

    let mut again = user("x");
    let text = first.patch[0]["value"][RECORD].clone();
    again["request"]["object"]["metadata"]["annotations"] = json!({RECORD: text, "other": "kept"});
    let second = webhook.review(&again).await;
    assert_eq!(second.patch.as_array().map(Vec::len), Some(1));
    assert_eq!(second.patch[0]["op"], "add");
    assert_eq!(second.record().sources, first.record().sources);
    assert!(second.record().at >= first.record().at);
}

#[tokio::test]
async fn without_a_hash_key_secrets_are_recorded_without_content() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), With { hash_key: false, ..USUAL });
    let secret = SourceId::secret("login");
    let record = webhook.review(&review("x", pod(std::slice::from_ref(&secret)))).await.record();
    assert_eq!(record.hash_key, None);
    let SourceRecord::Read(read) = &record.sources[&secret] else { panic!("{record:?}") };
    assert!(read.uses.is_empty());
    webhook.assert_metric("fail_open_total{cause=\"no_hash_key\"} 1").await;
    webhook.assert_metric("hash_key_info{id=\"none\"} 1").await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_slow_sources_take_no_longer_than_the_deadline() {
    let webhook = Webhook::new(
        &Api::new(Doing::AnswersAfter(Duration::from_millis(100))),
        With { max_reads: 4, ..USUAL },
    );
    let sources: Vec<_> = (0..1000).map(|i| SourceId::config_map(format!("m{i}"))).collect();
    // Too many for a record, and some more.
    webhook.review(&review("x", pod(&sources))).await;
    webhook.assert_metric("fail_open_total{cause=\"too_long\"} 1").await;
    let answered = webhook.review(&review("x", pod(&sources[..60]))).await;
    let unread =
        sources[..60].iter().filter(|source| answered.unread(source) == Some(Unread::Timeout)).count();
    assert!((1..60).contains(&unread), "{unread}");
    webhook.assert_metric("fail_open_total{cause=\"timeout\"} 1").await;
    assert!(!webhook.metrics().await.contains("cause=\"overload\""));
}

#[tokio::test]
async fn readiness_lists_what_is_in_the_way() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    let health = &webhook.app.health;
    let (status, text) = webhook.send(get("/readyz")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let text = String::from_utf8(text).unwrap();
    for condition in ["listener", "certificate", "api-server", "hash-key"] {
        assert!(text.contains(&format!("[-]{condition} failed")), "{text}");
    }
    health.listens();
    health.searched_hash_key();
    let now = jiff::Timestamp::now();
    let hour = jiff::SignedDuration::from_hours(1);
    health.serves(now - hour, now + hour);
    webhook.review(&user("x")).await;
    assert_eq!(webhook.send(get("/readyz")).await, (StatusCode::OK, b"ok".to_vec()));
    let (status, text) = webhook.send(get("/readyz?verbose")).await;
    let text = String::from_utf8(text).unwrap();
    assert!(status == StatusCode::OK && text.contains("[+]ping ok\n"), "{text}");
    health.serves(now - hour, now - hour);
    assert_eq!(webhook.send(get("/readyz")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    health.serves(now - hour, now + hour);
    health.drains();
    let (_, text) = webhook.send(get("/readyz")).await;
    assert!(String::from_utf8(text).unwrap().contains("[-]shutdown failed: draining"));
    assert_eq!(webhook.send(get("/livez")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_named_as_documented() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    webhook.review(&user("x")).await;
    webhook.app.metrics.set_certificate(5, Some(7));
    webhook.app.metrics.set_hash_key(Some("00112233"));
    let version = env!("CARGO_PKG_VERSION");
    for sample in [
        "reviews_total{result=\"recorded\"} 1",
        "review_duration_seconds_count 1",
        "reads_total{result=\"found\"} 1",
        "read_duration_seconds_count 1",
        "reads_coalesced_total 0",
        "panics_total 0",
        "breaker_open 0",
        "certificate_not_after_timestamp_seconds 5",
        "ca_not_after_timestamp_seconds{} 7",
        "hash_key_info{id=\"00112233\"} 1",
        &format!("build_info{{version=\"{version}\"}} 1"),
    ] {
        webhook.assert_metric(sample).await;
    }
    assert!(!webhook.metrics().await.contains("id=\"none\""));
    assert!(!webhook.metrics().await.contains("hunter2"));
}
