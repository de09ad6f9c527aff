//! Bodies that are no reviews of pods, and some that are too long.

use anyhow::{Context, Result, ensure};
use http::Request;
use kube::client::Body;
use reload_tests::{Cluster, with_namespace};
use serde_json::{Value, json};

use super::{ask, ensure_bounded, ensure_proper, good_review, patient, serves};

#[tokio::test]
async fn a_body_that_is_no_review_of_a_pod() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "no-review", async |ns| {
        let webhook = ns.webhook().await?;
        let caller = webhook.caller().await?;
        let good = good_review(&ns)?;
        let text = good.to_string();
        let with = |pointer: &str, field: &str, value: Value| {
            let mut review = good.clone();
            if let Some(object) = review.pointer_mut(pointer) {
                object[field] = value;
            }
            review.to_string()
        };
        let bodies = [
            ("nothing", String::new()),
            ("no JSON", "pod".to_owned()),
            ("half of one", text[..200].to_owned()),
            ("null", "null".to_owned()),
            ("a list", "[]".to_owned()),
            ("nested without end", "[".repeat(1 << 20)),
            ("no review", "{}".to_owned()),
            (
                "no request",
                json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}).to_string(),
            ),
            ("another kind", with("", "kind", json!("Pod"))),
            ("another version", with("", "apiVersion", json!("admission.k8s.io/v1beta1"))),
            ("an empty uid", with("/request", "uid", json!(""))),
            ("no uid", with("/request", "uid", Value::Null)),
            ("a uid that is no text", with("/request", "uid", json!(7))),
            ("another operation", with("/request", "operation", json!("DELETE"))),
            ("an unknown operation", with("/request", "operation", json!("EXPLODE"))),
            ("no object", with("/request", "object", Value::Null)),
            ("an object that is no pod", with("/request", "object", json!({"spec": {"replicas": 3}}))),
            ("an object that is a number", with("/request", "object", json!(1e308))),
            ("containers that are none", with("/request/object/spec", "containers", json!("none"))),
            ("no namespace", with("/request", "namespace", Value::Null)),
            ("annotations that are none", with("/request/object/metadata", "annotations", json!([1]))),
        ];
        let mut bodies: Vec<_> = bodies.into_iter().map(|(what, body)| (what, body.into_bytes())).collect();
        // In what is read, in what is not, and alone.
        for marked in ["good-", "system:serviceaccount"] {
            let (before, after) = text.split_once(marked).context("no such text")?;
            bodies.push(("no UTF-8", [before.as_bytes(), b"\xff\xc0", after.as_bytes()].concat()));
        }
        bodies.push(("no UTF-8 alone", vec![0xff; 100]));
        for (what, body) in bodies {
            let answer = ask(&caller, body).await.with_context(|| what.to_owned())?;
            ensure_proper(&answer).with_context(|| what.to_owned())?;
        }
        for (what, request) in [
            ("a wrong content type", post("text/plain", text.clone())?),
            ("an empty content type", post("", text)?),
            ("a GET", Request::get("/mutate").body(Body::empty())?),
            ("an unknown path", Request::post("/..%2f..").body(Body::empty())?),
            ("an unknown method", Request::builder().method("BREW").uri("/mutate").body(Body::empty())?),
        ] {
            let answer = caller.send(request).await.with_context(|| what.to_owned())?;
            ensure_proper(&answer).with_context(|| what.to_owned())?;
        }
        serves(&caller, &ns).await
    })
    .await
}

#[tokio::test]
async fn bodies_of_megabytes() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "megabytes", async |ns| {
        let webhook = patient(&ns).await?;
        let caller = webhook.caller().await?;
        let process = webhook.id()?;
        for _ in 0..4 {
            for megabytes in [3, 5] {
                let noise = "x".repeat(megabytes << 20);
                let mut large = good_review(&ns)?;
                large["request"]["object"]["metadata"]["annotations"] = json!({"a": noise});
                for (what, body) in [("a review", large.to_string()), ("noise", noise)] {
                    // One that is far too long it need not read: an end of the connection will do.
                    let answer = match ask(&caller, body).await {
                        Err(_) if megabytes > 4 => continue,
                        answer => answer.with_context(|| format!("{what} of {megabytes} MiB"))?,
                    };
                    ensure_proper(&answer).with_context(|| format!("{what} of {megabytes} MiB"))?;
                    // As large as the API server sends them.
                    let is_read = answer.status == 200;
                    ensure!(is_read == (what == "a review" && megabytes == 3), "{what}: {}", answer.status);
                }
            }
        }
        ensure_bounded(&webhook, process)?;
        serves(&caller, &ns).await
    })
    .await
}

fn post(content_type: &str, body: String) -> Result<Request<Body>> {
    let request = Request::post("/mutate").header("Content-Type", content_type);
    Ok(request.body(Body::from(body.into_bytes()))?)
}
