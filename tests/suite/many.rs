//! Thousands of workloads on a real control plane: each is told, and what is restarted is what drifted.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, PostParams};
use kube::core::PartialObjectMeta;
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, ClusterOptions, Namespace, Source, Workload, eventually};
use serde_json::Value;

const WORKLOADS: usize = 5000;
/// Of so many, one is a Deployment; the others are pods, which take controllers no time.
const DEPLOYMENT_OF: usize = 5;
/// ConfigMaps, each of which some twenty of the workloads use.
const SOURCES: usize = 249;
/// Requests under way at once.
const PARALLEL: usize = 32;
/// How long all of them may take to run on a slow machine.
const LIMIT: Duration = Duration::from_secs(900);

#[tokio::test]
async fn of_five_thousand_workloads_those_that_drifted_are_told_and_restarted_alone() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::of_pods(WORKLOADS)).await?;
    // It goes with its cluster: to empty it first would take as long as to fill it.
    let ns = Namespace::create(&cluster, "many").await?;
    let webhook = ns.webhook().await?;
    ns.apply((0..SOURCES).map(|i| settings(i, "1"))).await?;
    deploy(&ns).await?;

    let status = ns.status().await?;
    for i in 0..WORKLOADS {
        assert_eq!(status.verdict(&workload(i))?, "Current recorded", "{i}");
    }

    let users = (0..WORKLOADS).filter(|i| i % SOURCES == 7);
    for i in users.clone() {
        ns.started(&format!("web-{i}")).await?;
    }
    ns.apply([settings(7, "2")]).await?;
    let deployments: BTreeSet<String> = users.clone().filter(|i| is_deployment(*i)).map(workload).collect();
    let users: BTreeSet<String> = users.map(workload).collect();
    assert_eq!(ns.status().await?.drifted().into_iter().collect::<BTreeSet<_>>(), strs(&users));
    let used_by = ns.reload(&["used-by", "configmap/settings-7", "-o", "name"]).await?.success()?;
    assert_eq!(used_by.stdout.lines().count(), users.len(), "{used_by}");

    let before = pods(&ns).await?;
    // Each is judged again among all the others, right before it is restarted.
    let kubectl = ns.kubectl_with_webhook().limit(LIMIT);
    let sync = kubectl.reload(&["sync", "deployments", "--yes", "--max-parallel", "20"]).await?.success()?;
    assert_eq!(sync.stdout.matches(" restarted (").count(), deployments.len(), "{sync}");
    let after = pods(&ns).await?;
    let gone: BTreeSet<&str> = before.difference(&after).map(|(workload, _)| workload.as_str()).collect();
    assert_eq!(gone, strs(&deployments));

    for restarted in &deployments {
        ns.rolled_out(restarted).await?;
    }
    ns.apply((0..SOURCES).map(|i| settings(i, "3"))).await?;
    let table = ns.reload(&["status"]).await?.success()?;
    assert_eq!(table.stdout.lines().filter(|line| line.contains("/web-")).count(), WORKLOADS);
    ensure!(table.stdout.contains("5000 workloads: 5000 on old configuration."), "no summary");
    drop(webhook);
    cluster.stop().await
}

fn is_deployment(i: usize) -> bool {
    i.is_multiple_of(DEPLOYMENT_OF)
}

fn workload(i: usize) -> String {
    let kind = if is_deployment(i) { "deployment" } else { "pod" };
    format!("{kind}/web-{i}")
}

fn settings(i: usize, level: &str) -> Value {
    config_map(&format!("settings-{i}"), &[("LOG_LEVEL", level)])
}

/// Makes all workloads, and waits until they run.
async fn deploy(ns: &Namespace<'_>) -> Result<()> {
    let (deployments, pods): (Api<Deployment>, Api<Pod>) = (ns.api(), ns.api());
    let create = async |i: usize| -> Result<()> {
        let source = format!("settings-{}", i % SOURCES);
        let workload = Workload::deployment(&format!("web-{i}")).env_from(Source::config_map(&source));
        let mut manifest = workload.manifest();
        if is_deployment(i) {
            deployments.create(&PostParams::default(), &serde_json::from_value(manifest)?).await?;
        } else {
            let mut pod = manifest["spec"]["template"].take();
            pod["metadata"]["name"] = manifest["metadata"]["name"].take();
            pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
        }
        Ok(())
    };
    let created = futures::stream::iter((0..WORKLOADS).map(create)).buffer_unordered(PARALLEL);
    created.try_collect::<()>().await?;
    // One after the other: a list of all, again and again, would be most of the work.
    for i in 0..WORKLOADS {
        let name = format!("web-{i}");
        eventually("it runs", LIMIT, async || {
            let ready = if is_deployment(i) {
                let status = deployments.get(&name).await?.status;
                status.is_some_and(|status| status.ready_replicas == Some(1))
            } else {
                let status = pods.get(&name).await?.status;
                status.is_some_and(|status| status.phase.as_deref() == Some("Running"))
            };
            ensure!(ready, "{name} does not");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

fn strs(all: &BTreeSet<String>) -> BTreeSet<&str> {
    all.iter().map(String::as_str).collect()
}

/// The workload and uid of each pod that runs.
async fn pods(ns: &Namespace<'_>) -> Result<BTreeSet<(String, String)>> {
    let pods: Api<Pod> = ns.api();
    let pods = pods.list_metadata(&ListParams::default()).await?.items;
    let live = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let of = |pod: PartialObjectMeta<Pod>| {
        let kind = if pod.metadata.owner_references.is_some() { "deployment" } else { "pod" };
        let app = pod.metadata.labels?.remove("app")?;
        Some((format!("{kind}/{app}"), pod.metadata.uid?))
    };
    Ok(live.filter_map(of).collect())
}
