//! What `kubectl reload status -A` costs against a plain download of what it has to look at, on one
//! API server in one run: with a record on every pod, and with none, as in a user's first minute.
//!
//! Arguments: the numbers of pods; 2000 and 10000 unless given. Sources hold 10 kB each, and half of them
//! were made by client-side apply, which leaves a copy of them in an annotation.

#[path = "download.rs"]
mod download;
#[path = "population.rs"]
mod population;
#[path = "run.rs"]
mod run;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reload_tests::{Cluster, ClusterOptions};

use download::Download;
use population::Population;
use run::{Run, median};

/// Measurements of each kind; they take turns.
const ROUNDS: usize = 9;

#[tokio::main]
async fn main() -> Result<()> {
    let sizes: Result<Vec<usize>, _> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .map(|size| size.parse())
        .collect();
    let mut sizes = sizes.context("the numbers of pods")?;
    if sizes.is_empty() {
        sizes = vec![2_000, 10_000];
    }
    let largest = sizes.iter().max().copied().unwrap_or_default();
    let mut options = ClusterOptions { nodes: largest.div_ceil(100), ..ClusterOptions::default() };
    options.flags.retain(|flag| !flag.contains("kube-api-qps") && !flag.contains("kube-api-burst"));
    options.flags.extend(
        ["kube-controller-manager=kube-api-qps=2000", "kube-controller-manager=kube-api-burst=4000"]
            .map(str::to_owned),
    );
    let cluster = Cluster::start(options).await?;
    let mut population = Population::create(&cluster).await?;
    let mut rows = Vec::new();
    for recorded in [true, false] {
        for &pods in &sizes {
            population.scale(pods, recorded).await?;
            rows.push(measure(&cluster, pods, recorded).await?);
        }
    }
    drop(population);
    cluster.stop().await?;
    print(&rows);
    Ok(())
}

/// What was measured with one population.
struct Row {
    pods: usize,
    recorded: bool,
    status: Duration,
    download: Duration,
    /// In one namespace of twenty.
    namespaced: Duration,
    /// The most memory that `status -A` held, in bytes.
    peak: u64,
}

async fn measure(cluster: &Cluster, pods: usize, recorded: bool) -> Result<Row> {
    let download = if recorded { Download::Metadata } else { Download::PodsInFull };
    let (mut status, mut raw, mut namespaced, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        raw.push(download.take(cluster).await?);
        let run = Run::of(cluster, &["status", "-A"]).await?;
        ensure!(run.judged(pods, recorded), "{pods} pods, recorded: {recorded}: {}", run.stdout);
        status.push(run.time);
        namespaced.push(Run::of(cluster, &["status", "-n", population::FIRST]).await?.time);
        peak = peak.max(Run::peak(cluster, &["status", "-A"]).await?);
    }
    let [status, download, namespaced] = [status, raw, namespaced].map(median);
    Ok(Row { pods, recorded, status, download, namespaced, peak })
}

fn print(rows: &[Row]) {
    println!(
        "\n{:>7} {:<9} {:>10} {:>10} {:>6} {:<8} {:>12} {:>10}",
        "PODS", "RECORDED", "STATUS -A", "DOWNLOAD", "RATIO", "GOAL", "STATUS -N", "PEAK"
    );
    for row in rows {
        let ratio = row.status.as_secs_f64() / row.download.as_secs_f64();
        let goal = if row.recorded { "<= 1.25" } else { "<= 2" };
        let megabytes = row.peak as f64 / 1e6;
        println!(
            "{:>7} {:<9} {:>7} ms {:>7} ms {ratio:>6.2} {goal:<8} {:>9} ms {megabytes:>7.1} MB",
            row.pods,
            if row.recorded { "yes" } else { "no" },
            row.status.as_millis(),
            row.download.as_millis(),
            row.namespaced.as_millis(),
        );
    }
    for recorded in [true, false] {
        let of: Vec<&Row> = rows.iter().filter(|row| row.recorded == recorded).collect();
        if let (Some(first), Some(last)) = (of.first(), of.last())
            && last.pods > first.pods
        {
            let growth = (last.peak as f64 - first.peak as f64) / (last.pods - first.pods) as f64;
            println!(
                "memory per pod, recorded {recorded}: {growth:.0} bytes (goal for recorded ones: < 2000)"
            );
        }
    }
    println!("medians of {ROUNDS}; goals: namespaced under 150 ms, peak under 60 MB at 10,000 recorded pods");
}
