//! Whatever the API server does, or the webhook itself.

use super::*;

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

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_answers_at_once_and_closes_by_itself() {
    let api = Api::new(Doing::Hangs);
    let webhook = Webhook::new(&api, USUAL);
    let guard = webhook.app.recorder.sources.guard();
    let _watch = tokio::spawn(async move { guard.keep_watch().await });
    for number in 0..6 {
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

    let panics = unless_panicked::<()>(&webhook.app.metrics, || panic!("scripted"));
    assert_eq!(panics, Err(ReviewResult::Panic));
    webhook.assert_metric("panics_total 2").await;

    let hangs = std::future::pending();
    let outcome = recorded(UID.to_owned(), place, hangs, deadline, &webhook.app.metrics).await;
    assert_eq!((outcome.result, Instant::now()), (ReviewResult::Timeout, deadline));
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
