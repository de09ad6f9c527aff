//! Pods of few texts that are put together as often as just passes the bound.

use anyhow::{Result, ensure};
use futures::future::join_all;
use k8s_openapi::api::core::v1::{PodSpec, Secret};
use kube::api::PostParams;
use reload_core::reference::{MAX_PAIRS, pairs};
use reload_tests::webhook::review;
use reload_tests::{Cluster, with_namespace};
use serde_json::{Value, json};

use super::{ask, ensure_bounded, ensure_bounded_by, ensure_proper, serves};

const AT_ONCE: usize = 16;

/// A pod's spec of so many parts.
type Spec = fn(usize) -> Value;

fn many(count: usize, of: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(of).collect()
}

fn text(length: usize, i: usize) -> String {
    format!("{}{i}", "x".repeat(length))
}

fn container(name: &str, parts: Value) -> Value {
    let mut container = parts;
    container["name"] = json!(name);
    container
}

/// Mounts of one volume by its items, with texts of this length.
fn items(count: usize, length: usize) -> Value {
    let items = many(300, |i| json!({"key": text(length, i), "path": text(length, i)}));
    let mounts = many(count, |i| json!({"name": "v", "mountPath": format!("/{i}")}));
    json!({
        "containers": [container("c", json!({"volumeMounts": mounts}))],
        "volumes": [{"name": "v", "secret": {"secretName": "login", "items": items}}],
    })
}

/// Mounts of one volume by its sources, with names of this length, and one of the container as long.
fn sources(count: usize, length: usize) -> Value {
    let sources = many(100, |i| json!({"configMap": {"name": text(length, i)}}));
    let mounts =
        many(count, |i| json!({"name": "v", "mountPath": format!("/{i}"), "subPath": text(length, 0)}));
    json!({
        "containers": [container(&text(length, 0), json!({"volumeMounts": mounts}))],
        "volumes": [{"name": "v", "projected": {"sources": sources}}],
    })
}

/// Variables by `envFrom` entries, with names of this length.
fn variables(count: usize, length: usize) -> Value {
    let env = many(count, |i| json!({"name": text(length, i), "value": "$(A)"}));
    let from = many(100, |i| json!({"configMapRef": {"name": text(length, i)}}));
    json!({"containers": [container("c", json!({"env": env, "envFrom": from}))]})
}

/// As large as just passes the bound and fits a review.
fn at_the_bound(spec: Spec) -> Result<Value> {
    let passes = |count: usize| -> Result<bool> {
        let value = spec(count);
        let is_sent = value.to_string().len() < 3 << 20;
        Ok(is_sent && pairs(&serde_json::from_value::<PodSpec>(value)?, 0) <= MAX_PAIRS)
    };
    let (mut most, mut step) = (1, 4096);
    while step > 0 {
        if passes(most + step)? {
            most += step;
        }
        step /= 2;
    }
    Ok(spec(most))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_at_the_bound_of_references_are_answered_in_time_and_memory_stays_bounded() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "at-the-bound", async |ns| {
        let webhook = ns.webhook().await?;
        let (caller, process) = (webhook.caller().await?, webhook.id()?);
        let specs: [(&str, Spec); 7] = [
            ("short items", |count| items(count, 1)),
            ("long items", |count| items(count, 4000)),
            ("short sources", |count| sources(count, 1)),
            ("long sources", |count| sources(count, 200)),
            ("short variables", |count| variables(count, 1)),
            ("long variables", |count| variables(count, 4000)),
            ("values full of references", |_| {
                let value = "$(".repeat(700_000) + ")";
                json!({"containers": [container("c", json!({"env": [{"name": "A", "value": value}],
                    "envFrom": [{"configMapRef": {"name": "settings"}}]}))]})
            }),
        ];
        for (what, spec) in specs {
            let pod = json!({"metadata": {"name": "p"}, "spec": at_the_bound(spec)?});
            let body = review(ns.name(), &pod).to_string();
            for answer in join_all((0..AT_ONCE).map(|_| ask(&caller, body.clone()))).await {
                match answer {
                    Ok(answer) => ensure_proper(&answer)?,
                    // Of one that it refused, the connection may have ended before all was sent.
                    Err(error) => {
                        ensure!(!format!("{error:#}").contains("no answer within"), "{what}: {error:#}")
                    }
                }
            }
            ensure_bounded(&webhook, process).map_err(|error| error.context(what))?;
            serves(&caller, &ns).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_of_many_secrets_of_a_megabyte_are_answered_in_time_and_memory_stays_bounded() -> Result<()> {
    const SECRETS: usize = 20;
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "large-secrets", async |ns| {
        let webhook = ns.webhook().await?;
        let (caller, process) = (webhook.caller().await?, webhook.id()?);
        let secrets = ns.api::<Secret>();
        for i in 0..SECRETS {
            let data = json!({"file": format!("{i:09} ").repeat(100_000)});
            let secret = json!({"metadata": {"name": format!("large-{i}")}, "stringData": data});
            secrets.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
        }
        let from = many(SECRETS, |i| json!({"secretRef": {"name": format!("large-{i}")}}));
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [container("c", json!({"envFrom": from}))]}});
        let body = review(ns.name(), &pod).to_string();
        for answer in join_all((0..AT_ONCE).map(|_| ask(&caller, body.clone()))).await {
            let answer = answer?;
            ensure_proper(&answer)?;
            ensure!(answer.status == 200, "{}", answer.status);
        }
        // All of them at once, as text and read: what a container's limit has to hold.
        ensure_bounded_by(&webhook, process, 200 << 20)?;
        serves(&caller, &ns).await
    })
    .await
}
