//! The API server is away in the middle of a sync, or its answers are.

use std::time::Duration;

use anyhow::{Result, ensure};
use http::Method;
use reload_tests::{Cluster, Fault, FaultProxy, Namespace, Source, Workload, eventually, with_namespace};

use super::running::Running;
use super::{WHILE, drifted, ready_after};

/// How long it is away.
const OUTAGE: Duration = Duration::from_secs(10);

/// A Deployment whose next rollout takes this many seconds at least, drifted.
async fn slow(ns: &Namespace<'_>, seconds: u32) -> Result<()> {
    drifted(ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
    ready_after(ns, "shop", seconds).await
}

/// How often its template was changed since it was made.
async fn rollouts(ns: &Namespace<'_>) -> Result<usize> {
    let sets = ns.kubectl().json(&["replicasets"]).await?;
    Ok(sets["items"].as_array().map_or(0, Vec::len) - 1)
}

#[tokio::test]
async fn an_api_server_that_is_gone_for_ten_seconds_is_waited_for() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "outage", async |ns| {
        let _webhook = ns.webhook().await?;
        slow(&ns, 3).await?;
        let proxy = FaultProxy::start(cluster).await?;
        let mut sync = Running::start(&ns, Some(&proxy.kubeconfig()), &[])?;
        sync.tells("restarting").await?;
        proxy.fail(Fault::Gone).await;
        sync.tells("The API server does not answer").await?;
        tokio::time::sleep(OUTAGE).await;
        proxy.mend()?;
        let sync = sync.end().await?.success()?;
        assert_eq!(sync.stderr.matches("waiting for it").count(), 1, "{sync}");
        ensure!(sync.stderr.contains("The API server answers again"), "{sync}");
        ensure!(sync.stdout.contains("Of 1 workload: 1 restarted."), "{sync}");
        assert_eq!(rollouts(&ns).await?, 1);
        ensure!(ns.status().await?.drifted().is_empty());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_api_server_that_stays_away_is_given_up_in_time() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "away", async |ns| {
        let _webhook = ns.webhook().await?;
        slow(&ns, 300).await?;
        let proxy = FaultProxy::start(cluster).await?;
        let mut sync = Running::start(&ns, Some(&proxy.kubeconfig()), &["--timeout", "4s"])?;
        sync.tells("restarting").await?;
        proxy.fail(Fault::Gone).await;
        let sync = sync.end().await?;
        ensure!(sync.code == 1 && sync.stdout.contains("the cluster does not answer"), "{sync}");
        assert_eq!(rollouts(&ns).await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_whose_answer_was_lost_is_found_again_and_not_done_twice() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "lost", async |ns| {
        let _webhook = ns.webhook().await?;
        slow(&ns, 1).await?;
        let proxy = FaultProxy::start(cluster).await?;
        proxy.fail(Fault::Lost).await;
        let mut sync = Running::start(&ns, Some(&proxy.kubeconfig()), &[])?;
        sync.tells("The API server does not answer").await?;
        let path = "/apis/apps/v1/namespaces/lost/deployments/shop";
        eventually("it is sent again", WHILE, async || {
            let sent = proxy.times(&Method::PATCH, path).len();
            ensure!(sent > 1, "{sent}");
            Ok(())
        })
        .await?;
        proxy.mend()?;
        let sync = sync.end().await?.success()?;
        ensure!(sync.stdout.contains("deployment/shop in lost restarted (configmap/settings"), "{sync}");
        assert_eq!(rollouts(&ns).await?, 1);
        ensure!(ns.status().await?.drifted().is_empty());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_that_nobody_answers_for_is_told_as_not_known() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unknown", async |ns| {
        let _webhook = ns.webhook().await?;
        slow(&ns, 1).await?;
        let proxy = FaultProxy::start(cluster).await?;
        proxy.fail(Fault::Lost).await;
        let sync = Running::start(&ns, Some(&proxy.kubeconfig()), &["--timeout", "3s"])?.end().await?;
        ensure!(sync.code == 1 && sync.stdout.contains("whether it was restarted is not known"), "{sync}");
        proxy.mend()?;
        // As it says: another sync restarts nothing twice.
        ns.reload(&["sync"]).await?.success()?;
        assert_eq!(rollouts(&ns).await?, 1);
        Ok(())
    })
    .await
}
