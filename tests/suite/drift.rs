//! The main job: drift that came about while everything of ours was down is found, and repaired
//! where it can be, and nothing else is touched.

#[path = "drift/absent.rs"]
mod absent;
#[path = "drift/immutable.rs"]
mod immutable;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::ListParams;
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Namespace, Source, Workload, eventually, with_namespace};
use serde_json::json;

const WHILE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn of_twenty_workloads_exactly_the_eight_that_drifted_are_found_and_restarted() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "twenty", async |ns| {
        let names: Vec<String> = (0..20).map(|i| format!("app-{i:02}")).collect();
        let mut webhook = ns.webhook().await?;
        ns.apply(names.iter().map(|name| config_map(name, &[("used", "1"), ("unused", "1")]))).await?;
        ns.deploy(
            names.iter().map(|name| Workload::deployment(name).env("USED", Source::config_map(name), "used")),
        )
        .await?;
        let first = revisions(&ns).await?;
        ensure!(first.values().all(|count| *count == 1), "restarted by installing: {first:?}");
        ensure!(ns.status().await?.drifted().is_empty());

        webhook.kill().await;
        for name in &names[..5] {
            change(&ns, name, "used", "2").await?;
        }
        for name in &names[5..10] {
            let value = if name.as_str() < "app-08" { "2" } else { "1" };
            ns.kubectl().run(&["delete", "configmap", name]).await?;
            ns.apply([config_map(name, &[("used", value), ("unused", "1")])]).await?;
        }
        change(&ns, "app-10", "unused", "2").await?;

        webhook.restart().await?;
        let expected: Vec<String> = names[..8].iter().map(|name| format!("deployment/{name}")).collect();
        let status = ns.status().await?;
        assert_eq!(status.drifted(), expected);
        for (workload, name) in expected.iter().zip(&names) {
            assert_eq!(status.causes(workload)?, [format!("configmap/{name} changed: ~used")]);
        }
        for name in &names[8..] {
            assert_eq!(status.verdict(&format!("deployment/{name}"))?, "Current recorded");
        }

        let needs_yes = ns.reload(&["sync"]).await?;
        ensure!(needs_yes.code == 2 && needs_yes.stderr.contains("--yes"), "{needs_yes}");
        ns.reload(&["sync", "--yes", "--max-parallel", "4"]).await?.success()?;
        let second = revisions(&ns).await?;
        for (position, name) in names.iter().enumerate() {
            assert_eq!(second[name], if position < 8 { 2 } else { 1 }, "{name}");
        }
        ensure!(ns.status().await?.drifted().is_empty());
        let again = ns.reload(&["sync", "--yes"]).await?.success()?;
        ensure!(again.stdout.contains("Nothing to restart"), "{again}");
        assert_eq!(revisions(&ns).await?, second);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_made_while_the_source_was_different_is_drifted_though_the_template_never_changed() -> Result<()>
{
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "there-and-back", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("colour", "a")])]).await?;
        let uses =
            |name| Workload::deployment(name).replicas(2).env("C", Source::config_map("settings"), "colour");
        ns.deploy([uses("shop"), uses("store")]).await?;

        change(&ns, "settings", "colour", "b").await?;
        let shop = ns.pod_uids("deployment/shop").await?;
        let one = &ns.pods("deployment/shop").await?[0];
        ns.kubectl().run(&["delete", "pod", one.metadata.name.as_deref().unwrap_or_default()]).await?;
        eventually("another pod took its place", WHILE, async || {
            let now = ns.pod_uids("deployment/shop").await?;
            ensure!(now.len() == 2 && now != shop, "{now:?}");
            Ok(())
        })
        .await?;
        ns.rolled_out("deployment/shop").await?;
        change(&ns, "settings", "colour", "a").await?;

        let status = ns.status().await?;
        assert_eq!(status.drifted(), ["deployment/shop"]);
        assert_eq!(status.pods("deployment/shop")?, "1/2");
        assert_eq!(status.causes("deployment/shop")?, ["configmap/settings changed: ~colour"]);
        assert_eq!(status.verdict("deployment/store")?, "Current recorded");

        let store = ns.pod_uids("deployment/store").await?;
        ns.reload(&["sync"]).await?.success()?;
        ensure!(ns.pod_uids("deployment/shop").await?.is_disjoint(&shop), "not restarted");
        assert_eq!(ns.pod_uids("deployment/store").await?, store);
        ensure!(ns.status().await?.drifted().is_empty());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pods_made_without_the_webhook_are_judged_by_times_and_it_is_said_so() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unrecorded", async |ns| {
        ns.apply([config_map("settings", &[("colour", "a")])]).await?;
        let uses = |name| Workload::deployment(name).env("C", Source::config_map("settings"), "colour");
        ns.deploy([uses("shop")]).await?;
        ensure!(records(&ns, "shop").await?.is_empty(), "a record without a webhook");

        // The start is known to be later than the write only once the kubelet's lag has passed.
        eventually("it is inferred to be current", WHILE, async || {
            ns.kubectl().run(&["delete", "pod", "-l", "app=shop"]).await?;
            ns.rolled_out("deployment/shop").await?;
            let verdict = ns.status().await?.verdict("deployment/shop")?;
            ensure!(verdict == "Current inferred", "{verdict}");
            Ok(())
        })
        .await?;
        let mut writes = 0;
        eventually("it is inferred to be drifted", WHILE, async || {
            writes += 1;
            change(&ns, "settings", "colour", &writes.to_string()).await?;
            let verdict = ns.status().await?.verdict("deployment/shop")?;
            ensure!(verdict == "Drifted inferred", "{verdict}");
            Ok(())
        })
        .await?;
        let shown = ns.reload(&["status", "--exit-code"]).await?.success()?;
        ensure!(shown.stdout.contains("Possibly"), "{shown}");
        let untouched = ns.reload(&["sync"]).await?.success()?;
        ensure!(untouched.stdout.contains("Nothing to restart"), "{untouched}");

        let _webhook = ns.webhook().await?;
        ns.deploy([uses("later")]).await?;
        assert_eq!(records(&ns, "later").await?.len(), 1);
        assert_eq!(ns.status().await?.verdict("deployment/later")?, "Current recorded");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn bytes_count_wherever_they_stand() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "binary", async |ns| {
        let _webhook = ns.webhook().await?;
        let source = |data: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "blob"},
                "data": {"text": "1"}, "binaryData": {"bytes": data}})
        };
        ns.apply([source("AAEC")]).await?;
        ns.deploy([
            Workload::deployment("files").directory("/etc/blob", Source::config_map("blob")),
            Workload::deployment("env").env_from(Source::config_map("blob")),
        ])
        .await?;
        ns.apply([source("AAED")]).await?;
        let status = ns.status().await?;
        assert_eq!(
            status.causes("deployment/files")?,
            ["configmap/blob changed: files updated, process not restarted: ~bytes"]
        );
        assert_eq!(status.verdict("deployment/env")?, "Current recorded", "binary data is no variable");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_record_that_a_pod_brings_along_from_another_is_not_believed() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "foreign", async |ns| {
        let mut webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("colour", "a")])]).await?;
        let uses = |name| Workload::deployment(name).env("C", Source::config_map("settings"), "colour");
        ns.deploy([uses("shop")]).await?;
        let record = records(&ns, "shop").await?.remove(0);

        webhook.stop().await?;
        ns.deploy([uses("copy").annotation(RECORD, &record)]).await?;
        assert_eq!(records(&ns, "copy").await?, std::slice::from_ref(&record));
        let status = ns.status().await?;
        assert_eq!(status.verdict("deployment/shop")?, "Current recorded");
        ensure!(status.verdict("deployment/copy")?.ends_with("inferred"), "{status:?}");
        let shown = ns.reload(&["status"]).await?.success()?;
        ensure!(shown.stderr.contains("written for a pod of another owner"), "{shown}");

        webhook.restart().await?;
        ns.kubectl().run(&["rollout", "restart", "deployment/copy"]).await?;
        ns.rolled_out("deployment/copy").await?;
        ensure!(records(&ns, "copy").await? != [record], "it was not overwritten");
        assert_eq!(ns.status().await?.verdict("deployment/copy")?, "Current recorded");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn stateful_and_daemon_sets_are_restarted_too_and_two_syncs_restart_once() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "sets", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([secret("login", &[("password", "a")])]).await?;
        let source = Source::secret("login");
        ns.deploy([
            Workload::stateful_set("store").replicas(2).env_from(source),
            Workload::daemon_set("agent").file("/etc/password", source, "password"),
            Workload::deployment("shop").replicas(2).env_from(source),
        ])
        .await?;
        ns.kubectl()
            .run(&["patch", "secret", "login", "-p", "{\"stringData\":{\"password\":\"b\"}}"])
            .await?;
        let all = ["daemonset/agent", "deployment/shop", "statefulset/store"];
        let status = ns.status().await?;
        assert_eq!(status.drifted(), all);
        for workload in all {
            assert_eq!(status.causes(workload)?, ["secret/login changed: ~password"]);
        }
        let generations = generations(&ns, &all).await?;
        let sync = ["sync", "--yes", "--max-parallel", "3"];
        let (one, two) = tokio::join!(ns.reload(&sync), ns.reload(&sync));
        let (one, two) = (one?.success()?, two?.success()?);
        for (workload, before) in generations {
            let now = generation(&ns, workload).await?;
            assert_eq!(now, before + 1, "{workload}\n{one}\n{two}");
        }
        ensure!(ns.status().await?.drifted().is_empty());
        let events =
            ns.kubectl().run(&["get", "events.events.k8s.io", "-o", "jsonpath={.items[*].note}"]).await?;
        ensure!(events.contains("Restarted for secret/login: password changed"), "{events}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn installing_restarts_nothing_and_a_touched_source_is_no_drift() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "touched", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("colour", "a")])]).await?;
        ns.deploy([Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        let before = ns.pod_uids("deployment/shop").await?;
        ns.kubectl().run(&["label", "configmap", "settings", "touched=yes"]).await?;
        assert_eq!(ns.status().await?.verdict("deployment/shop")?, "Current recorded");
        ns.reload(&["sync"]).await?.success()?;
        assert_eq!(ns.pod_uids("deployment/shop").await?, before);
        Ok(())
    })
    .await
}

