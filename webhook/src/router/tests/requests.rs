//! What is asked for, and what is no question at all.

use super::*;

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
async fn nobody_learns_of_the_sources_beside_the_webhook_and_in_kube_system() {
    let api = Api::new(Doing::Answers);
    let webhook = Webhook::new(&api, USUAL);
    for namespace in ["kubectl-reload", "kube-system"] {
        assert_eq!(webhook.review(&user(namespace)).await.patch, Value::Null, "{namespace}");
    }
    assert_eq!(api.requests(), Vec::<String>::new());
    webhook.assert_metric("reviews_total{result=\"excluded\"} 2").await;
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
