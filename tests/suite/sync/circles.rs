//! Drift that a restart does not end.

use anyhow::{Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Namespace, Source, Workload, eventually, with_namespace};
use serde_json::json;

use super::{WHILE, custom, pod_of};

#[tokio::test]
async fn a_workload_that_writes_its_own_source_is_restarted_once_and_then_told() -> Result<()> {
    told_after_once("own-writer", &["sync"]).await
}

#[tokio::test]
async fn one_whose_pods_are_evicted_is_evicted_once_and_then_told() -> Result<()> {
    told_after_once("own-writer-evicted", &["sync", "--strategy", "evict"]).await
}

#[tokio::test]
async fn a_second_edit_right_after_a_restart_is_restarted_for_as_well() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "edited-twice", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        ns.deploy([Workload::deployment("web").env_from(Source::config_map("settings"))]).await?;
        for (value, strategy) in [("2", "restart"), ("3", "restart"), ("4", "evict"), ("5", "evict")] {
            ns.apply([config_map("settings", &[("a", value)])]).await?;
            let synced = ns.reload(&["sync", "--strategy", strategy]).await?.success()?;
            ensure!(synced.stdout.contains("deployment/web in"), "{synced}");
            ensure!(ns.status().await?.drifted().is_empty(), "{value} by {strategy}");
            ns.rolled_out("deployment/web").await?;
        }
        Ok(())
    })
    .await
}

/// Another value of the source, by that field manager.
async fn write(ns: &Namespace<'_>, value: &str, manager: &str) -> Result<()> {
    let patch = json!({"data": {"a": value}}).to_string();
    let patch = ["patch", "configmap", "settings", "--field-manager", manager, "-p", &patch];
    ns.kubectl().run(&patch).await.map(drop)
}

async fn told_after_once(namespace: &str, sync: &[&str]) -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, namespace, async |ns| {
        let _webhook = ns.webhook().await?;
        let write = async |value: &str, manager: &str| write(&ns, value, manager).await;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        ns.deploy([Workload::deployment("web").env_from(Source::config_map("settings"))]).await?;
        write("2", "kubectl-patch").await?;
        let synced = ns.reload(sync).await?.success()?;
        ensure!(synced.stdout.contains("deployment/web in"), "{synced}");

        // As its new pods do.
        ns.rolled_out("deployment/web").await?;
        write("3", "web").await?;
        let before = ns.pod_uids("deployment/web").await?;
        let refused = ns.reload(sync).await?;
        ensure!(refused.code == 1 && refused.stdout.contains("as by the workload itself"), "{refused}");
        assert_eq!(ns.pod_uids("deployment/web").await?, before);
        assert_eq!(ns.status().await?.drifted(), ["deployment/web"], "it is told all the same");

        ns.reload(&[sync, &["--again"]].concat()).await?.success()?;
        ensure!(ns.status().await?.drifted().is_empty(), "--again restarts it");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_a_controller_of_others_owns_is_evicted_once_too() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "own-writer-custom", async |ns| {
        let _webhook = ns.webhook().await?;
        let write = async |value: &str, manager: &str| write(&ns, value, manager).await;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        let owner = custom(&ns, "Flock", "geese").await?;
        ns.apply([pod_of(&owner)]).await?;
        ns.started("custom").await?;
        write("2", "kubectl-patch").await?;
        let first = ns.pod_uids("flock/custom").await?;
        let evict = ["sync", "--strategy", "evict"];
        let replace = eventually("it is evicted, and replaced", WHILE, async || {
            ns.apply([pod_of(&owner)]).await?;
            let now = ns.pod_uids("flock/custom").await?;
            ensure!(now.len() == 1 && now.is_disjoint(&first), "{now:?}");
            Ok(now)
        });
        let (synced, second) = tokio::join!(ns.reload(&evict), replace);
        let (synced, second) = (synced?.success()?, second?);
        ensure!(
            synced.stdout.contains("flock.example.com/geese in own-writer-custom got new pods"),
            "{synced}"
        );

        ns.started("custom").await?;
        write("3", "goose").await?;
        let refused = ns.reload(&evict).await?;
        ensure!(refused.code == 1 && refused.stdout.contains("as by the workload itself"), "{refused}");
        assert_eq!(ns.pod_uids("flock/custom").await?, second);
        Ok(())
    })
    .await
}
