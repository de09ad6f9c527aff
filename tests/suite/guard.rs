//! Nothing is left behind, however a process ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reload_tests::process::{Process, Streams};
use reload_tests::{Cluster, ClusterOptions, eventually};

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_killed_process_leaves_no_cluster_and_no_child() -> Result<()> {
    let folder = folder("killed");
    let mut holder = Command::new(env!("CARGO_BIN_EXE_hold")).arg(&folder).stdout(Stdio::piped()).spawn()?;
    let stdout = holder.stdout.take().context("no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    assert_eq!(line, "held\n");
    // etcd, API server, controller manager, scheduler, kwok; the child, its child; two guardians.
    let alive = processes_that_name(&folder)?;
    ensure!(alive.len() > 9, "{alive:#?}");

    holder.kill()?; // SIGKILL
    holder.wait()?;
    gone(&folder).await
}

#[tokio::test]
async fn a_process_killed_while_its_cluster_starts_leaves_nothing() -> Result<()> {
    let folder = folder("early");
    let mut holder = Command::new(env!("CARGO_BIN_EXE_hold")).arg(&folder).spawn()?;
    eventually("etcd has started", LIMIT, async || {
        let alive = processes_that_name(&folder)?;
        ensure!(alive.iter().any(|line| line.contains("/bin/etcd")), "{alive:#?}");
        Ok(())
    })
    .await?;
    holder.kill()?;
    holder.wait()?;
    gone(&folder).await
}

#[tokio::test]
async fn a_stopped_cluster_leaves_nothing() -> Result<()> {
    let folder = folder("stopped");
    let cluster = Cluster::start(options(&folder)).await?;
    cluster.stop().await?;
    gone(&folder).await
}

#[tokio::test]
async fn a_kept_cluster_lives_until_it_is_reopened_and_stopped() -> Result<()> {
    let folder = folder("kept");
    let cluster = Cluster::start(options(&folder)).await?;
    let log = folder.join("process.log");
    let process = Process::spawn(Command::new("tail").arg("-f").arg(&log), &Streams::into_file(&log)).await?;
    let marker = cluster.keep().await?;
    process.keep(&marker)?;
    drop((cluster, process));

    let cluster = Cluster::reopen(&folder).await?;
    cluster.kubectl().run(&["get", "nodes"]).await?;
    let alive = processes_that_name(&log)?;
    ensure!(!alive.is_empty(), "the kept process has ended");
    cluster.stop().await?;
    gone(&folder).await
}

#[tokio::test]
async fn exit_codes_and_streams_come_through() -> Result<()> {
    let log = folder("streams.log");
    let run = async |script: &str| {
        Process::spawn(Command::new("/bin/sh").args(["-c", script]), &Streams::into_file(&log)).await
    };
    let process = run("echo out; echo err >&2; exit 3").await?;
    assert_eq!(process.wait(LIMIT).await?, 3);
    assert_eq!(std::fs::read_to_string(&log)?, "out\nerr\n");

    let process = run("sleep 1000").await?;
    assert_eq!(process.exit_code(), None);
    assert_eq!(process.stop(LIMIT).await?, 128 + 15);

    // SIGTERM reaches the process, which may answer as it likes.
    let process = run("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done").await?;
    eventually("its trap is set", LIMIT, async || {
        ensure!(std::fs::read_to_string(&log)?.contains("ready"), "not yet");
        Ok(())
    })
    .await?;
    assert_eq!(process.stop(LIMIT).await?, 5);
    std::fs::remove_file(&log)?;
    Ok(())
}

/// Names that no other run uses.
fn folder(name: &str) -> PathBuf {
    let process = std::process::id();
    std::env::temp_dir().join(format!("kubectl-reload-guard-{process}-{name}"))
}

fn options(folder: &Path) -> ClusterOptions {
    ClusterOptions { nodes: 1, folder: Some(folder.to_owned()), ..ClusterOptions::default() }
}

async fn gone(folder: &Path) -> Result<()> {
    eventually("nothing is left", LIMIT, async || {
        let alive = processes_that_name(folder)?;
        ensure!(alive.is_empty(), "{alive:#?}");
        ensure!(!folder.exists(), "{} is left", folder.display());
        Ok(())
    })
    .await
}

/// The command lines of all processes but this one that name the path.
fn processes_that_name(path: &Path) -> Result<Vec<String>> {
    let path = path.to_str().context("not UTF-8")?;
    let mut lines = Vec::new();
    if let Ok(processes) = std::fs::read_dir("/proc") {
        for process in processes.flatten() {
            // Not every entry is a process, and a process may end meanwhile.
            let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            lines.push(String::from_utf8_lossy(&arguments).replace('\0', " "));
        }
    } else {
        let listed = Command::new("ps").args(["-axww", "-o", "args="]).output()?;
        lines.extend(String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned));
    }
    lines.retain(|line| line.contains(path));
    Ok(lines)
}
