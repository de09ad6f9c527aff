//! Whatever is sent to the webhook's port gets a well-formed answer, a plain 4xx, or a closed
//! connection; the process lives, and its memory stays bounded.

#[path = "hostile_requests/bodies.rs"]
mod bodies;
#[path = "hostile_requests/connections.rs"]
mod connections;
#[path = "hostile_requests/multiplied.rs"]
mod multiplied;
#[path = "hostile_requests/pods.rs"]
mod pods;
#[path = "hostile_requests/storms.rs"]
mod storms;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reload_tests::load::pod;
use reload_tests::webhook::{Answer, Caller, RECORD, review};
use reload_tests::{Namespace, Webhook, WebhookOptions};
use serde_json::Value;
use tokio::time::timeout;

/// How long a client may dawdle before the server ends the connection.
const PATIENCE: Duration = Duration::from_secs(160);

/// How long any answer may take: more than any deadline here, since the machine runs other suites too.
const ANSWER: Duration = Duration::from_secs(60);

/// Its deadline where bodies are large: a debug build takes seconds to receive one beside other suites, and
/// is about whether it is read.
const DEADLINE: &str = "--deadline=28s";

/// The memory that no storm may take it above, in bytes: half of what the chart lets its container have.
const MOST_MEMORY: u64 = 128 << 20;

/// The answer to a body, which has to come in time.
async fn ask(caller: &Caller, body: impl Into<Vec<u8>>) -> Result<Answer> {
    timeout(ANSWER, caller.post(body)).await.with_context(|| format!("no answer within {ANSWER:?}"))?
}

/// A webhook that waits long for bodies and sources.
async fn patient(ns: &Namespace<'_>) -> Result<Webhook> {
    let flags = vec![DEADLINE.to_owned()];
    Webhook::start(ns.cluster(), WebhookOptions { flags, timeout_seconds: Some(30), ..ns.webhook_options() })
        .await
}

fn good_review(ns: &Namespace<'_>) -> Result<Value> {
    Ok(review(ns.name(), &serde_json::to_value(pod("good-")?)?))
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
    let response = timeout(ANSWER, caller.review(&good_review(ns)?)).await.context("no answer in time")??;
    ensure!(response["allowed"] == true && response["patchType"] == "JSONPatch", "{response}");
    Ok(())
}

fn ensure_bounded(webhook: &Webhook, process: u32) -> Result<()> {
    ensure_bounded_by(webhook, process, MOST_MEMORY)
}

fn ensure_bounded_by(webhook: &Webhook, process: u32, most: u64) -> Result<()> {
    assert_eq!(webhook.id()?, process, "another process");
    let memory = webhook.peak_memory()?;
    ensure!(memory < most, "{} MiB in use at its peak", memory >> 20);
    Ok(())
}
