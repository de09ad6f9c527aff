//! What operators look at.

use super::*;

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
        "refused_connections_total 0",
        "panics_total 0",
        "breaker_open 0",
        "ready 0",
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
