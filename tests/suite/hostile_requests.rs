//! Whatever is sent to the webhook's port gets a well-formed answer, a plain 4xx, or a closed
//! connection; the process lives, and its memory stays bounded.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Method, Request};
use kube::client::Body;
use reload_tests::load::pod;
use reload_tests::webhook::{Answer, Caller, RECORD, Wire, review};
use reload_tests::{Cluster, FaultProxy, Namespace, Webhook, WebhookOptions, with_namespace};
use serde_json::{Value, json};

/// How long a client may dawdle before the server ends the connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// The memory that no storm may take it above, in bytes: a limit of its container stands not far above.
const MOST_MEMORY: u64 = 100 << 20;

#[tokio::test]
async fn a_body_that_is_no_review_of_a_pod() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "no-review", async |ns| {
        let webhook = ns.webhook().await?;
        let caller = webhook.caller().await?;
        let good = good_review(&ns)?;
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
            ("half of one", good.to_string()[..200].to_owned()),
            ("no UTF-8", "\u{fffd}".repeat(100)),
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
        for (what, body) in bodies {
            let answer = caller.post(body).await.with_context(|| what.to_owned())?;
            ensure_proper(&answer).with_context(|| what.to_owned())?;
        }
        for (what, request) in [
            ("a wrong content type", post("text/plain", good.to_string())?),
            ("an empty content type", post("", good.to_string())?),
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
        let webhook = ns.webhook().await?;
        let caller = webhook.caller().await?;
        let process = webhook.id()?;
        for _ in 0..4 {
            for megabytes in [3, 5] {
                let noise = "x".repeat(megabytes << 20);
                let mut large = good_review(&ns)?;
                large["request"]["object"]["metadata"]["annotations"] = json!({"a": noise});
                for body in [large.to_string(), noise] {
                    // One that is far too long it need not read: an end of the connection will do.
                    let Ok(answer) = caller.post(body).await else { continue };
                    ensure_proper(&answer).with_context(|| format!("{megabytes} MiB"))?;
                }
            }
        }
        ensure_bounded(&webhook, process)?;
        serves(&caller, &ns).await
    })
    .await
}

