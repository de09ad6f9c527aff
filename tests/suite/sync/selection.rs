//! What `sync` is asked to restart: what is only inferred, by source, by class.

use anyhow::{Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Namespace, Source, Workload, with_namespace};

const CHANGE: &str = "{\"data\":{\"a\":\"2\"}}";

#[tokio::test]
async fn what_is_only_inferred_is_restarted_and_counted_where_that_is_asked_for() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "inferred", async |ns| {
        // No webhook, hence no record.
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        ns.deploy([Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", CHANGE]).await?;
        assert_eq!(ns.status().await?.verdict("deployment/shop")?, "Drifted inferred");

        ns.reload(&["status", "--exit-code"]).await?.success()?;
        let counted = ns.reload(&["status", "--exit-code", "--inferred"]).await?;
        ensure!(counted.code == 1, "{counted}");

        let before = ns.pod_uids("deployment/shop").await?;
        let sync = ns.reload(&["sync"]).await?.success()?;
        ensure!(sync.stdout.contains("restarted by --inferred only"), "{sync}");
        assert_eq!(ns.pod_uids("deployment/shop").await?, before);

        let sync = ns.reload(&["sync", "--inferred"]).await?.success()?;
        ensure!(sync.stdout.contains("deployment/shop in inferred restarted"), "{sync}");
        ns.rolled_out("deployment/shop").await?;
        ensure!(ns.pod_uids("deployment/shop").await?.is_disjoint(&before), "an old pod is left");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn only_drift_from_the_sources_and_of_the_class_that_were_asked_for_is_ended() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "selection", async |ns| {
        let _webhook = ns.webhook().await?;
        let [first, second] = ["first", "second"].map(Source::config_map);
        ns.apply(["first", "second"].map(|name| config_map(name, &[("a", "1")]))).await?;
        ns.deploy([
            Workload::deployment("env").env_from(first),
            Workload::deployment("files").directory("/etc/settings", first),
            Workload::deployment("other").env_from(second),
        ])
        .await?;
        for name in ["first", "second"] {
            ns.kubectl().run(&["patch", "configmap", name, "-p", CHANGE]).await?;
        }
        let all = ["deployment/env", "deployment/files", "deployment/other"];
        assert_eq!(ns.status().await?.drifted(), all);

        let nothing = ns.reload(&["sync", "--source", "configmap/third"]).await?.success()?;
        ensure!(nothing.stdout.contains("3 on old configuration, and left out"), "{nothing}");
        let live = ["--only", "live", "--source", "configmap/first", "--source", "configmap/second"];
        assert_eq!(restarted(&ns, &live).await?, ["deployment/files"]);
        assert_eq!(ns.status().await?.drifted(), ["deployment/env", "deployment/other"]);
        assert_eq!(restarted(&ns, &["--source", "configmap/second"]).await?, ["deployment/other"]);
        assert_eq!(restarted(&ns, &["--only", "frozen"]).await?, ["deployment/env"]);
        ensure!(ns.status().await?.drifted().is_empty());
        Ok(())
    })
    .await
}

/// The workloads that sync says it has restarted.
async fn restarted(ns: &Namespace<'_>, arguments: &[&str]) -> Result<Vec<String>> {
    let sync = ns.reload(&[&["sync", "--yes"], arguments].concat()).await?.success()?;
    let lines = sync
        .stdout
        .lines()
        .filter_map(|line| line.split_once(" in ")?.1.contains("restarted").then_some(line));
    Ok(lines.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect())
}
