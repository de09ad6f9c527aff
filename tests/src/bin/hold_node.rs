//! Starts a node with a pod in the folder that it is given, says `held`, and waits to be killed:
//! `hold_node FOLDER`. The suite of the node's guardians kills it and looks for what is left.

use std::path::PathBuf;

use anyhow::{Context, Result};
use reload_tests::manifest::secret;
use reload_tests::{Namespace, Node, NodeOptions, Source, Workload};

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: hold_node FOLDER")?;
    let options = NodeOptions { folder: Some(PathBuf::from(folder)), ..NodeOptions::default() };
    let node = Node::start(options).await?;
    let namespace = Namespace::create(node.cluster(), "held").await?;
    namespace.apply([secret("login", &[("password", "x")])]).await?;
    let shop = Workload::deployment("shop").directory("/etc/login", Source::secret("login"));
    namespace.deploy([shop.sees(&["/etc/login"])]).await?;
    println!("held");
    std::future::pending().await
}
