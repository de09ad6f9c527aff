//! What `sync` leaves alone, and what it says of it.

#[path = "sync/argo.rs"]
mod argo;
#[path = "sync/circles.rs"]
mod circles;
#[path = "sync/evict.rs"]
mod evict;
#[path = "sync/gitops.rs"]
mod gitops;
#[path = "sync/interrupt.rs"]
mod interrupt;
#[path = "sync/missing.rs"]
mod missing;
#[path = "sync/outage.rs"]
mod outage;
#[path = "sync/rights.rs"]
mod rights;
#[path = "sync/running.rs"]
mod running;
#[path = "sync/selection.rs"]
mod selection;
#[path = "sync/stateful_set.rs"]
mod stateful_set;
#[path = "sync/terminal.rs"]
mod terminal;
#[path = "sync/together.rs"]
mod together;

use std::time::Duration;

use anyhow::{Result, ensure};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use reload_tests::manifest::{config_map, secret};
use reload_tests::{Cluster, Namespace, Source, Workload, eventually, with_namespace};
use serde_json::{Value, json};

const WHILE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_unset_variable_for_a_namespace_is_not_all_namespaces() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unset", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        let sync = cluster.kubectl().reload(&["sync", "--yes", "-n", ""]).await?.success()?;
        assert_eq!(sync.stdout, "Nothing to restart.\n");
        assert_eq!(ns.status().await?.drifted(), ["deployment/shop"]);
        let wrong = cluster.kubectl().reload(&["sync", "--yes", "-n", "../unset"]).await?;
        ensure!(wrong.code == 2 && wrong.stderr.contains("no namespace has such a name"), "{wrong}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_controller_of_another_group_is_not_taken_for_a_built_in_one() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "groups", async |ns| {
        let _webhook = ns.webhook().await?;
        let owner = custom(&ns, "StatefulSet", "db").await?;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        ns.deploy([Workload::stateful_set("db")]).await?;
        ns.apply([pod_of(&owner)]).await?;
        ns.started("custom").await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        let status = ns.status().await?;
        assert_eq!(status.drifted(), ["statefulset.example.com/db"]);
        let before = ns.pod_uids("statefulset/db").await?;
        let sync = ns.reload(&["sync", "--yes"]).await?;
        ensure!(sync.code == 1 && sync.stdout.contains("restart it by what made it"), "{sync}");
        assert_eq!(ns.pod_uids("statefulset/db").await?, before);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_would_not_roll_is_not_restarted() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "held", async |ns| {
        let _webhook = ns.webhook().await?;
        let source = Source::config_map("settings");
        let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        drifted(
            &ns,
            [
                Workload::deployment("paused").env_from(source),
                Workload::stateful_set("partitioned").env_from(source).with(
                    "/spec",
                    "updateStrategy",
                    partition,
                ),
                Workload::daemon_set("by-hand").env_from(source).with(
                    "/spec",
                    "updateStrategy",
                    json!({"type": "OnDelete"}),
                ),
            ],
        )
        .await?;
        ns.kubectl().run(&["rollout", "pause", "deployment/paused"]).await?;
        let sync = ns.reload(&["sync", "--yes", "--keep-going"]).await?;
        ensure!(sync.code == 1, "{sync}");
        for text in ["it is paused", "below partition 1", "OnDelete"] {
            ensure!(sync.stdout.contains(text), "{text} is not in {sync}");
        }
        assert_eq!(ns.status().await?.drifted().len(), 3);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_stuck_rollout_is_drift_and_is_not_restarted_into() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "stuck", async |ns| {
        let _webhook = ns.webhook().await?;
        let shop = Workload::deployment("shop").replicas(2).env_from(Source::config_map("settings"));
        drifted(&ns, [shop.with("/spec", "progressDeadlineSeconds", json!(2))]).await?;
        let nowhere =
            json!({"spec": {"template": {"spec": {"nodeSelector": {"is": "nowhere"}}}}}).to_string();
        ns.kubectl().run(&["patch", "deployment", "shop", "-p", &nowhere]).await?;
        eventually("it is rolling or stuck", WHILE, async || {
            let verdict = ns.status().await?.verdict("deployment/shop")?;
            ensure!(verdict.starts_with("Rolling") || verdict.starts_with("Drifted"), "{verdict}");
            let shown = ns.reload(&["status"]).await?.success()?;
            ensure!(shown.stdout.contains("rollout stuck"), "{shown}");
            Ok(())
        })
        .await?;
        assert_eq!(ns.status().await?.drifted(), ["deployment/shop"]);
        let sync = ns.reload(&["sync"]).await?;
        ensure!(sync.code == 1 && sync.stdout.contains("mend its new pods"), "{sync}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn after_a_failure_nothing_more_is_begun_and_what_was_begun_is_told() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "failure", async |ns| {
        let _webhook = ns.webhook().await?;
        let source = Source::config_map("settings");
        drifted(&ns, ["a", "b", "c"].map(|name| Workload::deployment(name).env_from(source))).await?;
        // New pods have nowhere to run: every restart fails.
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"},
            "spec": {"hard": {"pods": "3"}}});
        ns.apply([quota]).await?;
        eventually("the quota is counted", WHILE, async || {
            let quota = ns.kubectl().json(&["resourcequota", "full"]).await?;
            ensure!(quota["status"]["used"]["pods"] == "3", "{quota}");
            Ok(())
        })
        .await?;
        let sync = ns.reload(&["sync", "--yes", "--max-parallel", "2", "--timeout", "2s"]).await?;
        ensure!(sync.code == 1, "{sync}");
        assert_eq!(sync.stdout.matches(" failed: not healthy within 2s").count(), 2, "{sync}");
        ensure!(sync.stdout.contains("1 more not restarted"), "{sync}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn times_at_the_end_of_time_and_names_with_escapes_do_no_harm() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "hostile", async |ns| {
        let _webhook = ns.webhook().await?;
        let workload = Workload::deployment("shop").env_from(Source::config_map("settings"));
        // The API server takes any name for a volume's source.
        let volume = json!([{"name": "v", "configMap": {"name": "\u{1b}[31mred"}}]);
        let workload = workload.with("/spec/template/spec", "volumes", volume);
        let mount = json!([{"name": "v", "mountPath": "/v"}]);
        drifted(&ns, [workload.with("/spec/template/spec/containers/0", "volumeMounts", mount)]).await?;
        ns.kubectl().run(&["rollout", "restart", "deployment/shop"]).await?;
        ns.rolled_out("deployment/shop").await?;
        // The last that clocks here can hold, and one after it.
        for time in ["9999-12-30T21:59:59Z", "9999-12-31T23:59:59Z"] {
            let mut map = ns.kubectl().json(&["configmap", "settings", "--show-managed-fields"]).await?;
            for entry in map["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
                entry["time"] = json!(time);
            }
            // The API server takes back new times that come with nothing else.
            map["metadata"]["annotations"]["example.com/time"] = json!(time);
            let path = format!("/api/v1/namespaces/{}/configmaps/settings", ns.name());
            let put = http::Request::put(path).header("Content-Type", "application/json");
            let kept: serde_json::Value =
                ns.client().request(put.body(map.to_string().into_bytes())?).await?;
            let mut entries = kept["metadata"]["managedFields"].as_array().into_iter().flatten();
            ensure!(
                entries.any(|entry| entry["time"] == time && !entry["fieldsV1"]["f:data"].is_null()),
                "{kept}"
            );
            for arguments in
                [&["status", "--all"] as &[&str], &["status", "-o", "name"], &["sync", "--dry-run=client"]]
            {
                let output = ns.reload(arguments).await?.success()?;
                ensure!(!output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'), "{output:?}");
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_that_is_taken_back_is_told() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "reverted", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").replicas(3).env_from(Source::config_map("settings"))])
            .await?;
        let revert = async {
            eventually("it is restarted", WHILE, async || {
                let object = ns.kubectl().json(&["deployment", "shop"]).await?;
                let annotations = &object["spec"]["template"]["metadata"]["annotations"];
                ensure!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), "not yet");
                let none = json!({"spec": {"paused": true, "template": {"metadata": {"annotations":
                    {"kubectl.kubernetes.io/restartedAt": Value::Null}}}}});
                let deployments: Api<k8s_openapi::api::apps::v1::Deployment> = ns.api();
                deployments.patch("shop", &PatchParams::default(), &Patch::Merge(&none)).await?;
                Ok(())
            })
            .await
        };
        // New pods do not start, so that the rollout is under way when it is taken back.
        ready_after(&ns, "shop", 30).await?;
        let sync = ["sync"];
        let (sync, reverted) = tokio::join!(ns.reload(&sync), revert);
        reverted?;
        let sync = sync?;
        ensure!(sync.code == 1 && sync.stdout.contains("took the restart back"), "{sync}");
        Ok(())
    })
    .await
}

/// An object of a kind of its own in the group `example.com`, whose controller is played by the test.
async fn custom(ns: &Namespace<'_>, kind: &str, name: &str) -> Result<DynamicObject> {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    let names = json!({"plural": plural, "singular": singular, "kind": kind});
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [
            {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]},
    });
    ns.cluster().kubectl().apply(&[definition]).await?;
    let resource = ApiResource {
        group: "example.com".to_owned(),
        version: "v1".to_owned(),
        api_version: "example.com/v1".to_owned(),
        kind: kind.to_owned(),
        plural,
    };
    let full = format!("{}.example.com", resource.plural);
    eventually("kubectl finds the kind", WHILE, async || ns.kubectl().run(&["get", &full]).await).await?;
    let custom: Api<DynamicObject> = Api::namespaced_with(ns.client(), ns.name(), &resource);
    eventually("the custom controller is there", WHILE, async || {
        Ok(custom.create(&PostParams::default(), &DynamicObject::new(name, &resource)).await?)
    })
    .await
}

