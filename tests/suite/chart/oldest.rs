//! On the oldest Kubernetes that is supported, not only rendered for it. Its API server has no
//! controllers and one fake node: pods are made by hand.

use anyhow::{Context, Result, ensure};
use reload_tests::helm::{RELEASE, chart, installed_manifests, of_kind};
use reload_tests::manifest::config_map;
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, ClusterOptions, Helm, Namespace};
use serde_json::{Value, json};

use crate::cluster::{applied_twice_alike, define_custom_resources};
use crate::values::{argument, files};

const OLDEST: &str = "1.33";

const NAMESPACE: &str = "shop";

async fn start() -> Result<Cluster> {
    let options = ClusterOptions {
        name: "kubectl-reload-oldest".to_owned(),
        kubernetes: Some(OLDEST.to_owned()),
        nodes: 1,
        ..ClusterOptions::default()
    };
    let cluster = Cluster::start(options).await?;
    let version = cluster.kubectl().run(&["get", "--raw", "/version"]).await?;
    ensure!(version.contains(&format!("\"gitVersion\": \"v{OLDEST}.")), "{version}");
    Ok(cluster)
}

#[tokio::test]
async fn the_oldest_kubernetes_takes_it_however_it_is_set_and_calls_the_webhook() -> Result<()> {
    let cluster = start().await?;
    define_custom_resources(&cluster).await?;
    let helm = Helm::new(&cluster).await?;
    let kubectl = cluster.kubectl();
    // Without controllers it would never go.
    kubectl.run(&["create", "namespace", RELEASE]).await?;
    let manifests = cluster.folder().join("manifests.yaml").display().to_string();
    for file in files()? {
        let render = ["template", "--no-hooks", "--kube-version", OLDEST, &argument(&file)];
        std::fs::write(&manifests, helm.release(&render, RELEASE, &[]).await?)?;
        applied_twice_alike(&cluster, &manifests).await.with_context(|| format!("{file:?}"))?;
        kubectl.run(&["delete", "-f", &manifests]).await?;
    }
    let install = chart().join("../install.yaml").display().to_string();
    applied_twice_alike(&cluster, &install).await?;
    let conditions = |registration: &Value| registration["webhooks"][0]["matchConditions"].clone();
    let wanted = conditions(&of_kind(&installed_manifests()?, "MutatingWebhookConfiguration")?);
    let has = kubectl.json(&["mutatingwebhookconfiguration", "zz-kubectl-reload"]).await?;
    ensure!(wanted.is_array() && conditions(&has) == wanted, "{has}");
    // No pod of it runs here.
    kubectl.run(&["delete", "mutatingwebhookconfiguration", "zz-kubectl-reload"]).await?;
    records(&cluster).await
}

/// A pod that uses a source is recorded, another is not sent at all, and a change is found.
async fn records(cluster: &Cluster) -> Result<()> {
    cluster.kubectl().run(&["create", "namespace", NAMESPACE]).await?;
    let shop = Namespace::existing(cluster, NAMESPACE).await?;
    shop.kubectl().run(&["create", "serviceaccount", "default"]).await?;
    let webhook = shop.webhook().await?;
    shop.apply([config_map("settings", &[("LOG_LEVEL", "info")])]).await?;
    let reviews = async || -> Result<f64> {
        Ok(webhook.metrics().await?.sum("kubectl_reload_webhook_reviews_total", &[]))
    };
    let before = reviews().await?;
    let from = json!([{"configMapRef": {"name": "settings"}}]);
    shop.apply([pod("recorded", from), pod("plain", json!([]))]).await?;
    assert_eq!(reviews().await? - before, 1.0, "matchConditions do not tell the pods apart");
    let annotation = async |name: &str| -> Result<Value> {
        Ok(shop.kubectl().json(&["pod", name]).await?["metadata"]["annotations"][RECORD].clone())
    };
    let record = annotation("recorded").await?;
    ensure!(record.as_str().is_some_and(|record| record.contains("settings")), "{record}");
    ensure!(annotation("plain").await?.is_null());

    shop.started("shop").await?;
    change(&shop, "debug").await?;
    assert_eq!(shop.status().await?.verdict("pod/recorded")?, "Drifted recorded", "{record}");
    change(&shop, "info").await?;
    let status = shop.status().await?;
    assert_eq!(status.verdict("pod/recorded")?, "Current recorded", "{record}");
    assert_eq!(status.verdict("pod/plain")?, "Current recorded");
    webhook.uninstall().await
}

async fn change(shop: &Namespace<'_>, level: &str) -> Result<()> {
    let patch = format!("{{\"data\":{{\"LOG_LEVEL\":\"{level}\"}}}}");
    shop.kubectl().run(&["patch", "configmap", "settings", "-p", &patch]).await.map(drop)
}

fn pod(name: &str, env_from: Value) -> Value {
    let metadata = json!({"name": name, "labels": {"app": "shop"}});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {
        "nodeName": "node-000000",
        "containers": [{"name": "app", "image": "none", "envFrom": env_from}],
    }})
}
