//! `kubectl reload explain`: all that a verdict rests on, and never a value.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use reload_tests::manifest::{config_map, secret};
use reload_tests::{Cluster, Source, Workload, eventually, with_namespace};
use serde_json::json;

#[tokio::test]
async fn a_drifted_deployment_is_explained_by_keys_managers_times_and_evidence() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "explained", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([
            config_map("settings", &[("colour", "hidden-red"), ("gone", "hidden-x"), ("same", "hidden-y")]),
            secret("login", &[("password", "hidden-z")]),
        ])
        .await?;
        let source = Source::config_map("settings");
        let shop = Workload::deployment("shop").replicas(2).env_from(source).file("/etc/s", source, "same");
        ns.deploy([shop.env("P", Source::secret("login"), "password")]).await?;
        let patch = json!({"data": {"colour": "hidden-blue", "new": "hidden-new", "gone": null}});
        let change = ["patch", "configmap", "settings", "--type=merge", "--field-manager=painter", "-p"];
        ns.kubectl().run(&[&change[..], &[&patch.to_string()]].concat()).await?;

        let shown = ns.reload(&["explain", "deployment/shop", "-v=9"]).await?.success()?;
        for text in [
            "deployment/shop in explained: Drifted (recorded)",
            "2 pods alike, shop-",
            "configmap/settings: Drifted (recorded): changed",
            "used    envFrom by app, keys: all but P",
            "used    file by app, keys: same",
            "changed colour",
            "added   new",
            "removed gone",
            "by painter",
            "Recorded at the pod's admission, 20",
            "Container app started at 20",
            "s after container app had started",
            // What metadata settles is shown as well.
            "secret/login: Current (recorded): not written since",
            "used    env by app, keys: password",
            "A restart would replace its 2 pods by new ones",
            "kubectl reload sync deployment/shop -n explained",
        ] {
            ensure!(shown.stdout.contains(text), "{text:?} is not in {shown}");
        }
        ensure!(!shown.to_string().contains("hidden"), "a value: {shown}");
        ensure!(!shown.stdout.contains('\u{1b}'), "colours in a pipe: {shown}");
        let colored = ns.reload(&["explain", "deploy", "shop", "--color=always"]).await?.success()?;
        ensure!(colored.stdout.contains("\u{1b}[31mDrifted\u{1b}[0m"), "{colored}");

        let output = ns.reload(&["explain", "deployment/shop", "-o", "json"]).await?.success()?;
        ensure!(!output.to_string().contains("hidden"), "a value: {output}");
        let document = output.json()?;
        assert_eq!(document["kind"], "Explain");
        let workload = &document["workloads"][0];
        assert_eq!(workload["pods"].as_array().map(Vec::len), Some(2));
        assert_eq!(workload["restart"]["helps"], true);
        let sources = &workload["pods"][0]["sources"];
        assert_eq!(sources.as_array().map(Vec::len), Some(3));
        assert_eq!(sources[0]["changed"], json!(["colour"]));
        assert_eq!(sources[0]["now"]["writtenBy"], "painter");
        assert_eq!(sources[0]["recorded"]["state"], "present");
        assert_eq!(sources[0]["containers"][0]["name"], "app");

        let pod = ns.pods("deployment/shop").await?[0].name_any();
        let one = ns.reload(&["explain", &format!("pod/{pod}"), "-o", "json"]).await?.success()?.json()?;
        assert_eq!(one["workloads"][0]["name"], "shop");
        assert_eq!(one["workloads"][0]["pods"].as_array().map(Vec::len), Some(1));
        assert_eq!(one["workloads"][0]["pods"][0]["name"], pod);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pods_without_a_record_and_restarts_that_would_not_roll_are_explained() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unexplained", async |ns| {
        ns.apply([config_map("settings", &[("a", "1")]), config_map("needed", &[("a", "1")])]).await?;
        let uses = |name| Workload::deployment(name).env("A", Source::config_map("settings"), "a");
        let on_delete = Workload::daemon_set("agent").env("A", Source::config_map("settings"), "a");
        let on_delete = on_delete.with("/spec", "updateStrategy", json!({"type": "OnDelete"}));
        let needs = Workload::deployment("needs").env("A", Source::config_map("needed"), "a");
        ns.deploy([
            uses("shop").into(),
            on_delete.manifest(),
            needs.manifest(),
            uses("zero").replicas(0).into(),
        ])
        .await?;
        ns.kubectl().run(&["delete", "configmap", "needed"]).await?;
        let explain = async |target: &str| ns.reload(&["explain", target]).await?.success();
        for (target, texts) in [
            (
                "deployment/shop",
                &["judged by times alone: it has no record", "see kubectl reload doctor"][..],
            ),
            ("daemonset/agent", &["A restart would not roll: its update strategy is OnDelete"]),
            (
                "deployment/needs",
                &[
                    "configmap/needed does not exist, so it would not start again: bring it back first",
                    "would not start",
                ],
            ),
            ("deployment/zero", &["No pod of it runs"]),
        ] {
            let shown = explain(target).await?;
            for text in texts {
                ensure!(shown.stdout.contains(text), "{text:?} is not in {shown}");
            }
        }
        let none = ns.reload(&["explain", "pod/none"]).await?;
        ensure!(none.code == 2 && none.stderr.contains("pod/none does not exist"), "{none}");
        let nothing = ns.reload(&["explain"]).await?;
        ensure!(nothing.code == 2 && nothing.stderr.contains("TYPE/NAME"), "{nothing}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_that_is_not_ready_is_no_rollout() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unready", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        let shop = Workload::deployment("shop").replicas(2).env_from(Source::config_map("settings"));
        ns.deploy([shop]).await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        let pod = ns.pods("deployment/shop").await?[0].name_any();
        let patch = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        ns.api::<Pod>().patch_status(&pod, &PatchParams::default(), &Patch::Strategic(&patch)).await?;
        eventually("its controller sees it", Duration::from_secs(60), async || {
            let ready = ns.kubectl().json(&["deployment", "shop"]).await?["status"]["readyReplicas"].clone();
            ensure!(ready == 1, "{ready} are ready");
            Ok(())
        })
        .await?;
        let shown = ns.reload(&["explain", "deployment/shop"]).await?.success()?;
        ensure!(shown.stdout.contains("A restart would replace its 2 pods by new ones"), "{shown}");
        ensure!(!shown.stdout.contains("being replaced already"), "{shown}");
        Ok(())
    })
    .await
}
