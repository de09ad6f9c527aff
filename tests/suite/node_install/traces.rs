//! Installed by Helm and by the manifests, upgraded, and taken away again: nothing is left.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use reload_tests::helm::{RELEASE, chart};
use reload_tests::listing::{as_before, listing};
use reload_tests::manifest::secret;
use reload_tests::{Authority, Cluster, Helm, Node, NodeOptions, with_namespace};
use serde_json::json;

use super::{LIMIT, VALUES, bundle, deploy, install, recording};

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn each_way_to_install_records_pods_and_is_taken_away_without_a_trace() -> Result<()> {
    let node = Node::start(NodeOptions::default()).await?;
    let cluster = node.cluster();
    with_namespace(cluster, "before", async |ns| {
        deploy(&ns, "shop").await?;
        let before = listing(cluster).await?;

        install(&node).await?;
        recording(&ns).await?;
        let helm = Helm::new(cluster).await?;
        let own = bundle(cluster).await?;
        with_a_mounted_certificate(cluster, &helm).await?;
        ensure!(bundle(cluster).await? != own, "the registration trusts the webhook's own CA still");
        recording(&ns).await?;
        helm.output(&["uninstall", RELEASE, "-n", RELEASE, "--wait"]).await?.success()?;
        cluster.kubectl().run(&["delete", "namespace", RELEASE]).await?;
        as_before(cluster, &before, LIMIT).await?;

        let previous = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/chart/previous.yaml");
        let manifests = chart().join("../install.yaml").display().to_string();
        let mut bundles = BTreeSet::new();
        for file in [previous.display().to_string(), manifests.clone()] {
            cluster.kubectl().run(&["apply", "-f", &file]).await?;
            let rolled = ["rollout", "status", "deployment", RELEASE, "-n", RELEASE, "--timeout=120s"];
            cluster.kubectl().limit(LIMIT).run(&rolled).await?;
            recording(&ns).await?;
            bundles.insert(bundle(cluster).await?);
        }
        assert_eq!(bundles.len(), 1, "an upgrade has changed the CAs");
        deploy(&ns, "recorded").await?;
        ns.recorded("deployment/recorded").await?;
        let verdict = ns.status().await?.verdict("deployment/recorded")?.to_owned();
        assert_eq!(verdict, "Current recorded");
        ns.kubectl().run(&["delete", "deployment", "recorded"]).await?;
        cluster.kubectl().run(&["delete", "-f", &manifests]).await?;
        as_before(cluster, &before, LIMIT).await
    })
    .await?;
    node.stop().await
}

/// From the webhook's own certificate to one in a Secret, as cert-manager keeps it.
async fn with_a_mounted_certificate(cluster: &Cluster, helm: &Helm) -> Result<()> {
    let authority = Authority::new("another")?;
    let pair = authority.issue_for(&format!("{RELEASE}.{RELEASE}.svc"), 30)?;
    let kept = secret("served", &[("tls.crt", &pair.chain), ("tls.key", &pair.key)]);
    cluster.kubectl().namespace(RELEASE).apply(&[kept]).await?;
    let values = cluster.folder().join("values.json");
    let certificate = json!({"name": "served", "caBundle": authority.pem()});
    std::fs::write(
        &values,
        json!({"certificates": {"source": "secret", "secret": certificate}}).to_string(),
    )?;
    let values = format!("--values={}", values.display());
    // The field is in the hands of the webhook until now.
    let upgrade = ["upgrade", "--force-conflicts", "--wait", "--timeout", "120s", &values];
    helm.release(&upgrade, RELEASE, &VALUES).await.map(drop)
}