async fn change(ns: &Namespace<'_>, name: &str, key: &str, value: &str) -> Result<()> {
    let patch = json!({"data": {key: value}}).to_string();
    ns.kubectl().run(&["patch", "configmap", name, "-p", &patch]).await?;
    Ok(())
}

/// How many ReplicaSets each Deployment has had.
async fn revisions(ns: &Namespace<'_>) -> Result<BTreeMap<String, usize>> {
    let mut revisions = BTreeMap::new();
    for set in ns.api::<ReplicaSet>().list(&ListParams::default()).await?.items {
        let owner = set.metadata.owner_references.into_iter().flatten().next();
        *revisions.entry(owner.map(|owner| owner.name).unwrap_or_default()).or_default() += 1;
    }
    Ok(revisions)
}

/// The records of a Deployment's pods.
async fn records(ns: &Namespace<'_>, deployment: &str) -> Result<Vec<String>> {
    let pods = ns.pods(&format!("deployment/{deployment}")).await?;
    let annotations = pods.into_iter().filter_map(|pod| pod.metadata.annotations);
    Ok(annotations.filter_map(|mut annotations| annotations.remove(RECORD)).collect())
}

async fn generations<'a>(ns: &Namespace<'_>, workloads: &[&'a str]) -> Result<Vec<(&'a str, i64)>> {
    let mut generations = Vec::new();
    for workload in workloads {
        generations.push((*workload, generation(ns, workload).await?));
    }
    Ok(generations)
}

async fn generation(ns: &Namespace<'_>, workload: &str) -> Result<i64> {
    let object = ns.kubectl().json(&[workload]).await?;
    Ok(object["metadata"]["generation"].as_i64().unwrap_or_default())
}
