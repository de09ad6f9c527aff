//! What `kubectl reload status -A` costs against a plain download of what it has to look at, on one
//! API server in one run: with a record on every pod, and with none, as in a user's first minute.
//!
//! Arguments: the numbers of pods; 2000 and 10000 unless given. Sources hold 10 kB each, and half of them
//! were made by client-side apply, which leaves a copy of them in an annotation.

mod download;
mod population;
mod quiet;
mod run;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reload_tests::{Cluster, ClusterOptions};

use download::{Download, Form};
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
    let cluster = Cluster::start(ClusterOptions::of_pods(largest)).await?;
    let mut population = Population::create(&cluster).await?;
    let mut rows = Vec::new();
    for recorded in [true, false] {
        for &pods in &sizes {
            population.scale(pods, recorded).await?;
            // Controllers and nodes have much to do for a while after each.
            quiet::wait().await;
            rows.push(measure(&cluster, pods, recorded).await?);
        }
    }
    drop(population);
    cluster.stop().await?;
    let missed = print(&rows);
    if !missed.is_empty() {
        bail!("goals missed: {}", missed.join("; "));
    }
    Ok(())
}

/// What was measured with one population.
struct Row {
    pods: usize,
    recorded: bool,
    status: Duration,
    download: Duration,
    /// The same in protobuf, as far as it is metadata: what the plugin itself asks for.
    compact: Duration,
    /// In one namespace of twenty.
    namespaced: Duration,
    /// The most memory that `status -A` held, in bytes.
    peak: u64,
}

async fn measure(cluster: &Cluster, pods: usize, recorded: bool) -> Result<Row> {
    let download = if recorded { Download::Metadata } else { Download::PodsInFull };
    let (mut status, mut raw, mut compact) = (Vec::new(), Vec::new(), Vec::new());
    let (mut namespaced, mut peak) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        raw.push(download.take(cluster, Form::Json).await?);
        compact.push(download.take(cluster, Form::Protobuf).await?);
        let run = Run::of(cluster, &["status", "-A"]).await?;
        ensure!(run.judged(pods, recorded), "{pods} pods, recorded: {recorded}: {}", run.stdout);
        status.push(run.time);
        namespaced.push(Run::of(cluster, &["status", "-n", population::FIRST]).await?.time);
        peak = peak.max(Run::peak(cluster, &["status", "-A"]).await?);
    }
    let [status, download, compact, namespaced] = [status, raw, compact, namespaced].map(median);
    Ok(Row { pods, recorded, status, download, compact, namespaced, peak })
}

/// The most memory that it may hold, in bytes, with 10,000 pods; and more of it for each pod.
const PEAK: u64 = 60_000_000;
const EACH: f64 = 2000.0;
const NAMESPACED: Duration = Duration::from_millis(150);

/// Shows the figures; gives the goals that they miss.
fn print(rows: &[Row]) -> Vec<String> {
    println!(
        "\n{:>7} {:<9} {:>10} {:>10} {:>6} {:<8} {:>12} {:>12} {:>10}",
        "PODS", "RECORDED", "STATUS -A", "DOWNLOAD", "RATIO", "GOAL", "IN PROTOBUF", "STATUS -N", "PEAK"
    );
    let mut missed = Vec::new();
    for row in rows {
        let ratio = row.status.as_secs_f64() / row.download.as_secs_f64();
        let goal = if row.recorded { 1.25 } else { 2.0 };
        let recorded = if row.recorded { "yes" } else { "no" };
        println!(
            "{:>7} {recorded:<9} {:>7} ms {:>7} ms {ratio:>6.2} <= {goal:<5} {:>9} ms {:>9} ms {:>7.1} MB",
            row.pods,
            row.status.as_millis(),
            row.download.as_millis(),
            row.compact.as_millis(),
            row.namespaced.as_millis(),
            row.peak as f64 / 1e6,
        );
        let mut goals = |name: &str, is_met: bool| {
            if !is_met {
                missed.push(format!("{name} with {} pods, recorded: {recorded}", row.pods));
            }
        };
        goals("ratio", ratio <= goal);
        goals("memory", row.peak < PEAK);
        goals("time in a namespace", row.namespaced < NAMESPACED);
    }
    for recorded in [true, false] {
        let of: Vec<&Row> = rows.iter().filter(|row| row.recorded == recorded).collect();
        if let (Some(first), Some(last)) = (of.first(), of.last())
            && last.pods > first.pods
        {
            let growth = (last.peak as f64 - first.peak as f64) / (last.pods - first.pods) as f64;
            println!("memory per pod, recorded: {recorded}: {growth:.0} bytes (goal: < {EACH})");
            if growth >= EACH {
                missed.push(format!("memory per pod, recorded: {recorded}"));
            }
        }
    }
    println!("medians of {ROUNDS}; goals: namespaced under 150 ms, peak under 60 MB at 10,000 pods");
    missed
}
