use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;

use super::*;
use crate::breaker::FAILURES;
use crate::server_clock::ServerClock;

const BAD: &str = "/api/v1/namespaces/shop/configmaps/bad";

/// A guard whose breaker of ConfigMaps is open, for one that cannot be read; and what the API server
/// is asked for from then on.
fn open() -> (Guard, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let status = if path == BAD { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NOT_FOUND };
        log.lock().unwrap().push(path);
        async move {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }
    });
    let client = Client::new(service, "default");
    let api = ApiServer::new(client, Arc::new(ServerClock::default()), Duration::from_secs(1));
    let guard = Guard::new(Arc::new(api), Arc::new(Metrics::new()));
    let failed = Outcome::Failed(Unread::Error);
    guard.observe("tools", &SourceId::config_map("other"), failed);
    for _ in 1..FAILURES {
        guard.observe("shop", &SourceId::config_map("bad"), failed);
    }
    assert!(guard.is_open(SourceKind::ConfigMap));
    assert!(!guard.is_open(SourceKind::Secret));
    (guard, asked)
}

#[tokio::test(start_paused = true)]
async fn what_failed_last_is_probed_where_nothing_else_is_asked_for() {
    let (guard, asked) = open();
    tokio::time::advance(Duration::from_secs(2)).await;
    guard.probe(SourceKind::ConfigMap).await;
    assert_eq!(*asked.lock().unwrap(), [BAD]);
    assert!(guard.is_open(SourceKind::ConfigMap));
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_last_is_probed_so_that_one_bad_source_keeps_none_of_the_others_unread() {
    let (guard, asked) = open();
    assert_eq!(guard.refusal("shop", &SourceId::config_map("good")), Some(Unread::Error));
    tokio::time::advance(Duration::from_secs(2)).await;
    guard.probe(SourceKind::ConfigMap).await;
    assert_eq!(*asked.lock().unwrap(), ["/api/v1/namespaces/shop/configmaps/good"]);
    assert_eq!(guard.refusal("shop", &SourceId::config_map("good")), None);
}

#[tokio::test(start_paused = true)]
async fn no_probe_is_made_before_it_is_due() {
    let (guard, asked) = open();
    guard.probe(SourceKind::ConfigMap).await;
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_was_gone_for_long_is_seen_within_seconds_of_its_return() {
    const OUTAGE: Duration = Duration::from_secs(70);
    let start = Instant::now();
    let service = tower::service_fn(move |_: Request<Body>| async move {
        match start.elapsed() < OUTAGE {
            true => Err(std::io::Error::other("gone")),
            false => Ok(Response::new(Body::empty())),
        }
    });
    let api = ApiServer::new(
        Client::new(service, "default"),
        Arc::new(ServerClock::default()),
        Duration::from_secs(1),
    );
    let api = Arc::new(api);
    let guard = Guard::new(api.clone(), Arc::new(Metrics::new()));
    let watch = tokio::spawn(async move { guard.keep_watch().await });
    tokio::time::sleep(OUTAGE).await;
    assert_eq!(api.answered_at(), None);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(api.answered_at().is_some(), "nobody has asked");
    watch.abort();
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_probe_ends_nothing() {
    let service = tower::service_fn(async |_: Request<Body>| -> Result<Response<Body>, Infallible> {
        panic!("scripted")
    });
    let client = Client::new(service, "default");
    let api = ApiServer::new(client, Arc::new(ServerClock::default()), Duration::from_secs(1));
    let guard = Guard::new(Arc::new(api), Arc::new(Metrics::new()));
    assert_eq!(guard.ping().await, Outcome::Failed(Unread::Error));
}
