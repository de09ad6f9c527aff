//! One run of the plugin's release build.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reload_tests::Cluster;

/// What came of it.
pub(crate) struct Run {
    pub(crate) time: Duration,
    pub(crate) stdout: String,
}

impl Run {
    /// Runs it to its end.
    pub(crate) async fn of(cluster: &Cluster, arguments: &[&str]) -> Result<Self> {
        let mut command = command(cluster, arguments)?;
        tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            let output = command.output()?;
            let time = start.elapsed();
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(Self { time, stdout: String::from_utf8(output.stdout)? })
        })
        .await?
    }

    /// The most memory that it holds, in bytes.
    pub(crate) async fn peak(cluster: &Cluster, arguments: &[&str]) -> Result<u64> {
        let mut command = command(cluster, arguments)?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        tokio::task::spawn_blocking(move || {
            let mut child = command.spawn()?;
            let status = format!("/proc/{}/status", child.id());
            let mut peak = 0;
            while child.try_wait()?.is_none() {
                peak = peak.max(high_water_mark(&status).unwrap_or_default());
                std::thread::sleep(Duration::from_millis(1));
            }
            ensure!(peak > 0, "{status} was never there");
            Ok(peak)
        })
        .await?
    }

    /// Whether all pods were judged, and as they should be.
    pub(crate) fn judged(&self, pods: usize, recorded: bool) -> bool {
        let current = if recorded { " current." } else { "judged by times" };
        self.stdout.contains(current) && pods > 0
    }
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn command(cluster: &Cluster, arguments: &[&str]) -> Result<Command> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")));
    let binary = target.join("release/kubectl-reload");
    ensure!(binary.exists(), "no {}: run cargo build --release -p kubectl-reload", binary.display());
    let mut command = Command::new(binary);
    command.args(arguments).env("KUBECONFIG", cluster.kubeconfig());
    Ok(command)
}

fn high_water_mark(status: &str) -> Result<u64> {
    let status = std::fs::read_to_string(status)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
