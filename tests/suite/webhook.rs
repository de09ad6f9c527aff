//! The webhook as a process: it records while it runs, and nobody waits for it while it does not.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kube::ResourceExt;
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Namespace, Source, Webhook, Workload, with_namespace};
use serde_json::json;

const VALUE: &str = "correct-horse-battery-staple";

#[tokio::test]
async fn pods_are_recorded_while_it_runs_and_made_at_once_while_it_does_not() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "outage", async |ns| {
        let mut webhook = ns.webhook().await?;
        ns.apply([secret("login", &[("password", VALUE)])]).await?;
        ns.deploy([shop("before")]).await?;
        ensure!(recorded(&ns, "before").await?, "no record");

        webhook.kill().await;
        let start = Instant::now();
        ns.deploy([shop("meanwhile")]).await?;
        ensure!(!recorded(&ns, "meanwhile").await?, "a record");
        let took = start.elapsed();
        ensure!(took < Duration::from_secs(30), "it took {took:?}");

        webhook.restart().await?;
        ns.deploy([shop("after")]).await?;
        ensure!(recorded(&ns, "after").await?, "no record");
        webhook.stop().await?;
        ensure!(!webhook.log().contains(VALUE), "the log holds a value");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_that_is_installed_and_not_started_records_nothing() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "idle", async |ns| {
        ns.apply([config_map("settings", &[("colour", "red")])]).await?;
        let mut webhook = Webhook::install(cluster, ns.webhook_options()).await?;
        let workload = Workload::deployment("shop");
        ns.deploy([workload.env("COLOUR", Source::config_map("settings"), "colour")]).await?;
        ensure!(!recorded(&ns, "shop").await?, "a record");
        webhook.restart().await?;
        let metrics = webhook.get("/metrics").await?;
        ensure!(metrics.contains("# TYPE"), "{metrics}");
        webhook.uninstall().await
    })
    .await
}

#[tokio::test]
async fn only_pods_that_use_a_source_reach_it() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "conditions", async |ns| {
        let webhook = ns.webhook().await?;
        let source = Source::config_map("settings").optional();
        let pod = "/spec/template/spec";
        let projected = json!([{"name": "p", "projected": {"sources": [{"secret": {"name": "s", "optional": true}}]}}]);
        let mounts = json!([{"name": "p", "mountPath": "/p"}]);
        let init = json!([{"name": "i", "image": "none", "envFrom": [{"configMapRef": {"name": "settings", "optional": true}}]}]);
        let users = [
            Workload::deployment("env").env("C", source, "colour"),
            Workload::deployment("env-from").env_from(source),
            Workload::deployment("directory").directory("/d", source),
            Workload::deployment("projected")
                .with(pod, "volumes", projected)
                .with("/spec/template/spec/containers/0", "volumeMounts", mounts),
            Workload::deployment("init").with(pod, "initContainers", init),
            Workload::deployment("extra").annotation("kubectl-reload.dev/extra", "configmap/settings"),
            Workload::deployment("brings-a-record").annotation(RECORD, "forged"),
        ];
        let before = reviews(&webhook).await?;
        ns.deploy(users).await?;
        ensure!(reviews(&webhook).await? == before + 7, "{} to {}", before, reviews(&webhook).await?);
        for name in ["env", "env-from", "directory", "projected", "init", "extra", "brings-a-record"] {
            ensure!(recorded(&ns, name).await?, "{name} has no record");
        }

        let before = reviews(&webhook).await?;
        let plain = Workload::deployment("plain").with("/spec/template/spec/containers/0", "env", json!([{"name": "A", "value": "b"}]));
        let scratch = Workload::deployment("scratch").with(pod, "volumes", json!([{"name": "v", "emptyDir": {}}]));
        ns.deploy([plain, scratch]).await?;
        ensure!(!recorded(&ns, "plain").await? && !recorded(&ns, "scratch").await?, "a record of nothing");
        // As a kubelet shows a static pod, which the API server cannot change any more.
        let from = json!([{"configMapRef": {"name": "settings", "optional": true}}]);
        let mirror = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "mirror", "annotations": {"kubernetes.io/config.mirror": "0123456789abcdef"}},
            "spec": {
                "nodeName": "node-000000",
                "containers": [{"name": "c", "image": "none", "envFrom": from}],
            },
        });
        ns.apply([mirror]).await?;
        assert_eq!(reviews(&webhook).await?, before, "they reached the webhook");
        Ok(())
    })
    .await
}

/// How many reviews it has answered.
async fn reviews(webhook: &Webhook) -> Result<u64> {
    let metrics = webhook.get("/metrics").await?;
    let counters = metrics.lines().filter(|line| line.starts_with("kubectl_reload_webhook_reviews_total{"));
    Ok(counters.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

fn shop(name: &str) -> Workload {
    let source = Source::secret("login");
    Workload::deployment(name).env("PASSWORD", source, "password")
}

async fn recorded(ns: &Namespace<'_>, deployment: &str) -> Result<bool> {
    let pods = ns.pods(&format!("deployment/{deployment}")).await?;
    ensure!(pods.len() == 1, "{} pods", pods.len());
    Ok(pods[0].annotations().contains_key(RECORD))
}
