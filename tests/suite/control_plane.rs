//! The control plane itself: what the other suites take for granted.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::Api;
use kube::api::ListParams;
use reload_tests::manifest::{config_map, secret};
use reload_tests::{Cluster, ClusterOptions, Source, Workload, eventually, with_namespace};

#[tokio::test]
async fn nodes_are_ready() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let nodes = Api::<Node>::all(cluster.client().await?);
    let nodes = nodes.list(&ListParams::default()).await?.items;
    assert_eq!(nodes.len(), ClusterOptions::default().nodes);
    Ok(())
}

#[tokio::test]
async fn workloads_of_every_kind_roll_out() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "kinds", async |ns| {
        ns.apply([config_map("settings", &[("colour", "red")]), secret("login", &[("password", "x")])])
            .await?;
        ns.deploy([
            Workload::deployment("shop")
                .replicas(3)
                .env("COLOUR", Source::config_map("settings"), "colour")
                .env_from(Source::secret("login")),
            Workload::stateful_set("store")
                .replicas(2)
                .directory("/etc/settings", Source::config_map("settings"))
                .file("/etc/colour", Source::config_map("settings"), "colour"),
            Workload::daemon_set("agent").file("/etc/password", Source::secret("login"), "password"),
        ])
        .await?;
        for (workload, pods) in [("deployment/shop", 3), ("statefulset/store", 2), ("daemonset/agent", 3)] {
            let pods_now = ns.pods(workload).await?;
            assert_eq!(pods_now.len(), pods, "{workload}");
            assert!(pods_now.iter().all(is_running), "{workload}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_shows_in_the_pods() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "restart", async |ns| {
        ns.deploy([Workload::deployment("shop").replicas(2)]).await?;
        let before = ns.pod_uids("deployment/shop").await?;
        ns.kubectl().run(&["rollout", "restart", "deployment/shop"]).await?;
        ns.rolled_out("deployment/shop").await?;
        let after = ns.pod_uids("deployment/shop").await?;
        ensure!(before.is_disjoint(&after), "{before:?} and {after:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn kubectl_shows_why_it_failed() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let version = cluster.kubectl().run(&["version"]).await?;
    let server = format!("Server Version: {}", cluster.binaries().version());
    assert!(version.contains(&server), "{version}");

    let error = cluster.kubectl().run(&["get", "deployment", "nowhere"]).await.unwrap_err().to_string();
    assert!(error.contains("kubectl get deployment nowhere"), "{error}");
    assert!(error.contains("NotFound"), "{error}");
    Ok(())
}

#[tokio::test]
async fn kubectl_finds_the_plugin() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let help = cluster.kubectl().reload(&["--help"]).await?.success()?;
    ensure!(help.stdout.contains("status"), "{help}");
    Ok(())
}

#[tokio::test]
async fn a_test_that_fails_leaves_no_namespace() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let failed = with_namespace(cluster, "failed", async |_| anyhow::bail!("on purpose")).await;
    assert_eq!(failed.unwrap_err().to_string(), "on purpose");

    let panics = with_namespace(cluster, "panicked", async |_| panic!("on purpose"));
    let panic = AssertUnwindSafe(panics).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));

    let namespaces = Api::<Namespace>::all(cluster.client().await?);
    eventually("both are gone", Duration::from_secs(30), async || {
        for name in ["failed", "panicked"] {
            ensure!(namespaces.get_opt(name).await?.is_none(), "{name} is left");
        }
        Ok(())
    })
    .await
}

fn is_running(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Running")
}
