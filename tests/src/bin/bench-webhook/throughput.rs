//! Pods that are made per second, with the webhook and without.

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use reload_tests::load::pod;
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Namespace};
use tokio::time::Instant;

use super::table::{Table, quantile};

const ROUNDS: usize = 11;
const PODS: usize = 400;
const AT_ONCE: usize = 16;

pub(crate) async fn measure(cluster: &Cluster, table: &mut Table) -> Result<()> {
    let with = super::namespace(cluster, "with").await?;
    let without = super::namespace(cluster, "without").await?;
    let mut webhook = with.webhook().await?;
    let (mut rates_with, mut rates_without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut recorded = 0;
    // The first round warms up.
    for round in 0..=ROUNDS {
        let (first, second) = if round % 2 == 0 { (&with, &without) } else { (&without, &with) };
        let one = pods_per_second(first).await?;
        let two = pods_per_second(second).await?;
        if round == 0 {
            continue;
        }
        let (one, two) = if round % 2 == 0 { (one, two) } else { (two, one) };
        recorded += one.1;
        rates_with.push(one.0);
        rates_without.push(two.0);
        ratios.push(one.0 / two.0);
    }
    webhook.stop().await?;
    let rate = |rates: &[f64]| format!("{:.0}/s", quantile(rates, 0.5));
    let sum = ROUNDS * PODS;
    table.row("pods made, without the webhook", rate(&rates_without), "");
    table.row("pods made, with it", rate(&rates_with), "");
    let range = format!(
        "{:.2} ({:.2} to {:.2})",
        quantile(&ratios, 0.5),
        quantile(&ratios, 0.0),
        quantile(&ratios, 1.0)
    );
    table.row("  ratio, median of rounds", range, "at least 0.9");
    table.row("  of these with a record", format!("{recorded} of {sum}"), "all");
    Ok(())
}

/// And how many of them have a record.
async fn pods_per_second(ns: &Namespace<'_>) -> Result<(f64, usize)> {
    let pods = ns.api::<Pod>();
    let mut pod = pod("bench-")?;
    if let Some(spec) = &mut pod.spec {
        // Nobody's: the scheduler has nothing to do with it.
        spec.scheduler_name = Some("none".to_owned());
    }
    let params = PostParams::default();
    let start = Instant::now();
    let made: Vec<Pod> = stream::iter(0..PODS)
        .map(|_| pods.create(&params, &pod))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let took = start.elapsed().as_secs_f64();
    pods.delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default()).await?;
    let recorded = made.iter().filter(|pod| pod.annotations().contains_key(RECORD)).count();
    Ok((PODS as f64 / took, recorded))
}
