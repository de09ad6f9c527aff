//! Eviction: pods are replaced one by one where a changed template would not roll or must not be.

use anyhow::{Result, ensure};
use reload_tests::{Cluster, Fault, FaultProxy, Namespace, Source, Workload, eventually, with_namespace};
use rustix::process::Signal;
use serde_json::json;

use super::running::Running;
use super::{WHILE, drifted};

const EVICT: [&str; 4] = ["sync", "--yes", "--strategy", "evict"];

#[tokio::test]
async fn the_drifted_pods_of_an_on_delete_set_are_replaced_and_its_template_is_not_touched() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "evict", async |ns| {
        let _webhook = ns.webhook().await?;
        let set = Workload::stateful_set("db").replicas(2).env_from(Source::config_map("settings"));
        drifted(&ns, [set.with("/spec", "updateStrategy", json!({"type": "OnDelete"}))]).await?;
        let held = ns.reload(&["sync"]).await?;
        ensure!(held.code == 1 && held.stdout.contains("--strategy evict"), "{held}");

        let before = ns.pod_uids("statefulset/db").await?;
        let generation = ns.kubectl().json(&["statefulset", "db"]).await?["metadata"]["generation"].clone();
        for dry_run in ["--dry-run=client", "--dry-run=server"] {
            ns.reload(&[&EVICT[..], &[dry_run]].concat()).await?.success()?;
            assert_eq!(ns.pod_uids("statefulset/db").await?, before, "{dry_run}");
        }
        let sync = ns.reload(&EVICT).await?.success()?;
        ensure!(sync.stdout.contains("statefulset/db in evict got new pods"), "{sync}");
        let after = ns.pod_uids("statefulset/db").await?;
        ensure!(after.len() == 2 && after.is_disjoint(&before), "{after:?}");
        ensure!(ns.status().await?.drifted().is_empty(), "it is drifted still");
        assert_eq!(ns.kubectl().json(&["statefulset", "db"]).await?["metadata"]["generation"], generation);
        let again = ns.reload(&EVICT).await?.success()?;
        assert_eq!(again.stdout, "Nothing to restart.\n");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pods_that_were_not_asked_for_are_not_evicted() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "asked", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::stateful_set("db").replicas(3).env_from(Source::config_map("settings"))])
            .await?;
        let uid =
            async |pod: &str| anyhow::Ok(ns.kubectl().json(&["pod", pod]).await?["metadata"]["uid"].clone());
        for selector in [["--field-selector", "metadata.name=db-1"], ["-l", "apps.kubernetes.io/pod-index=2"]]
        {
            let before = [uid("db-0").await?, uid("db-1").await?, uid("db-2").await?];
            let sync = ns.reload(&[&EVICT[..], &selector].concat()).await?.success()?;
            ensure!(sync.stdout.contains("statefulset/db in asked got new pods"), "{sync}");
            let after = [uid("db-0").await?, uid("db-1").await?, uid("db-2").await?];
            let replaced: Vec<usize> = (0..3).filter(|pod| before[*pod] != after[*pod]).collect();
            assert_eq!(replaced, [if selector[0] == "-l" { 2 } else { 1 }], "{selector:?}");
        }
        assert_eq!(ns.status().await?.pods("statefulset/db")?, "1/3");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_budget_that_blocks_an_eviction_is_respected_and_named() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "budget", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        ns.apply([
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "tight"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "shop"}}}}),
        ])
        .await?;
        eventually("the budget counts the pod", WHILE, async || {
            let budget = ns.kubectl().json(&["poddisruptionbudget", "tight"]).await?;
            ensure!(budget["status"]["currentHealthy"] == 1, "{budget}");
            Ok(())
        })
        .await?;
        let before = ns.pod_uids("deployment/shop").await?;
        let tried = ns.reload(&[&EVICT[..], &["--dry-run=server"]].concat()).await?;
        ensure!(tried.code == 1 && tried.stdout.contains("could not be evicted now"), "{tried}");
        ensure!(tried.stdout.contains("disruption budget tight"), "{tried}");
        let sync = ns.reload(&[&EVICT[..], &["--timeout", "2s"]].concat()).await?;
        ensure!(sync.code == 1 && sync.stdout.contains("disruption budget tight"), "{sync}");
        assert_eq!(ns.pod_uids("deployment/shop").await?, before);

        ns.kubectl().run(&["delete", "poddisruptionbudget", "tight"]).await?;
        ns.reload(&EVICT).await?.success()?;
        ensure!(ns.status().await?.drifted().is_empty(), "it is drifted still");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_replica_set_is_evicted_and_what_nobody_would_replace_is_not() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "alone", async |ns| {
        let _webhook = ns.webhook().await?;
        let source = Source::config_map("settings");
        let mut set = Workload::deployment("set").env_from(source).manifest();
        set["kind"] = json!("ReplicaSet");
        let spec = json!({"containers": set["spec"]["template"]["spec"]["containers"]});
        let bare = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": "bare", "labels": {"app": "bare"}}});
        let mut once = json!({"template": {"metadata": {"labels": {"app": "once"}}, "spec": spec}});
        once["template"]["spec"]["restartPolicy"] = json!("Never");
        let job =
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": once});
        ns.apply([reload_tests::manifest::config_map("settings", &[("a", "1")])]).await?;
        ns.apply([set, bare, job]).await?;
        let all = ["replicaset/set", "pod/bare", "job/once"];
        for workload in all {
            eventually("its pod is there", WHILE, async || {
                ensure!(ns.pods(workload).await?.len() == 1, "{workload}");
                Ok(())
            })
            .await?;
        }
        ns.started("set").await?;
        ns.started("bare").await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        let before = (ns.pod_uids("replicaset/set").await?, ns.pod_uids("pod/bare").await?);
        let sync = ns.reload(&[&EVICT[..], &["--keep-going"]].concat()).await?;
        ensure!(sync.code == 1, "{sync}");
        for text in ["replicaset/set in alone got new pods", "pod/bare in alone not restarted: no controller"]
        {
            ensure!(sync.stdout.contains(text), "{text} is not in {sync}");
        }
        ensure!(ns.pod_uids("replicaset/set").await?.is_disjoint(&before.0), "an old pod is left");
        assert_eq!(ns.pod_uids("pod/bare").await?, before.1);
        ensure!(!ns.status().await?.drifted().contains(&"replicaset/set"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_eviction_whose_answer_was_lost_is_not_done_twice() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "evicted-once", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::stateful_set("db").replicas(2).env_from(Source::config_map("settings"))])
            .await?;
        let before = ns.pod_uids("statefulset/db").await?;
        // No room for what takes the place of the first one, until answers are lost.
        full(&ns, 1, 2).await?;
        let proxy = FaultProxy::start(cluster).await?;
        let mut sync = Running::start(&ns, Some(&proxy.kubeconfig()), &EVICT[1..])?;
        eventually("the first is evicted", WHILE, async || {
            ensure!(ns.pods("statefulset/db").await?.len() == 1, "not yet");
            Ok(())
        })
        .await?;
        proxy.fail(Fault::Lost).await;
        ns.kubectl().run(&["delete", "resourcequota", "full"]).await?;
        sync.tells("The API server does not answer").await?;
        // Its successor has the same name, and is not meant.
        let after = eventually("the second is replaced", WHILE, async || {
            let after = ns.pod_uids("statefulset/db").await?;
            ensure!(after.len() == 2 && after.is_disjoint(&before), "{after:?}");
            Ok(after)
        })
        .await?;
        proxy.mend()?;
        let sync = sync.end().await?.success()?;
        ensure!(sync.stdout.contains("statefulset/db in evicted-once got new pods"), "{sync}");
        assert_eq!(ns.pod_uids("statefulset/db").await?, after);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_interruption_while_a_budget_blocks_evicts_nothing() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "blocked", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        ns.apply([
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "tight"},
            "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "shop"}}}}),
        ])
        .await?;
        let before = ns.pod_uids("deployment/shop").await?;
        let mut sync = Running::start(&ns, None, &EVICT[1..])?;
        sync.tells("disruption budget").await?;
        sync.signal(Signal::INT)?;
        let sync = sync.end().await?;
        ensure!(sync.code == 130 && sync.stdout.contains("deployment/shop in blocked not begun"), "{sync}");
        assert_eq!(ns.pod_uids("deployment/shop").await?, before);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_interruption_while_the_api_server_is_away_is_heard_at_once() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "evict-away", async |ns| {
        let _webhook = ns.webhook().await?;
        // It is evicted and never replaced: there is no room for another.
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        full(&ns, 0, 1).await?;
        let proxy = FaultProxy::start(cluster).await?;
        let mut sync = Running::start(&ns, Some(&proxy.kubeconfig()), &EVICT[1..])?;
        eventually("it is evicted, and its successor waited for", WHILE, async || {
            let mut seen = proxy.seen().into_iter();
            ensure!(seen.any(|request| request.path.ends_with("/eviction")), "not evicted yet");
            ensure!(seen.next().is_some(), "not waited for yet");
            Ok(())
        })
        .await?;
        proxy.fail(Fault::Gone).await;
        sync.tells("The API server does not answer").await?;
        sync.signal(Signal::INT)?;
        let sync = sync.end().await?;
        ensure!(sync.code == 130 && sync.stdout.contains("had one pod evicted"), "{sync}");
        ensure!(sync.stdout.contains("Of 1 workload: 1 had some pods evicted."), "{sync}");
        Ok(())
    })
    .await
}

/// From now on there is room for so many pods only, of which there are so many.
async fn full(ns: &Namespace<'_>, room: u32, used: u32) -> Result<()> {
    ns.apply([json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"},
        "spec": {"hard": {"pods": room.to_string()}}})])
        .await?;
    eventually("the quota is counted", WHILE, async || {
        let quota = ns.kubectl().json(&["resourcequota", "full"]).await?;
        ensure!(quota["status"]["used"]["pods"] == json!(used.to_string()), "{quota}");
        Ok(())
    })
    .await
}
