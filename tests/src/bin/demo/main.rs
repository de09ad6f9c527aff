//! The main job, told step by step on a real control plane: `demo up`, and `demo down` to remove
//! what it leaves running.

mod story;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use reload_tests::{Cluster, ClusterOptions};

#[tokio::main]
async fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let result = match command.as_str() {
        "up" => up().await,
        "down" => down().await,
        _ => Err(anyhow::anyhow!("{command:?} is no command: write demo up or demo down")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn up() -> Result<()> {
    let folder = folder()?;
    if folder.exists() {
        bail!("{} is there from an earlier run: remove it with make demo-down", folder.display());
    }
    println!("Starting a Kubernetes control plane with three fake nodes, in {}.", folder.display());
    let options = ClusterOptions {
        name: "kubectl-reload-demo".to_owned(),
        folder: Some(folder.clone()),
        ..ClusterOptions::default()
    };
    let cluster = Cluster::start(options).await?;
    let webhook = story::tell(&cluster).await?;
    cluster.keep().await?;
    webhook.keep()?;
    println!("{}", how_to_go_on(&folder, &cluster.kubeconfig()));
    Ok(())
}

async fn down() -> Result<()> {
    let folder = folder()?;
    if !folder.exists() {
        println!("There is no demo to remove.");
        return Ok(());
    }
    let cluster = Cluster::reopen(&folder).await.context("cannot open what the demo left")?;
    cluster.stop().await?;
    println!("The demo's cluster and webhook are gone.");
    Ok(())
}

/// Beside the build's other results, so that cleaning them removes it too.
fn folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("the demo runs outside of target/")?;
    Ok(target.join("demo"))
}

fn how_to_go_on(folder: &Path, kubeconfig: &Path) -> String {
    format!(
        "
The cluster and the webhook go on running. To play with them:

    export KUBECONFIG={kubeconfig}
    export PATH={path}:$PATH
    kubectl -n shop edit configmap web-flags
    kubectl reload status -n shop

To remove them: make demo-down",
        kubeconfig = kubeconfig.display(),
        path = folder.join("path").display(),
    )
}
