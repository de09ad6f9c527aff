//! Drift that a restart does not end.

use anyhow::{Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Source, Workload, with_namespace};
use serde_json::json;

#[tokio::test]
async fn a_workload_that_writes_its_own_source_is_restarted_once_and_then_told() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "own-writer", async |ns| {
        let _webhook = ns.webhook().await?;
        let write = async |value: &str| {
            let patch = json!({"data": {"a": value}}).to_string();
            ns.kubectl().run(&["patch", "configmap", "settings", "-p", &patch]).await
        };
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        ns.deploy([Workload::deployment("web").env_from(Source::config_map("settings"))]).await?;
        write("2").await?;
        let sync = ns.reload(&["sync"]).await?.success()?;
        ensure!(sync.stdout.contains("deployment/web in"), "{sync}");

        // As its new pods do.
        ns.rolled_out("deployment/web").await?;
        write("3").await?;
        let before = ns.pod_uids("deployment/web").await?;
        let sync = ns.reload(&["sync"]).await?;
        ensure!(sync.code == 1 && sync.stdout.contains("as by the workload itself"), "{sync}");
        assert_eq!(ns.pod_uids("deployment/web").await?, before);
        assert_eq!(ns.status().await?.drifted(), ["deployment/web"], "it is told all the same");

        ns.reload(&["sync", "--again"]).await?.success()?;
        ensure!(ns.status().await?.drifted().is_empty(), "--again restarts it");
        Ok(())
    })
    .await
}
