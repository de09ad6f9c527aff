//! More at once than is good.

use super::*;

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

#[tokio::test]
async fn bodies_take_no_more_room_than_there_is() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    let large = || futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; MAX_REVIEW]))]);
    let held = async || webhook.app.room.read(Body::from_stream(large())).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(held().await);
    }
    // Those that are no larger than common ones are read all the same.
    webhook.review(&user("x")).await;
    let large = user("x").to_string() + &" ".repeat(MAX_REVIEW / 2);
    assert_eq!(webhook.send(post("/mutate", large.clone())).await.0, StatusCode::TOO_MANY_REQUESTS);
    drop(all);
    assert_eq!(webhook.send(post("/mutate", large)).await.0, StatusCode::OK);
}

/// A pod of few bytes, of which much is made: each source of it has a list of all keys.
fn multiplied(sources: usize) -> Value {
    let env: Vec<_> = (0..500).map(|i| json!({"name": format!("A{i}")})).collect();
    let from: Vec<_> = (0..sources).map(|i| json!({"configMapRef": {"name": format!("m{i}")}})).collect();
    review("x", json!({"metadata": {}, "spec": {"containers": [{"name": "c", "env": env, "envFrom": from}]}}))
}

#[tokio::test(start_paused = true)]
async fn what_is_made_of_pods_takes_room_until_it_is_recorded() {
    let webhook = Webhook::new(&Api::new(Doing::Hangs), With { max_reviews: 100, ..USUAL });
    let request = multiplied(60);
    let answers = (0..40).map(|_| webhook.review(&request));
    let answers = futures::future::join_all(answers).await;
    let recorded = answers.iter().filter(|answered| answered.patch != Value::Null).count();
    // Each takes some 2 MB of 24 MiB.
    assert!((8..15).contains(&recorded), "{recorded}");
    webhook.assert_metric(&format!("reviews_total{{result=\"shed\"}} {}", 40 - recorded)).await;
    let after = webhook.review(&user("x")).await;
    assert_eq!(after.unread(&map()), Some(Unread::Timeout), "there is room again");
}

#[tokio::test(start_paused = true)]
async fn large_pods_have_their_turn_one_after_the_other_and_common_ones_at_once() {
    let webhook = Webhook::new(&Api::new(Doing::Answers), USUAL);
    let turn = webhook.app.room.turn(Instant::now() + Duration::from_secs(5)).await;
    let mut long = user("x");
    long["request"]["object"]["metadata"]["annotations"] = json!({"a": "x".repeat(150_000)});
    let large = [long, multiplied(20)];
    for large in &large {
        assert_eq!(webhook.review(large).await.patch, Value::Null);
    }
    webhook.assert_metric("reviews_total{result=\"shed\"} 2").await;
    webhook.review(&user("x")).await.record();
    drop(turn);
    for large in &large {
        webhook.review(large).await.record();
    }
}