#[tokio::test]
async fn a_pod_with_a_thousand_references_and_names_that_are_not_valid() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "references", async |ns| {
        let proxy = FaultProxy::start(cluster).await?;
        let options = WebhookOptions { kubeconfig: Some(proxy.kubeconfig()), ..ns.webhook_options() };
        let webhook = Webhook::start(cluster, options).await?;
        let (caller, process) = (webhook.caller().await?, webhook.id()?);
        let with_names = |names: &[String]| {
            let from = names.iter().map(|name| json!({"configMapRef": {"name": name}}));
            let from: Vec<_> = from.collect();
            let volumes = names.iter().map(|name| json!({"name": name, "secret": {"secretName": name}}));
            let volumes: Vec<_> = volumes.collect();
            let mounts: Vec<_> = names.iter().map(|name| json!({"name": name, "mountPath": "/m"})).collect();
            review(
                ns.name(),
                &json!({
                    "metadata": {"name": "p"},
                    "spec": {
                        "volumes": volumes,
                        "containers": [{"name": "c", "envFrom": from, "volumeMounts": mounts}],
                    },
                }),
            )
        };
        // Small elements that become large ones: of three bytes, or of every container.
        let used = json!({"name": "v", "configMap": {"name": "settings"}});
        let mut volumes = vec![used; 1];
        volumes.resize(150_000, json!({"name": "", "emptyDir": {}}));
        let containers: Vec<_> = (0..1000).map(|i| json!({"name": format!("c{i}")})).collect();
        let extra: Vec<_> = (0..10_000).map(|i| format!("cm/a{i}")).collect();
        for pod in [
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}], "volumes": volumes}}),
            json!({"metadata": {"name": "p"}, "spec": {"containers": vec![json!({}); 900_000]}}),
            json!({
                "metadata": {"name": "p", "annotations": {"kubectl-reload.dev/extra": extra.join(",")}},
                "spec": {"containers": containers},
            }),
        ] {
            let review = review(ns.name(), &pod).to_string();
            let answers = (0..4).map(|_| caller.post(review.clone()));
            for answer in futures::future::try_join_all(answers).await? {
                ensure_proper(&answer)?;
            }
        }
        let refused = [("result", "too_many_references")];
        let refused = webhook.metrics().await?.sum("kubectl_reload_webhook_reviews_total", &refused);
        assert_eq!(refused, 12.0, "they were looked at");

        let thousand: Vec<_> = (0..500).map(|i| format!("source-{i}")).collect();
        for _ in 0..3 {
            ensure_proper(&caller.post(with_names(&thousand).to_string()).await?)?;
        }

        let odd = [
            "",
            ".",
            "..",
            "../../../../version",
            "a/b",
            "a%2fb",
            "a b",
            "A",
            "ä",
            "a\0b",
            "a\r\nHost: x",
            "a?b=c",
            "-",
        ];
        let mut odd: Vec<_> = odd.map(str::to_owned).to_vec();
        odd.push("a".repeat(1 << 18));
        proxy.forget();
        for name in &odd {
            let answer = caller.post(with_names(std::slice::from_ref(name)).to_string()).await?;
            ensure_proper(&answer)?;
            let mut review = good_review(&ns)?;
            review["request"]["namespace"] = json!(name);
            ensure_proper(&caller.post(review.to_string()).await?)?;
        }
        let own = &webhook.options().install_namespace;
        for seen in proxy.seen() {
            let plain = |part: &str| {
                part.len() < 254
                    && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
            };
            let parts: Vec<_> = seen.path.split('/').skip(1).collect();
            let proper = seen.method == Method::GET
                && matches!(&parts[..], ["api", "v1", "namespaces", namespace, "configmaps" | "secrets", name]
                    if plain(namespace) && plain(name) && ![".", ".."].contains(namespace));
            // Its own Secrets and its registration it looks after meanwhile.
            let kept = seen.path.contains(own) || !seen.path.contains("/namespaces/");
            ensure!(proper || kept, "it asked the API server: {} {:?}", seen.method, seen.path);
        }
        ensure_bounded(&webhook, process)?;
        serves(&caller, &ns).await
    })
    .await
}

