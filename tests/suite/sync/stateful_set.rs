//! StatefulSets: a partition keeps pods from a restart, and so does a broken pod.

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use reload_tests::{Cluster, Namespace, Source, Workload, eventually, with_namespace};
use serde_json::json;

use super::{WHILE, drifted};

async fn uid(ns: &Namespace<'_>, pod: &str) -> Result<String> {
    ns.api::<Pod>().get(pod).await?.metadata.uid.context("no uid")
}

#[tokio::test]
async fn what_a_partition_lets_roll_is_restarted_once_and_the_rest_told() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "partition", async |ns| {
        let _webhook = ns.webhook().await?;
        let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        let set = Workload::stateful_set("db").replicas(3).env_from(Source::config_map("settings"));
        drifted(&ns, [set.with("/spec", "updateStrategy", partition)]).await?;
        let explained = ns.reload(&["explain", "statefulset/db"]).await?.success()?;
        ensure!(
            explained.stdout.contains("A restart would replace 1 of its 3 pods by a new one")
                && explained.stdout.contains("its pods below partition 2 keep their revision"),
            "{explained}"
        );
        let before = [uid(&ns, "db-0").await?, uid(&ns, "db-1").await?, uid(&ns, "db-2").await?];
        for mode in ["--dry-run=client", "--dry-run=server"] {
            let tried = ns.reload(&["sync", mode]).await?;
            ensure!(tried.code == 1 && tried.stdout.contains("1 would be restarted in part"), "{tried}");
        }
        let sync = ns.reload(&["sync"]).await?;
        ensure!(sync.code == 1, "{sync}");
        for text in ["in part: its pods below partition 2 keep their revision", "1 restarted in part."] {
            ensure!(sync.stdout.contains(text), "{text:?} is not in {sync}");
        }
        let after = [uid(&ns, "db-0").await?, uid(&ns, "db-1").await?, uid(&ns, "db-2").await?];
        assert_eq!(before[..2], after[..2]);
        assert_ne!(before[2], after[2]);
        let status = ns.status().await?;
        assert_eq!(status.drifted(), ["statefulset/db"]);
        assert_eq!(status.pods("statefulset/db")?, "2/3");

        let again = ns.reload(&["sync"]).await?;
        ensure!(again.code == 1, "{again}");
        ensure!(again.stdout.contains("a restart would not roll: its pods below partition 2"), "{again}");
        assert_eq!(uid(&ns, "db-2").await?, after[2], "in circles");
        let explained = ns.reload(&["explain", "statefulset/db"]).await?.success()?;
        ensure!(
            explained.stdout.contains("A restart would not roll: its pods below partition 2"),
            "{explained}"
        );

        ns.reload(&["sync", "--strategy", "evict"]).await?.success()?;
        ensure!(ns.status().await?.drifted().is_empty(), "eviction replaces the others");
        assert_eq!(uid(&ns, "db-2").await?, after[2]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_a_partition_keeps_is_told_where_nobody_waits_too() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "partition-unwaited", async |ns| {
        let _webhook = ns.webhook().await?;
        let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        let set = Workload::stateful_set("db").replicas(2).env_from(Source::config_map("settings"));
        drifted(&ns, [set.with("/spec", "updateStrategy", partition)]).await?;
        let begun = ns.reload(&["sync", "--wait=false"]).await?;
        ensure!(begun.code == 1, "{begun}");
        ensure!(begun.stdout.contains("in part: its pods below partition 1 keep their revision"), "{begun}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_broken_pod_that_a_restart_would_not_get_past_is_named_and_evicted_first() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "broken", async |ns| {
        let _webhook = ns.webhook().await?;
        let set = Workload::stateful_set("db").replicas(2).env_from(Source::config_map("settings"));
        drifted(&ns, [set]).await?;
        break_pod(&ns, "db-0").await?;
        eventually("its controller sees it", WHILE, async || {
            let ready = ns.kubectl().json(&["statefulset", "db"]).await?["status"]["readyReplicas"].clone();
            ensure!(ready == 1, "{ready} are ready");
            Ok(())
        })
        .await?;
        let before = ns.pod_uids("statefulset/db").await?;
        let sync = ns.reload(&["sync"]).await?;
        ensure!(sync.code == 1, "{sync}");
        for text in ["its pod db-0 has not been ready for 5m", "delete that pod", "--strategy evict"] {
            ensure!(sync.stdout.contains(text), "{text:?} is not in {sync}");
        }
        assert_eq!(ns.pod_uids("statefulset/db").await?, before);
        let explained = ns.reload(&["explain", "statefulset/db"]).await?.success()?;
        ensure!(explained.stdout.contains("A restart would not roll: its pod db-0"), "{explained}");

        ns.reload(&["sync", "--strategy", "evict"]).await?.success()?;
        ensure!(ns.pod_uids("statefulset/db").await?.is_disjoint(&before), "an old pod is left");
        ensure!(ns.status().await?.drifted().is_empty());
        Ok(())
    })
    .await
}

/// From now on a pod has not been ready for five minutes; nobody makes it ready again.
async fn break_pod(ns: &Namespace<'_>, pod: &str) -> Result<()> {
    let since = Timestamp::now() - SignedDuration::from_secs(300);
    let condition = json!({"type": "Ready", "status": "False", "reason": "Broken",
        "lastTransitionTime": Timestamp::from_second(since.as_second())?.to_string()});
    let patch = json!({"status": {"conditions": [condition]}});
    ns.api::<Pod>().patch_status(pod, &PatchParams::default(), &Patch::Strategic(&patch)).await?;
    Ok(())
}