/// The pod `custom` of such an object, which uses ConfigMap `settings`.
fn pod_of(owner: &DynamicObject) -> Value {
    let types = owner.types.clone().unwrap_or_default();
    let reference = json!([{"apiVersion": types.api_version, "kind": types.kind, "name": owner.metadata.name,
        "uid": owner.metadata.uid, "controller": true}]);
    let container =
        json!({"name": "app", "image": "none", "envFrom": [{"configMapRef": {"name": "settings"}}]});
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "custom", "labels": {"app": "custom"}, "ownerReferences": reference},
        "spec": {"containers": [container]}})
}

/// Deploys workloads that use ConfigMap `settings`, which changes then.
async fn drifted(ns: &Namespace<'_>, workloads: impl IntoIterator<Item = Workload>) -> Result<()> {
    ns.apply([config_map("settings", &[("a", "1")]), secret("unused", &[("a", "1")])]).await?;
    ns.deploy(workloads).await?;
    ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
    Ok(())
}

/// From now on new pods of a Deployment count only after this many seconds, as its controller knows.
async fn ready_after(ns: &Namespace<'_>, name: &str, seconds: u32) -> Result<()> {
    let patch = json!({"spec": {"minReadySeconds": seconds}}).to_string();
    ns.kubectl().run(&["patch", "deployment", name, "-p", &patch]).await?;
    eventually("its controller knows", WHILE, async || {
        let object = ns.kubectl().json(&["deployment", name]).await?;
        let (seen, there) = (&object["status"]["observedGeneration"], &object["metadata"]["generation"]);
        ensure!(seen == there, "{seen} of {there}");
        Ok(())
    })
    .await
}
