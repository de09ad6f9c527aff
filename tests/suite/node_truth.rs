//! The truth table: containers on a real kubelet say what they really run on, and the verdict of
//! `kubectl reload status` must agree.
//!
//! A container is *old* when what it took in at its start differs from what it would take in now. A
//! verdict of Current on an old container fails the suite; a needless Drifted and an Unknown are
//! listed with their reasons and counted.

#[path = "node_truth/absent.rs"]
mod absent;
#[path = "node_truth/afresh.rs"]
mod afresh;
#[path = "node_truth/env.rs"]
mod env;
#[path = "node_truth/files.rs"]
mod files;
#[path = "node_truth/immutable.rs"]
mod immutable;
#[path = "node_truth/init.rs"]
mod init;
#[path = "node_truth/kubelet.rs"]
mod kubelet;
#[path = "node_truth/outage.rs"]
mod outage;
#[path = "node_truth/place.rs"]
mod place;
#[path = "node_truth/restart.rs"]
mod restart;
#[path = "node_truth/scenario.rs"]
mod scenario;
#[path = "node_truth/table.rs"]
mod table;
#[path = "node_truth/truth.rs"]
mod truth;

use std::io::Write;

use anyhow::Result;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reload_tests::{Namespace, Node, NodeOptions, Webhook, with_namespace};
use tokio::sync::Semaphore;

use place::Place;
use scenario::{Pods, Scenario};
use table::Table;

/// Scenarios that act at the same time. Those that wait for a time to come do not count.
const AT_ONCE: usize = 6;

/// There are 104: with fewer than this, some of them vanished. To be raised with their number.
const AT_LEAST: usize = 100;

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn no_container_on_an_old_configuration_is_said_to_be_current() -> Result<()> {
    // Not the shared one: its kubelet is stopped.
    let node = Node::start(NodeOptions::default()).await?;
    let mut table = Table::default();
    with_namespace(node.cluster(), "recorded", async |recorded| {
        let _webhook = recorded.webhook().await?;
        with_namespace(node.cluster(), "outage", async |outage| {
            // Installed and down: the API server calls it in vain.
            let _down = Webhook::install(node.cluster(), outage.webhook_options()).await?;
            let gate = Semaphore::new(AT_ONCE);
            let run = async |scenario: Scenario| run(&node, &recorded, &outage, &gate, scenario).await;
            // Those that wait longest come first.
            let all = [
                restart::scenarios(),
                outage::scenarios(),
                files::scenarios(),
                init::scenarios(),
                absent::scenarios(),
                immutable::scenarios(),
                env::scenarios(),
            ];
            let mut running: FuturesUnordered<_> = all.into_iter().flatten().map(&run).collect();
            while let Some((name, row)) = running.next().await {
                table.add(name, row);
            }
            // One after the other: all the node stands still meanwhile.
            for scenario in kubelet::scenarios() {
                let (name, row) = run(scenario).await;
                table.add(name, row);
            }
            Ok(())
        })
        .await
    })
    .await?;
    node.stop().await?;
    // Not by println, which the test harness keeps to itself when all went well.
    writeln!(std::io::stdout(), "\n{table}")?;
    table.check(AT_LEAST)
}

async fn run(
    node: &Node,
    recorded: &Namespace<'_>,
    outage: &Namespace<'_>,
    gate: &Semaphore,
    scenario: Scenario,
) -> (&'static str, Result<table::Row>) {
    let namespace = match scenario.pods {
        Pods::Recorded => recorded,
        Pods::Unrecorded => outage,
    };
    let place = Place::new(node, namespace.clone(), recorded.clone(), gate, scenario.name);
    (scenario.name, scenario.run(&place).await)
}
