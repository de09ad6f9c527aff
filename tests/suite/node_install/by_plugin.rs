//! Installed by `kubectl reload install`, upgraded, and taken away again.

use std::path::Path;

use anyhow::{Result, ensure};
use reload_tests::binaries::image;
use reload_tests::helm::RELEASE;
use reload_tests::listing::{as_before, listing};
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Node, NodeOptions, Output, with_namespace};

use super::{LIMIT, bundle, deploy, recording};

/// One of the commands, as long as it may take on a slow machine.
async fn reload(cluster: &Cluster, arguments: &[&str]) -> Result<Output> {
    let arguments = [arguments, &["--yes"]].concat();
    cluster.kubectl().limit(LIMIT * 3).reload(&arguments).await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn by_one_command_it_records_is_upgraded_and_is_taken_away_without_a_trace() -> Result<()> {
    let node = Node::start(NodeOptions::default()).await?;
    node.import(&image().await?).await?;
    let cluster = node.cluster();
    with_namespace(cluster, "before", async |ns| {
        deploy(&ns, "shop").await?;
        let before = listing(cluster).await?;

        let installed = reload(cluster, &["install", "--timeout=120s"]).await?.success()?;
        ensure!(installed.stdout.contains("came back with a record"), "{installed}");
        deploy(&ns, "recorded").await?;
        ns.recorded("deployment/recorded").await?;
        assert_eq!(ns.status().await?.verdict("deployment/recorded")?, "Current recorded");
        let doctor = cluster.kubectl().reload(&["doctor"]).await?.success()?;
        ensure!(doctor.stdout.contains("the webhook answers the API server"), "{doctor}");
        let again = reload(cluster, &["install", "--timeout=120s"]).await?.success()?;
        ensure!(again.stdout.starts_with("Nothing to change"), "{again}");

        // An image that is not there: the pods from before go on recording.
        let absent = ["upgrade", "--timeout=60s", "--set", "image.tag=absent,image.pullPolicy=Never"];
        let failed = reload(cluster, &absent).await?;
        ensure!(failed.code == 1, "{failed}");
        ensure!(failed.stderr.contains("ErrImageNeverPull"), "{failed}");
        recording(&ns).await?;
        reload(cluster, &["upgrade", "--timeout=120s", "--reset-values"]).await?.success()?;
        recording(&ns).await?;
        ns.kubectl().run(&["delete", "deployment", "recorded"]).await?;
        reload(cluster, &["uninstall"]).await?.success()?;
        as_before(cluster, &before, LIMIT).await?;

        // As the version before has installed it.
        let previous = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/chart/previous.yaml");
        let previous = previous.display().to_string();
        let apply = ["apply", "--server-side", "--field-manager=reload-install", "-f", &previous];
        cluster.kubectl().run(&apply).await?;
        let rolled = ["rollout", "status", "deployment", RELEASE, "-n", RELEASE, "--timeout=120s"];
        cluster.kubectl().limit(LIMIT).run(&rolled).await?;
        recording(&ns).await?;
        let own = bundle(cluster).await?;
        let upgraded = reload(cluster, &["upgrade", "--timeout=120s"]).await?.success()?;
        ensure!(upgraded.stdout.contains("deployment.apps/kubectl-reload configured"), "{upgraded}");
        ensure!(upgraded.stdout.contains("came back with a record"), "{upgraded}");
        assert_eq!(bundle(cluster).await?, own, "an upgrade has changed the CAs");
        deploy(&ns, "recorded").await?;
        ns.recorded("deployment/recorded").await?;
        assert_eq!(ns.status().await?.verdict("deployment/recorded")?, "Current recorded");
        let removed = reload(cluster, &["uninstall", "--purge"]).await?.success()?;
        ensure!(removed.stdout.contains("the record of 1 pod deleted"), "{removed}");
        let pods = ns.kubectl().json(&["pods"]).await?.to_string();
        ensure!(!pods.contains(RECORD), "a record is left");
        ns.kubectl().run(&["delete", "deployment", "recorded"]).await?;
        as_before(cluster, &before, LIMIT).await
    })
    .await?;
    node.stop().await
}
