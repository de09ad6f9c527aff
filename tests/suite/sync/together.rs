//! What happens meanwhile: another sync, another change, new pods that never become ready.

use anyhow::{Result, ensure};
use reload_tests::{Cluster, Namespace, Source, Workload, eventually, with_namespace};
use serde_json::{Value, json};

use super::running::Running;
use super::{WHILE, drifted, ready_after};

async fn write(ns: &Namespace<'_>, value: &str) -> Result<()> {
    let patch = json!({"data": {"a": value}}).to_string();
    ns.kubectl().run(&["patch", "configmap", "settings", "-p", &patch]).await.map(drop)
}

/// The revision of a Deployment: how often its template was changed, the first time included.
async fn revision(ns: &Namespace<'_>, name: &str) -> Result<Value> {
    let object = ns.kubectl().json(&["deployment", name]).await?;
    Ok(object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone())
}

#[tokio::test]
async fn two_syncs_at_once_restart_once() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "both", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").replicas(2).env_from(Source::config_map("settings"))])
            .await?;
        ready_after(&ns, "shop", 1).await?;
        let start = || Running::start(&ns, None, &[]);
        let (first, second, third) = (start()?, start()?, start()?);
        let all = tokio::join!(first.end(), second.end(), third.end());
        let all = [all.0?.success()?, all.1?.success()?, all.2?.success()?];
        assert_eq!(revision(&ns, "shop").await?, "2", "{all:?}");
        let restarted = all.iter().filter(|sync| sync.stdout.contains(" restarted (")).count();
        assert_eq!(restarted, 1, "{all:?}");
        ensure!(ns.status().await?.drifted().is_empty());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_source_that_changes_meanwhile_is_judged_again() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "meanwhile", async |ns| {
        let _webhook = ns.webhook().await?;
        let source = Source::config_map("settings");
        drifted(&ns, ["first", "second"].map(|name| Workload::deployment(name).env_from(source))).await?;
        ready_after(&ns, "first", 300).await?;
        let mut sync = Running::start(&ns, None, &["--yes"])?;
        sync.tells("deployment/first in meanwhile: 0 of 1").await?;
        // Back to what the second one runs on: only the first one's new pods are old now.
        eventually("the new pod is there", WHILE, async || {
            let pods = ns.pods("deployment/first").await?.len();
            ensure!(pods == 2, "{pods} pods");
            Ok(())
        })
        .await?;
        ns.started("first").await?;
        write(&ns, "1").await?;
        ready_after(&ns, "first", 0).await?;
        let sync = sync.end().await?;
        ensure!(sync.code == 1, "{sync}");
        for text in [
            "deployment/first in meanwhile restarted (configmap/settings: a changed), and is on old \
             configuration again (configmap/settings: a changed)",
            "1 more not restarted; --keep-going would have gone on",
            "Of 2 workloads: 1 restarted and drifted again; 1 not begun.",
        ] {
            ensure!(sync.stdout.contains(text), "{text:?} is not in {sync}");
        }
        assert_eq!(revision(&ns, "second").await?, "1");
        assert_eq!(ns.status().await?.drifted(), ["deployment/first"]);
        ns.reload(&["sync"]).await?.success()?;
        ensure!(ns.status().await?.drifted().is_empty(), "what changed meanwhile is nobody's own");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_in_sync_when_it_is_its_turn_is_not_restarted() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "turn", async |ns| {
        let _webhook = ns.webhook().await?;
        let [one, two] = ["one", "two"].map(Source::config_map);
        ns.apply(["one", "two"].map(|name| reload_tests::manifest::config_map(name, &[("a", "1")]))).await?;
        ns.deploy([
            Workload::deployment("first").env_from(one),
            Workload::deployment("second").env_from(two),
        ])
        .await?;
        for name in ["one", "two"] {
            ns.kubectl().run(&["patch", "configmap", name, "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        }
        ready_after(&ns, "first", 300).await?;
        ready_after(&ns, "second", 300).await?;
        let mut sync = Running::start(&ns, None, &["--yes"])?;
        sync.tells(": 0 of 1").await?;
        let began_with_first = revision(&ns, "first").await? == "2";
        let (began, waits, source) =
            if began_with_first { ("first", "second", "two") } else { ("second", "first", "one") };
        ns.kubectl().run(&["patch", "configmap", source, "-p", "{\"data\":{\"a\":\"1\"}}"]).await?;
        ready_after(&ns, began, 0).await?;
        let sync = sync.end().await?.success()?;
        ensure!(sync.stdout.contains(&format!("deployment/{waits} in turn is in sync meanwhile")), "{sync}");
        ensure!(sync.stdout.contains("Of 2 workloads: 1 restarted; 1 in sync meanwhile."), "{sync}");
        assert_eq!(revision(&ns, waits).await?, "1");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn new_pods_that_never_become_ready_are_told_and_not_restarted_into_again() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "never", async |ns| {
        let _webhook = ns.webhook().await?;
        // A new pod has no place while the old one is there, which stays until the new one is ready.
        let alone = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": {"app": "shop"}}, "topologyKey": "kubernetes.io/os"}]}});
        let shop = Workload::deployment("shop").env_from(Source::config_map("settings"));
        drifted(&ns, [shop.with("/spec/template/spec", "affinity", alone)]).await?;
        let sync = ns.reload(&["sync", "--timeout", "3s"]).await?;
        ensure!(sync.code == 1, "{sync}");
        for text in [
            "deployment/shop in never failed: not healthy within 3s (0 of 1 pods",
            "kubectl rollout status deployment/shop -n never",
            "--timeout",
            "Of 1 workload: 1 failed.",
        ] {
            ensure!(sync.stdout.contains(text), "{text:?} is not in {sync}");
        }
        assert_eq!(ns.status().await?.verdict("deployment/shop")?, "Rolling recorded");
        let again = ns.reload(&["sync"]).await?.success()?;
        ensure!(again.stdout.contains("Nothing to restart; 1 already rolling"), "{again}");
        assert_eq!(revision(&ns, "shop").await?, "2", "it is restarted once");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_later_restart_by_somebody_else_is_waited_for_however_long_it_takes() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "colleague", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        ready_after(&ns, "shop", 300).await?;
        let mut sync = Running::start(&ns, None, &["--timeout", "0s"])?;
        sync.tells("deployment/shop in colleague: 0 of 1").await?;
        // In another second: else kubectl itself says that nothing would change.
        eventually("it is restarted once more", WHILE, async || {
            ns.kubectl().run(&["rollout", "restart", "deployment/shop"]).await
        })
        .await?;
        ready_after(&ns, "shop", 0).await?;
        let sync = sync.end().await?.success()?;
        ensure!(sync.stdout.contains("deployment/shop in colleague restarted"), "{sync}");
        assert_eq!(revision(&ns, "shop").await?, "3");
        Ok(())
    })
    .await
}
