//! All objects of a cluster by their names, to see whether something leaves a trace.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::cluster::Cluster;
use crate::wait::eventually;

/// What comes and goes by itself: nodes and controllers take Leases, all leave Events.
const FLEETING: [&str; 3] = ["events", "events.events.k8s.io", "leases.coordination.k8s.io"];

/// `Kind namespace/name` of each object that can be listed, but for Events and Leases.
pub async fn listing(cluster: &Cluster) -> Result<BTreeSet<String>> {
    let kubectl = cluster.kubectl();
    let resources = kubectl.run(&["api-resources", "--verbs=list", "--no-headers", "-o", "name"]).await?;
    let resources: Vec<&str> = resources.lines().filter(|resource| !FLEETING.contains(resource)).collect();
    let names = "jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}";
    let list = kubectl.run(&["get", &resources.join(","), "-A", "-o", names]).await?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// What is in the one and not in the other: `+` for what is new, `-` for what is gone.
pub fn difference(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<String> {
    let new = after.difference(before).map(|object| format!("+{object}"));
    new.chain(before.difference(after).map(|object| format!("-{object}"))).collect()
}

/// Waits until the cluster holds what it held before.
pub async fn as_before(cluster: &Cluster, before: &BTreeSet<String>, within: Duration) -> Result<()> {
    eventually("the cluster is as it was", within, async || {
        let left = difference(before, &listing(cluster).await?);
        ensure!(left.is_empty(), "{left:#?}");
        Ok(())
    })
    .await
}
