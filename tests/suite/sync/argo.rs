//! Argo Rollouts: restarted by their own field, judged by their own status. Their controller is played
//! by the test.

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, FaultProxy, Namespace, Source, Workload, eventually, with_namespace};
use serde_json::{Value, json};

use super::WHILE;
use super::running::Running;

const HASH: &str = "rollouts-pod-template-hash";

#[tokio::test]
async fn a_rollout_is_restarted_by_its_own_field_and_judged_by_its_own_status() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "argo", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        let rollouts = rollouts(&ns).await?;
        let rollout = create(&ns, &rollouts).await?;
        say(&rollouts, json!({"observedGeneration": "1", "phase": "Healthy", "currentPodHash": "first"}))
            .await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        assert_eq!(ns.status().await?.drifted(), ["rollout/shop"]);

        let before = ns.pod_uids("rollout/shop").await?;
        let sync = ["sync", "rollout/shop"];
        let (sync, restarted) = tokio::join!(ns.reload(&sync), restart(&ns, &rollouts));
        restarted?;
        let sync = sync?.success()?;
        ensure!(
            sync.stdout
                .contains("rollout.argoproj.io/shop in argo restarted (configmap/settings: a changed)"),
            "{sync}"
        );
        ensure!(ns.status().await?.drifted().is_empty(), "it is drifted still");
        ensure!(ns.pod_uids("rollout/shop").await?.is_disjoint(&before), "an old pod is left");

        let after = rollouts.get("shop").await?;
        assert_eq!(after.data["spec"]["template"], rollout.data["spec"]["template"]);
        let managers = after.managed_fields().iter().filter_map(|entry| entry.manager.as_deref());
        ensure!(managers.into_iter().any(|manager| manager == "reload-sync"), "{:?}", after.metadata);
        let events = ns.kubectl().json(&["events.events.k8s.io"]).await?;
        let regarding =
            events["items"].as_array().context("no events")?.iter().map(|event| &event["regarding"]);
        let of_rollout =
            |object: &&Value| object["apiVersion"] == "argoproj.io/v1alpha1" && object["kind"] == "Rollout";
        assert_eq!(regarding.filter(of_rollout).count(), 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_is_dated_by_the_clock_of_the_api_server() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "clocks", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        let shop = Workload::deployment("shop").env_from(Source::config_map("settings"));
        ns.deploy([shop]).await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        let proxy = FaultProxy::start(cluster).await?;
        for (ahead, value) in [(3600, "3"), (-3600, "4")] {
            proxy.set_clock_ahead(SignedDuration::from_secs(ahead));
            let before = Timestamp::now();
            let sync =
                Running::start(&ns, Some(&proxy.kubeconfig()), &["--again"])?.end().await?.success()?;
            ensure!(sync.stdout.contains("deployment/shop in clocks restarted"), "{sync}");
            let object = ns.kubectl().json(&["deployment", "shop"]).await?;
            let annotations = &object["spec"]["template"]["metadata"]["annotations"];
            let at = annotations["kubectl.kubernetes.io/restartedAt"].as_str().context("not restarted")?;
            let off = at.parse::<Timestamp>()?.duration_since(before).as_secs() - ahead;
            ensure!((-120..120).contains(&off), "{at} is {off} s off");
            ensure!(ns.status().await?.drifted().is_empty());
            let patch = json!({"data": {"a": value}}).to_string();
            ns.rolled_out("deployment/shop").await?;
            ns.kubectl().run(&["patch", "configmap", "settings", "-p", &patch]).await?;
        }
        Ok(())
    })
    .await
}

/// Argo's kind, as far as it is needed.
async fn rollouts(ns: &Namespace<'_>) -> Result<Api<DynamicObject>> {
    let names = json!({"plural": "rollouts", "singular": "rollout", "kind": "Rollout"});
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({"name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema}});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "rollouts.argoproj.io"},
        "spec": {"group": "argoproj.io", "names": names, "scope": "Namespaced", "versions": [version]},
    });
    ns.cluster().kubectl().apply(&[definition]).await?;
    Ok(Api::namespaced_with(ns.client(), ns.name(), &resource()))
}

fn resource() -> ApiResource {
    ApiResource {
        group: "argoproj.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "argoproj.io/v1alpha1".to_owned(),
        kind: "Rollout".to_owned(),
        plural: "rollouts".to_owned(),
    }
}

/// A Rollout and the ReplicaSet that its controller would make, with two pods that run.
async fn create(ns: &Namespace<'_>, rollouts: &Api<DynamicObject>) -> Result<DynamicObject> {
    let mut set =
        Workload::deployment("shop").replicas(2).env_from(Source::config_map("settings")).manifest();
    let object = DynamicObject::new("shop", &resource()).data(json!({"spec": set["spec"]}));
    let rollout = eventually("Rollouts are served", WHILE, async || {
        Ok(rollouts.create(&PostParams::default(), &object).await?)
    })
    .await?;
    set["kind"] = json!("ReplicaSet");
    set["metadata"] = json!({"name": "shop-first", "labels": {"app": "shop", HASH: "first"}, "ownerReferences": [{
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop",
        "uid": rollout.uid(), "controller": true}]});
    set["spec"]["selector"]["matchLabels"][HASH] = json!("first");
    set["spec"]["template"]["metadata"]["labels"][HASH] = json!("first");
    ns.apply([set]).await?;
    two_run(ns).await?;
    Ok(rollout)
}

async fn two_run(ns: &Namespace<'_>) -> Result<()> {
    eventually("two pods are there", WHILE, async || {
        let pods = ns.pods("rollout/shop").await?.len();
        ensure!(pods == 2, "{pods}");
        Ok(())
    })
    .await?;
    ns.started("shop").await
}

async fn say(rollouts: &Api<DynamicObject>, status: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"status": status}));
    rollouts.patch_status("shop", &PatchParams::default(), &patch).await?;
    Ok(())
}

/// What the controller does about a new `restartAt`.
async fn restart(ns: &Namespace<'_>, rollouts: &Api<DynamicObject>) -> Result<()> {
    let asked = eventually("a restart is asked for", WHILE, async || {
        let rollout = rollouts.get("shop").await?;
        ensure!(rollout.data["spec"]["restartAt"].is_string(), "not yet");
        Ok(rollout)
    })
    .await?;
    let verdict = ns.status().await?.verdict("rollout/shop")?;
    assert_eq!(verdict, "Rolling recorded", "until the controller says that all pods are restarted");
    let pods: Api<k8s_openapi::api::core::v1::Pod> = ns.api();
    for pod in ns.pods("rollout/shop").await? {
        pods.delete(&pod.name_any(), &DeleteParams::default()).await?;
    }
    two_run(ns).await?;
    say(
        rollouts,
        json!({
            "observedGeneration": asked.metadata.generation.unwrap_or_default().to_string(),
            "restartedAt": asked.data["spec"]["restartAt"],
            "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
        }),
    )
    .await
}
