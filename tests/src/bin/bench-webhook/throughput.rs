//! Pods that are made per second: without a webhook, with ours told to read nothing, and with ours. As many
//! as the machine can make, where every request takes processor time from the others; and as the
//! controllers make them, which by default keep to 20 requests per second.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use reload_tests::load::pod;
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Namespace, Webhook, WebhookOptions, eventually};
use serde_json::json;
use tokio::time::Instant;

use super::table::{Table, quantile};

const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(60);

/// The arms of the comparison; the first is what the others are compared with.
const ARMS: [&str; 3] = ["no webhook", "ours, without reads", "ours"];

/// How many rounds are measured, and how many pods each arm makes in one.
const FLAT_OUT: (usize, usize) = (11, 400);
const CONTROLLER: (usize, usize) = (5, 150);

pub(crate) async fn measure(cluster: &Cluster, table: &mut Table) -> Result<()> {
    let without = super::namespace(cluster, "without").await?;
    let nothing = super::namespace(cluster, "nothing").await?;
    let with = super::namespace(cluster, "with").await?;
    let ignore = "configmap/settings,secret/login".to_owned();
    let without_reads =
        WebhookOptions { flags: vec!["--ignore".to_owned(), ignore], ..nothing.webhook_options() };
    let mut without_reads = Webhook::start(cluster, without_reads).await?;
    let mut webhook = with.webhook().await?;
    let arms = [&without, &nothing, &with];
    let before = webhook.processor_time()?;
    rounds(table, "flat out", FLAT_OUT, arms, flat_out).await?;
    let took = webhook.processor_time()? - before;
    let pods = (FLAT_OUT.0 + 1) * FLAT_OUT.1;
    let each = format!("{:.2} ms", took.as_secs_f64() * 1000.0 / pods as f64);
    table.row("  processor time of the webhook's own for each pod", each, "");
    rounds(table, "for a ReplicaSet", CONTROLLER, arms, by_a_replica_set).await?;
    without_reads.stop().await?;
    webhook.stop().await
}

/// Measures the arms in turns; the first round warms up. `make` gives the seconds that so many pods took.
async fn rounds<'a>(
    table: &mut Table,
    how: &str,
    (rounds, pods): (usize, usize),
    arms: [&'a Namespace<'a>; 3],
    make: impl AsyncFn(&'a Namespace<'a>, usize) -> Result<f64>,
) -> Result<()> {
    let mut rates = [const { Vec::new() }; 3];
    let mut ratios = [const { Vec::new() }; 3];
    let mut recorded = 0;
    for round in 0..=rounds {
        let mut rate = [0.0; 3];
        for step in 0..3 {
            let arm = (round + step) % 3;
            rate[arm] = pods as f64 / make(arms[arm], pods).await?;
            let made = count_and_clear(arms[arm], pods).await?;
            recorded += if arm == 2 && round > 0 { made } else { 0 };
        }
        for arm in 0..3 {
            if round > 0 {
                rates[arm].push(rate[arm]);
                ratios[arm].push(rate[arm] / rate[0]);
            }
        }
    }
    for (arm, name) in ARMS.iter().enumerate() {
        table.row(&format!("pods made {how}, {name}"), format!("{:.1}/s", quantile(&rates[arm], 0.5)), "");
        if arm > 0 {
            let [median, least, most] = [0.5, 0.0, 1.0].map(|share| quantile(&ratios[arm], share));
            let goal = if arm == 2 { "at least 0.9" } else { "" };
            let range = format!("{median:.2} ({least:.2} to {most:.2})");
            table.row("  ratio to none, median of rounds", range, goal);
        }
        if arm == 2 {
            let to_without_reads: Vec<f64> =
                rates[2].iter().zip(&rates[1]).map(|(ours, without_reads)| ours / without_reads).collect();
            table.row(
                "  ratio to the one without reads",
                format!("{:.2}", quantile(&to_without_reads, 0.5)),
                "",
            );
        }
    }
    let all = rounds * pods;
    table.goal("  of these with a full record", format!("{recorded} of {all}"), "all", recorded == all);
    Ok(())
}

/// As fast as the API server takes them.
async fn flat_out(ns: &Namespace<'_>, count: usize) -> Result<f64> {
    let pods = ns.api::<Pod>();
    let mut pod = pod("bench-")?;
    if let Some(spec) = &mut pod.spec {
        // Nobody's: the scheduler has nothing to do with it.
        spec.scheduler_name = Some("none".to_owned());
    }
    let params = PostParams::default();
    let start = Instant::now();
    stream::iter(0..count)
        .map(|_| pods.create(&params, &pod))
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await?;
    Ok(start.elapsed().as_secs_f64())
}

/// As a workload's pods are made.
async fn by_a_replica_set(ns: &Namespace<'_>, count: usize) -> Result<f64> {
    let mut spec = serde_json::to_value(pod("bench-")?.spec)?;
    spec["schedulerName"] = "none".into();
    let labels = json!({"app": "bench"});
    let set: ReplicaSet = serde_json::from_value(json!({
        "metadata": {"name": "bench"},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }))?;
    let sets = ns.api::<ReplicaSet>();
    let start = Instant::now();
    sets.create(&PostParams::default(), &set).await?;
    let made = async || {
        let replicas = sets.get("bench").await?.status.context("no status")?.replicas;
        ensure!(replicas as usize == count, "{replicas} are");
        Ok(())
    };
    eventually("all pods of the ReplicaSet are made", PATIENCE, made).await?;
    let took = start.elapsed().as_secs_f64();
    sets.delete("bench", &DeleteParams::orphan()).await?;
    Ok(took)
}

/// How many of the pods have a full record; and removes them.
async fn count_and_clear(ns: &Namespace<'_>, count: usize) -> Result<usize> {
    let pods = ns.api::<Pod>();
    let made = pods.list(&ListParams::default()).await?;
    ensure!(made.items.len() >= count, "{} pods instead of {count}", made.items.len());
    let is_full = |record: &String| !record.contains("\"unread\"");
    let recorded = made.iter().filter(|pod| pod.annotations().get(RECORD).is_some_and(is_full)).count();
    pods.delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default()).await?;
    let gone = async || {
        let left = pods.list_metadata(&ListParams::default()).await?.items.len();
        ensure!(left == 0, "{left} are left");
        Ok(())
    };
    eventually("the pods are gone", PATIENCE, gone).await?;
    Ok(recorded)
}
