//! Starts a cluster and a process of its own in a new folder, says `held`, and waits to be killed:
//! `hold FOLDER`. The suite of guardians kills it and looks for what is left.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use reload_tests::process::{Process, Streams};
use reload_tests::{Cluster, ClusterOptions};

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: hold FOLDER")?;
    let folder = PathBuf::from(folder);
    let _cluster = Cluster::start(ClusterOptions {
        name: "held".to_owned(),
        nodes: 1,
        folder: Some(folder.clone()),
        ..ClusterOptions::default()
    })
    .await?;
    let log = folder.join("held.log");
    // A process with a child of its own; both name the folder in their arguments.
    let script = "tail -f \"$1\" & wait";
    let _process = Process::spawn(
        Command::new("/bin/sh").args(["-c", script, "held"]).arg(&log),
        &Streams::into_file(&log),
    )
    .await?;
    println!("held");
    std::future::pending().await
}
