//! The real node itself: what the suites that ask it for the truth take for granted.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use reload_tests::manifest::{config_map, secret};
use reload_tests::node::witness::container;
use reload_tests::{Namespace, Node, NodeOptions, Source, Workload, eventually, with_namespace};
use serde_json::json;

/// With its default settings, the kubelet takes up to about 90 s to update a mounted directory.
const FILES: Duration = Duration::from_secs(180);

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn a_container_reports_all_that_it_was_given() -> Result<()> {
    let node = Node::shared().await?;
    with_namespace(node.cluster(), "given", async |ns| {
        ns.apply([
            config_map("settings", &[("colour", "red"), ("SIZE", "10")]),
            secret("login", &[("password", "correct-horse"), ("user", "ada")]),
        ])
        .await?;
        let (settings, login) = (Source::config_map("settings"), Source::secret("login"));
        let projected = json!({"sources": [
            {"configMap": {"name": "settings", "items": [{"key": "colour", "path": "c"}]}},
            {"secret": {"name": "login", "items": [{"key": "user", "path": "u"}]}},
        ]});
        let shop = Workload::deployment("shop")
            .env("PASSWORD", login, "password")
            .env_from(settings)
            .directory("/etc/settings", settings)
            .file("/etc/user", login, "user")
            .mount("/etc/both", "both", json!({"projected": projected}))
            .sees(&["PASSWORD", "SIZE", "colour", "absent", "/etc/settings", "/etc/user", "/etc/both"]);
        ns.deploy([shop]).await?;

        let report = ns.report("deployment/shop").await?;
        let env = [("PASSWORD", "correct-horse"), ("SIZE", "10"), ("colour", "red")];
        assert_eq!(report.env, texts(&env));
        let files = [
            ("/etc/both/c", "red"),
            ("/etc/both/u", "ada"),
            ("/etc/settings/SIZE", "10"),
            ("/etc/settings/colour", "red"),
            ("/etc/user", "ada"),
        ];
        assert_eq!(report.files, texts(&files));
        Ok(())
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn a_directory_follows_a_change_and_env_and_sub_path_do_not() -> Result<()> {
    let node = Node::shared().await?;
    with_namespace(node.cluster(), "follows", async |ns| {
        ns.apply([config_map("settings", &[("colour", "red")])]).await?;
        let settings = Source::config_map("settings");
        let shop = Workload::deployment("shop")
            .env("COLOUR", settings, "colour")
            .directory("/etc/settings", settings)
            .file("/etc/colour", settings, "colour")
            .sees(&["COLOUR", "/etc/settings", "/etc/colour"]);
        ns.deploy([shop]).await?;
        let before = ns.pod_uids("deployment/shop").await?;

        paint(&ns, "blue").await?;
        let report = eventually("the directory has followed", FILES, async || {
            let report = ns.report("deployment/shop").await?;
            ensure!(report.files["/etc/settings/colour"] == "blue", "{report:?}");
            Ok(report)
        })
        .await?;
        assert_eq!(report.env["COLOUR"], "red");
        assert_eq!(report.files["/etc/colour"], "red");
        assert_eq!(ns.pod_uids("deployment/shop").await?, before);
        Ok(())
    })
    .await
}

/// In place: the pod stays. A start within half a second after the change may still read what was
/// there before.
#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn a_container_that_starts_again_in_place_reads_env_afresh() -> Result<()> {
    let node = Node::shared().await?;
    with_namespace(node.cluster(), "again", async |ns| {
        ns.apply([config_map("settings", &[("colour", "red")])]).await?;
        let shop = Workload::deployment("shop");
        let shop = shop.env("COLOUR", Source::config_map("settings"), "colour").sees(&["COLOUR"]);
        ns.deploy([shop]).await?;
        let first = ns.report("deployment/shop").await?;
        let before = ns.pod_uids("deployment/shop").await?;

        paint(&ns, "blue").await?;
        eventually("it reads the new value", LIMIT, async || {
            ns.crash("deployment/shop").await?;
            let report = ns.report("deployment/shop").await?;
            ensure!(report.started > first.started && report.env["COLOUR"] == "blue", "{report:?}");
            Ok(())
        })
        .await?;
        assert_eq!(ns.pod_uids("deployment/shop").await?, before);
        Ok(())
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn an_init_container_takes_until_it_is_told_to_finish() -> Result<()> {
    let node = Node::shared().await?;
    with_namespace(node.cluster(), "init", async |ns| {
        let init = json!([container("prepare", &[])]);
        let shop = Workload::deployment("shop").sees(&[]).with("/spec/template/spec", "initContainers", init);
        ns.apply([shop]).await?;
        let pod = ns.runs("deployment/shop", "prepare").await?;
        ns.tell(&pod, "prepare", "finish").await?;
        ns.runs("deployment/shop", "app").await?;

        let prepared = ns.report_of(&pod, "prepare").await?;
        let main = ns.report("deployment/shop").await?;
        ensure!(main.started > prepared.started, "{prepared:?} {main:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn a_webhook_records_its_pods() -> Result<()> {
    let node = Node::shared().await?;
    with_namespace(node.cluster(), "recorded", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("colour", "red")])]).await?;
        let shop = Workload::deployment("shop");
        ns.deploy([shop.env("COLOUR", Source::config_map("settings"), "colour").sees(&["COLOUR"])]).await?;
        assert_eq!(ns.status().await?.verdict("deployment/shop")?, "Current recorded");

        paint(&ns, "blue").await?;
        assert_eq!(ns.report("deployment/shop").await?.env["COLOUR"], "red");
        assert_eq!(ns.status().await?.verdict("deployment/shop")?, "Drifted recorded");
        Ok(())
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn the_address_of_a_service_leads_to_what_is_behind_it() -> Result<()> {
    let cluster = Node::shared().await?.cluster();
    let services = Api::<Service>::namespaced(cluster.client().await?, "default");
    let spec = services.get("kubernetes").await?.spec.context("no spec")?;
    let address = spec.cluster_ip.context("no address")?;
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.cluster_url = format!("https://{address}").parse()?;
    let client = Client::try_from(config)?;
    eventually("the API server answers there", LIMIT, async || {
        assert_eq!(client.apiserver_version().await?.git_version, cluster.binaries().version());
        Ok(())
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn a_kubelet_with_other_settings_follows_sooner() -> Result<()> {
    let kubelet = json!({"syncFrequency": "1s"});
    let node = Node::start(NodeOptions { kubelet, ..NodeOptions::default() }).await?;
    with_namespace(node.cluster(), "sooner", async |ns| {
        ns.apply([config_map("settings", &[("colour", "red")])]).await?;
        let shop = Workload::deployment("shop").directory("/etc/settings", Source::config_map("settings"));
        ns.deploy([shop.sees(&["/etc/settings"])]).await?;
        paint(&ns, "blue").await?;
        eventually("the directory has followed", Duration::from_secs(60), async || {
            let report = ns.report("deployment/shop").await?;
            ensure!(report.files["/etc/settings/colour"] == "blue", "{report:?}");
            Ok(())
        })
        .await
    })
    .await?;
    node.stop().await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn containers_outlive_their_kubelet_and_the_next_one_takes_them_over() -> Result<()> {
    let node = Node::start(NodeOptions::default()).await?;
    with_namespace(node.cluster(), "kubelet", async |ns| {
        let shop = |name: &str| Workload::deployment(name).sees(&[]);
        ns.deploy([shop("before")]).await?;
        let started = ns.report("deployment/before").await?.started;

        node.stop_kubelet().await?;
        ns.apply([shop("meanwhile")]).await?;
        let pod = eventually("it is scheduled", LIMIT, async || {
            let pod = ns.only_pod("deployment/meanwhile").await?;
            ensure!(pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()), "not yet");
            Ok(pod)
        })
        .await?;
        let status = pod.status.as_ref();
        ensure!(status.is_none_or(|status| status.container_statuses.is_none()), "{status:?}");

        node.start_kubelet().await?;
        ns.rolled_out("deployment/meanwhile").await?;
        let after = ns.only_pod("deployment/meanwhile").await?;
        assert_eq!(after.uid(), pod.uid());
        assert_eq!(ns.report("deployment/before").await?.started, started);
        Ok(())
    })
    .await?;
    node.stop().await
}

/// Another colour, in one write.
async fn paint(ns: &Namespace<'_>, colour: &str) -> Result<()> {
    let patch = json!({"data": {"colour": colour}});
    let sources = ns.api::<ConfigMap>();
    sources.patch("settings", &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

fn texts(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
}
