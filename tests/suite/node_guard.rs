//! Nothing of a node is left behind, however it ends, and the host is as before.

#[path = "node_guard/traces.rs"]
mod traces;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reload_tests::{Node, NodeOptions, eventually};

use traces::{Host, Traces};

const LIMIT: Duration = Duration::from_secs(120);

/// One test: what a node must not change, others would change meanwhile.
#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn nothing_is_left_of_a_node_that_was_stopped_or_whose_process_was_killed() -> Result<()> {
    let host = Host::now()?;
    for (how, end) in [("stopped", End::Stop), ("killed", End::Kill), ("killed early", End::KillEarly)] {
        let folder = folder(how);
        let traces = run(&folder, end).await.context(how)?;
        eventually("nothing is left", LIMIT, async || traces.gone()).await.context(how)?;
        let now = Host::now()?;
        ensure!(now == host, "{how}: the host was {host:#?} and is {now:#?}");
    }
    Ok(())
}

enum End {
    Stop,
    Kill,
    /// Before the node is ready.
    KillEarly,
}

/// Runs a node in this folder, ends it, and says what it had.
async fn run(folder: &Path, end: End) -> Result<Traces> {
    if let End::Stop = end {
        let options = NodeOptions { folder: Some(folder.to_owned()), ..NodeOptions::default() };
        let node = Node::start(options).await?;
        let traces = Traces::of(folder)?;
        node.stop().await?;
        // At once: whoever stops a node may start the next.
        traces.gone()?;
        return Ok(traces);
    }
    let mut holder =
        Command::new(env!("CARGO_BIN_EXE_hold_node")).arg(folder).stdout(Stdio::piped()).spawn()?;
    let traces = if let End::Kill = end {
        let stdout = holder.stdout.take().context("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        assert_eq!(line, "held\n");
        let traces = Traces::of(folder)?;
        // The machine's and the pod's.
        ensure!(traces.networks() == 2, "{traces:?}");
        ensure!(traces.gone().is_err(), "the suite is blind");
        traces
    } else {
        eventually("containerd runs", LIMIT, async || {
            ensure!(folder.join("containerd.log").exists(), "not yet");
            Traces::of(folder)
        })
        .await?
    };
    holder.kill()?; // SIGKILL
    holder.wait()?;
    Ok(traces)
}

/// Names that no other run uses.
fn folder(name: &str) -> PathBuf {
    let process = std::process::id();
    std::env::temp_dir().join(format!("kubectl-reload-node-{process}-{}", name.replace(' ', "-")))
}
