//! Ctrl-C leaves nothing half done, and says where it stopped.

use anyhow::{Result, ensure};
use reload_tests::{Cluster, Fault, FaultProxy, Namespace, Source, Workload, with_namespace};
use rustix::process::Signal;

use super::running::Running;
use super::{drifted, ready_after};

/// `restartedAt` of a Deployment's template.
async fn restarted_at(ns: &Namespace<'_>, name: &str) -> Result<Option<String>> {
    let object = ns.kubectl().json(&["deployment", name]).await?;
    let at = &object["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"];
    Ok(at.as_str().map(str::to_owned))
}

#[tokio::test]
async fn an_interrupted_sync_begins_nothing_more_and_says_where_it_stopped() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "interrupted", async |ns| {
        let _webhook = ns.webhook().await?;
        let source = Source::config_map("settings");
        let names = ["a", "b", "c"];
        ns.apply([reload_tests::manifest::config_map("settings", &[("a", "1")])]).await?;
        // They are ready, and their next rollouts take for ever.
        ns.deploy(names.map(|name| Workload::deployment(name).env_from(source))).await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        for name in names {
            ready_after(&ns, name, 300).await?;
        }
        for (signal, at, left) in [(Signal::INT, "a", 2), (Signal::TERM, "b", 1)] {
            let mut sync = Running::start(&ns, None, &["--yes"])?;
            sync.tells(&format!("deployment/{at} in interrupted: 0 of 1")).await?;
            sync.signal(signal)?;
            let sync = sync.end().await?;
            ensure!(sync.code == 130, "{sync}");
            for text in [
                &format!("deployment/{at} in interrupted restarted (configmap/settings: a changed) and not waited for"),
                &format!("kubectl rollout status deployment/{at} -n interrupted"),
                "deployment/c in interrupted not begun",
                &format!("1 restarted and not waited for; {left} not begun."),
                "To go on: kubectl reload sync --yes -n interrupted",
            ] {
                ensure!(sync.stdout.contains(text), "{text:?} is not in {sync}");
            }
            ensure!(restarted_at(&ns, at).await?.is_some(), "{at} is not restarted");
            ensure!(restarted_at(&ns, "c").await?.is_none(), "c is restarted");
            // Its rollout goes on by itself.
            ready_after(&ns, at, 0).await?;
            ns.rolled_out(&format!("deployment/{at}")).await?;
        }
        assert_eq!(ns.status().await?.drifted(), ["deployment/c"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_second_interruption_ends_at_once() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "twice", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        let proxy = FaultProxy::start(cluster).await?;
        // So it cannot know whether its restart took place, and tries to find out for a while.
        proxy.fail(Fault::Lost).await;
        let mut sync = Running::start(&ns, Some(&proxy.kubeconfig()), &[])?;
        sync.tells("The API server does not answer").await?;
        sync.signal(Signal::INT)?;
        sync.tells("Once more ends at once").await?;
        sync.signal(Signal::INT)?;
        let sync = sync.end().await?;
        ensure!(sync.code == 130 && sync.stdout.is_empty(), "{sync}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_interrupted_sync_does_not_wait_long_for_an_answer() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "once", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        let proxy = FaultProxy::start(cluster).await?;
        proxy.fail(Fault::Lost).await;
        let mut sync = Running::start(&ns, Some(&proxy.kubeconfig()), &[])?;
        sync.tells("The API server does not answer").await?;
        sync.signal(Signal::INT)?;
        let sync = sync.end().await?;
        ensure!(sync.code == 130, "{sync}");
        ensure!(sync.stdout.contains("whether it was restarted is not known"), "{sync}");
        ensure!(sync.stdout.contains("Of 1 workload: 1 failed."), "{sync}");
        Ok(())
    })
    .await
}
