//! `kubectl reload version`: of the plugin, the webhook and the cluster.

use std::path::Path;

use anyhow::{Result, ensure};
use reload_tests::{Cluster, with_namespace};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_installed_is_told_and_a_cluster_that_cannot_be_had_is_an_error() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "versions", async |ns| {
        let version = ns.reload(&["version", "--install-namespace", "versions"]).await?.success()?;
        let server = cluster.binaries().version();
        for text in ["Client Version: v", "Record Format: 1", "not installed in namespace versions", server] {
            ensure!(version.stdout.contains(text), "{text:?} is not in {version}");
        }
        let labels = json!({"app": "webhook"});
        let container = json!({"name": "webhook", "image": "registry:5000/kubectl-reload:v0.9.1"});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "any", "labels": {"app.kubernetes.io/name": "kubectl-reload"}},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"containers": [container]},
            }},
        });
        ns.apply([deployment]).await?;
        let asked = ["version", "--install-namespace", "versions", "-o"];
        let document = ns.reload(&[&asked[..], &["json"]].concat()).await?.success()?.json()?;
        assert_eq!(document["apiVersion"], "kubectl-reload.dev/v1alpha1");
        assert_eq!(document["kind"], "Version");
        assert_eq!(document["client"]["recordFormat"], 1);
        assert_eq!(document["server"]["gitVersion"], server);
        assert_eq!(document["webhook"]["version"], "0.9.1");
        let yaml = ns.reload(&[&asked[..], &["yaml"]].concat()).await?.success()?;
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml.stdout)?, document);

        let alone = ns.kubectl().kubeconfig(Path::new("/no/such/file"));
        alone.reload(&["version", "--client"]).await?.success()?;
        let unreachable = alone.reload(&["version"]).await?;
        ensure!(unreachable.code == 2, "{unreachable}");
        ensure!(unreachable.stdout.contains("Client Version"), "{unreachable}");
        ensure!(unreachable.stderr.contains("--kubeconfig"), "{unreachable}");
        Ok(())
    })
    .await
}
