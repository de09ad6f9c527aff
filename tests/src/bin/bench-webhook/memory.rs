//! Memory over many reviews of pods that use large Secrets.

use anyhow::{Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use reload_tests::Cluster;
use reload_tests::webhook::review;
use serde_json::json;
use tokio::time::Instant;

use super::table::Table;

const SECRETS: usize = 1000;
const SIZE: usize = 50_000;
const AT_ONCE: usize = 16;
const MARKS: usize = 5;

/// What it may take, in bytes.
const MOST: u64 = 30_000_000;

pub(crate) async fn measure(cluster: &Cluster, table: &mut Table, reviews: usize) -> Result<()> {
    let ns = super::namespace(cluster, "memory").await?;
    let secrets = ns.api::<Secret>();
    let params = PostParams::default();
    stream::iter(0..SECRETS)
        .map(async |i| {
            let value = format!("{i:09} ").repeat(SIZE / 10);
            let secret = json!({"metadata": {"name": format!("large-{i}")}, "stringData": {"file": value}});
            Ok::<_, anyhow::Error>(secrets.create(&params, &serde_json::from_value(secret)?).await?)
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await?;
    let mut webhook = ns.webhook().await?;
    let caller = webhook.caller().await?;
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let what = format!("memory (RSS), {SECRETS} Secrets of {} kB, before any review", SIZE / 1000);
    table.row(&what, megabytes(webhook.memory()?), "");
    let bodies: Vec<_> = (0..SECRETS)
        .map(|i| {
            let from = json!([{"secretRef": {"name": format!("large-{i}")}}]);
            let containers = json!([{"name": "c", "image": "none", "envFrom": from}]);
            review(ns.name(), &json!({"metadata": {"name": "p"}, "spec": {"containers": containers}}))
        })
        .collect();
    let start = Instant::now();
    for mark in 0..MARKS {
        let part = reviews * mark / MARKS..reviews * (mark + 1) / MARKS;
        let end = part.end;
        stream::iter(part)
            .map(async |i| {
                let response = caller.review(&bodies[i % SECRETS]).await?;
                let patch = BASE64_STANDARD.decode(response["patch"].as_str().unwrap_or_default())?;
                let patch = String::from_utf8(patch)?;
                ensure!(patch.contains("digest") && !patch.contains("unread"), "no full record: {response}");
                Ok(())
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(async |()| Ok(()))
            .await?;
        let memory = webhook.memory()?;
        let what = format!("  after {end} reviews");
        table.goal(&what, megabytes(memory), "under 30 MB", memory < MOST);
    }
    table.row("  at its peak", megabytes(webhook.peak_memory()?), "");
    let rate = reviews as f64 / start.elapsed().as_secs_f64();
    table.row("  reviews meanwhile", format!("{rate:.0}/s"), "");
    webhook.stop().await
}