#[tokio::test]
async fn clients_that_dawdle_are_cut_off_and_others_are_served_meanwhile() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "slow-loris", async |ns| {
        let webhook = ns.webhook().await?;
        let (caller, process) = (webhook.caller().await?, webhook.id()?);
        let (port, bundle) = (webhook.port(), webhook.bundle().await?);
        let body = good_review(&ns)?.to_string();
        let head = format!(
            "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let endless = format!("{head}X: {}", "x".repeat(15_000));
        let starts: [(&str, bool, Vec<u8>); 7] = [
            ("nothing", false, Vec::new()),
            ("garbage for TLS", false, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
            // A handshake record that announces 16 kB, of which little comes.
            ("half of a handshake", false, vec![22, 3, 1, 64, 0, 1, 0, 63]),
            ("nothing over TLS", true, Vec::new()),
            ("half of a head", true, head.clone().into_bytes()),
            ("a large head without an end", true, endless.into_bytes()),
            ("half of a body", true, format!("{head}\r\n{}", &body[..body.len() / 2]).into_bytes()),
        ];
        let mut dawdlers = Vec::new();
        // More than once, so that they are not the only ones who wait.
        for (what, tls, bytes) in std::iter::repeat_n(starts, 20).flatten() {
            let bundle = bundle.clone();
            dawdlers.push((
                what,
                tokio::task::spawn_blocking(move || {
                    let mut wire = match tls {
                        true => Wire::tls(port, &bundle, PATIENCE)?,
                        false => Wire::plain(port, PATIENCE)?,
                    };
                    wire.send(&bytes)?;
                    wire.closed()
                }),
            ));
        }
        let mut served = 0;
        while dawdlers.iter().any(|(_, dawdler)| !dawdler.is_finished()) {
            serves(&caller, &ns).await?;
            served += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ensure!(served > 0, "nobody dawdled");
        for (what, dawdler) in dawdlers {
            let received = dawdler.await?.with_context(|| what.to_owned())?;
            let text = String::from_utf8_lossy(&received);
            ensure!(!text.starts_with("HTTP/1.1 2") && !text.starts_with("HTTP/1.1 5"), "{what}: {text}");
        }
        ensure_bounded(&webhook, process)
    })
    .await
}

/// As long as the API server keeps a connection without use (90 s) would take too long to see; what ended
/// such connections early was the time that a first request may take.
#[tokio::test]
async fn a_connection_without_use_outlives_what_a_first_request_may_take() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "idle", async |ns| {
        let webhook = ns.webhook().await?;
        let (port, bundle) = (webhook.port(), webhook.bundle().await?);
        let body = good_review(&ns)?.to_string();
        let request = format!(
            "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answers = tokio::task::spawn_blocking(move || -> Result<[String; 2]> {
            let mut wire = Wire::tls(port, &bundle, PATIENCE)?;
            wire.send(request.as_bytes())?;
            let first = wire.answer()?;
            std::thread::sleep(Duration::from_secs(15));
            wire.send(request.as_bytes())?;
            Ok([first, wire.answer()?])
        });
        for answer in answers.await?? {
            ensure!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"patch\""), "{answer}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_head_larger_than_any_of_the_api_server_is_refused() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "large-head", async |ns| {
        let webhook = ns.webhook().await?;
        let (port, bundle) = (webhook.port(), webhook.bundle().await?);
        let received = tokio::task::spawn_blocking(move || {
            let mut wire = Wire::tls(port, &bundle, PATIENCE)?;
            wire.send(format!("POST /mutate HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(20_000)).as_bytes())?;
            wire.closed()
        });
        let text = String::from_utf8_lossy(&received.await??).into_owned();
        ensure!(text.starts_with("HTTP/1.1 431"), "{text}");
        Ok(())
    })
    .await
}

fn good_review(ns: &Namespace<'_>) -> Result<Value> {
    Ok(review(ns.name(), &serde_json::to_value(pod("good-")?)?))
}

fn post(content_type: &str, body: String) -> Result<Request<Body>> {
    let request = Request::post("/mutate").header("Content-Type", content_type);
    Ok(request.body(Body::from(body.into_bytes()))?)
}

/// A plain 4xx, or a review that admits the pod.
fn ensure_proper(answer: &Answer) -> Result<()> {
    if answer.status.is_client_error() {
        ensure!(answer.body.len() < 1000, "a long 4xx: {}", answer.body);
        return Ok(());
    }
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    let review: Value = serde_json::from_str(&answer.body)?;
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(review["kind"], "AdmissionReview");
    let response = &review["response"];
    ensure!(response["uid"].as_str().is_some_and(|uid| !uid.is_empty()), "no uid: {response}");
    ensure!(response["allowed"] == true, "refused: {response}");
    if let Some(patch) = response.get("patch").filter(|patch| !patch.is_null()) {
        assert_eq!(response["patchType"], "JSONPatch");
        let patch = BASE64_STANDARD.decode(patch.as_str().context("a patch that is no base64")?)?;
        let patch: Vec<Value> = serde_json::from_slice(&patch)?;
        let ours = format!("/metadata/annotations/{}", RECORD.replace('/', "~1"));
        for operation in patch {
            let path = operation["path"].as_str().unwrap_or_default();
            ensure!(path == ours || path == "/metadata/annotations", "{operation}");
        }
    }
    Ok(())
}

/// A good review gets a record.
async fn serves(caller: &Caller, ns: &Namespace<'_>) -> Result<()> {
    let response = caller.review(&good_review(ns)?).await?;
    ensure!(response["allowed"] == true && response["patchType"] == "JSONPatch", "{response}");
    Ok(())
}

fn ensure_bounded(webhook: &Webhook, process: u32) -> Result<()> {
    assert_eq!(webhook.id()?, process, "another process");
    let memory = webhook.peak_memory()?;
    ensure!(memory < MOST_MEMORY, "{} MiB in use at its peak", memory >> 20);
    Ok(())
}
