//! What the webhook costs: pods per second, time per review, GETs under a burst, memory. All in one run,
//! in interleaved rounds, as ratios where it can be.
//!
//! Arguments: how many reviews the memory is watched over, 100,000 unless given; then the parts that are
//! run, all unless some are given: throughput, latency, burst, memory. Ends with an error where a goal is
//! missed, but for those of throughput: there the machine is shared with the API server and with whoever
//! makes the pods.

mod burst;
mod latency;
mod memory;
mod table;
mod throughput;

use anyhow::{Context, Result, ensure};
use reload_tests::manifest::{config_map, secret};
use reload_tests::{Cluster, ClusterOptions, Namespace};

use table::Table;

#[tokio::main]
async fn main() -> Result<()> {
    let reviews = std::env::args().nth(1);
    let reviews = reviews.map_or(Ok(100_000), |reviews| reviews.parse()).context("the number of reviews")?;
    let parts: Vec<String> = std::env::args().skip(2).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|name| name == part);
    // Nobody plays a node: what happens to a pod after its creation is not measured. The controllers
    // keep to the limits that they have by default.
    let mut options = ClusterOptions { nodes: 0, ..ClusterOptions::default() };
    options.flags.retain(|flag| !flag.starts_with("kube-controller-manager=kube-api-"));
    let cluster = Cluster::start(options).await?;
    let mut table = Table::default();
    if wanted("throughput") {
        throughput::measure(&cluster, &mut table).await?;
    }
    if wanted("latency") {
        latency::measure(&cluster, &mut table).await?;
    }
    if wanted("burst") {
        burst::measure(&cluster, &mut table).await?;
    }
    if wanted("memory") {
        memory::measure(&cluster, &mut table, reviews).await?;
    }
    cluster.stop().await?;
    println!("\n{table}");
    ensure!(table.missed().is_empty(), "goals were missed: {:#?}", table.missed());
    Ok(())
}

/// A namespace with the two sources that pods use.
async fn namespace<'a>(cluster: &'a Cluster, name: &str) -> Result<Namespace<'a>> {
    let ns = Namespace::create(cluster, name).await?;
    let sources = [config_map("settings", &[("colour", "red")]), secret("login", &[("password", "hunter2")])];
    ns.apply(sources).await?;
    Ok(ns)
}
