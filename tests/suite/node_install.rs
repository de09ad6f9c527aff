//! The webhook as it is installed in a cluster: by Helm, from the project's image, on a real node. The
//! API server calls it through its Service.

#[path = "node_install/beside.rs"]
mod beside;
#[path = "node_install/by_plugin.rs"]
mod by_plugin;
#[path = "node_install/creation.rs"]
mod creation;
#[path = "node_install/quickstart.rs"]
mod quickstart;
#[path = "node_install/traces.rs"]
mod traces;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use reload_tests::binaries::image;
use reload_tests::helm::RELEASE;
use reload_tests::manifest::{config_map, secret};
use reload_tests::{
    Cluster, Helm, Namespace, Node, NodeOptions, Source, Workload, eventually, with_namespace,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use creation::{made_in_time, try_pods, try_pods_of};

/// How long the webhook's pods may take to start, be replaced or come back.
const LIMIT: Duration = Duration::from_secs(120);

/// Reviews that are asked for at once: more than one connection carries.
const AT_ONCE: usize = 20;

/// What the webhook does is done to it by one test at a time.
static ONE: Mutex<()> = Mutex::const_new(());

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn pods_are_recorded_and_both_replicas_serve() -> Result<()> {
    let (node, _one) = installed().await?;
    with_namespace(node.cluster(), "recorded", async |ns| {
        // The API server follows a registration that another test has changed within a moment.
        recording(&ns).await?;
        deploy(&ns, "shop").await?;
        ns.recorded("deployment/shop").await?;
        let verdict = ns.status().await?.verdict("deployment/shop")?.to_owned();
        if verdict != "Current recorded" {
            bail!("{verdict}: {:#?}\n{}", failures(node.cluster()), state(node.cluster()).await?);
        }

        eventually("both replicas have answered reviews", LIMIT, async || {
            ensure!(try_pods(&ns, AT_ONCE).await? == AT_ONCE, "not each pod was recorded");
            let reviews = reviews(node.cluster()).await?;
            ensure!(reviews.len() == 2 && reviews.values().all(|&count| count > 0), "{reviews:?}");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn pods_of_its_own_namespace_and_of_kube_system_never_reach_it() -> Result<()> {
    let (node, _one) = installed().await?;
    let cluster = node.cluster();
    with_namespace(cluster, "reached", async |ns| {
        recording(&ns).await?;
        let before = reviews(cluster).await?;
        for namespace in [RELEASE, "kube-system"] {
            let pods = Api::namespaced(cluster.client().await?, namespace);
            assert_eq!(try_pods_of(&pods, 3).await?, 0, "a record in {namespace}");
        }
        assert_eq!(reviews(cluster).await?, before);
        Ok(())
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn an_upgrade_leaves_the_bundle_as_the_webhook_has_set_it() -> Result<()> {
    let (node, _one) = installed().await?;
    let helm = Helm::new(node.cluster()).await?;
    let before = bundle(node.cluster()).await?;
    ensure!(!before.is_empty(), "the webhook has set none");
    // As Helm 4 applies it, and as Helm 3 does.
    for server_side in ["--server-side=true", "--server-side=false"] {
        for listed in [&["namespaces={default}"] as &[&str], &[]] {
            let values = [&VALUES[..], listed].concat();
            helm.release(&["upgrade", server_side], RELEASE, &values).await?;
            assert_eq!(bundle(node.cluster()).await?, before, "{server_side} {listed:?}");
        }
    }
    Ok(())
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn helm_test_finds_nothing_to_mend() -> Result<()> {
    let (node, _one) = installed().await?;
    let helm = Helm::new(node.cluster()).await?;
    let test = ["test", RELEASE, "-n", RELEASE, "--timeout", "120s"];
    let output = helm.output(&test).await?.success()?;
    let text = output.stdout.clone() + &output.stderr;
    ensure!(text.contains("the webhook answers the API server"), "{output}");
    let left =
        node.cluster().kubectl().namespace(RELEASE).run(&["get", "pods,serviceaccounts,roles"]).await?;
    ensure!(!left.contains("doctor"), "{left}");
    Ok(())
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn no_pod_waits_for_a_webhook_that_is_rolled_or_whose_pods_are_deleted() -> Result<()> {
    let (node, _one) = installed().await?;
    let cluster = node.cluster();
    with_namespace(cluster, "rolled", async |ns| {
        let kubectl = cluster.kubectl().namespace(RELEASE).limit(LIMIT);
        let deployment = format!("deployment/{RELEASE}");
        let before = webhooks(cluster).await?;
        let known = failures(cluster).len();
        kubectl.run(&["rollout", "restart", &deployment]).await?;
        let timeout = format!("--timeout={}s", LIMIT.as_secs());
        let status = ["rollout", "status", &deployment, &timeout];
        made_in_time(&ns, kubectl.run(&status)).await?;
        let failed = failures(cluster).split_off(known);
        if !failed.is_empty() {
            bail!("not answered while it was rolled: {failed:#?}\n{}", state(cluster).await?);
        }
        let after = webhooks(cluster).await?;
        ensure!(after.iter().all(|pod| !before.contains(pod)), "it was not rolled");

        let params = DeleteParams::default().grace_period(0);
        let webhooks_of = pods(cluster).await?;
        let deleted = async {
            webhooks_of.delete_collection(&params, &ListParams::default()).await?;
            deploy(&ns, "meanwhile").await?;
            recording(&ns).await
        };
        made_in_time(&ns, deleted).await?;
        let last = webhooks(cluster).await?;
        ensure!(last.iter().all(|pod| !after.contains(pod)), "its pods were not deleted");
        Ok(())
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn a_node_that_starts_cold_brings_all_pods_back_and_makes_new_ones() -> Result<()> {
    let node = Node::start(NodeOptions::default()).await?;
    install(&node).await?;
    let cluster = node.cluster();
    with_namespace(cluster, "cold", async |ns| {
        deploy(&ns, "before").await?;
        let cold = async {
            node.crash().await?;
            // Its pods have to be made anew, and nobody is there who could answer for them.
            let params = DeleteParams::default().grace_period(0);
            pods(cluster).await?.delete_collection(&params, &ListParams::default()).await?;
            ns.apply([workload("meanwhile")]).await?;

            node.boot().await?;
            for deployment in ["before", "meanwhile"] {
                ns.rolled_out(&format!("deployment/{deployment}")).await?;
            }
            recording(&ns).await
        };
        made_in_time(&ns, cold).await?;
        deploy(&ns, "after").await?;
        ns.recorded("deployment/after").await?;
        let verdict = ns.status().await?.verdict("deployment/after")?.to_owned();
        assert_eq!(verdict, "Current recorded");
        Ok(())
    })
    .await?;
    node.stop().await
}

/// What differs from the defaults on a node that pulls no images.
const VALUES: [&str; 1] = ["image.pullPolicy=Never"];

/// The shared node with the webhook on it, for one test.
async fn installed() -> Result<(&'static Node, MutexGuard<'static, ()>)> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let one = ONE.lock().await;
    let node = Node::shared().await?;
    INSTALLED.get_or_try_init(|| install(node)).await?;
    Ok((node, one))
}

/// As the README says, and in a namespace that takes nothing but restricted pods.
async fn install(node: &Node) -> Result<()> {
    node.import(&image().await?).await?;
    let cluster = node.cluster();
    cluster.kubectl().apply(&[restricted_namespace()]).await?;
    let command = ["install", "--wait", "--timeout", "120s"];
    let installed = Helm::new(cluster).await?.release(&command, RELEASE, &VALUES).await;
    if installed.is_err() {
        eprintln!("{}", state(cluster).await?);
    }
    installed.map(drop)
}

fn restricted_namespace() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": RELEASE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    })
}

async fn pods(cluster: &Cluster) -> Result<Api<Pod>> {
    Ok(Api::namespaced(cluster.client().await?, RELEASE))
}

/// The webhook's live pods, by uid.
async fn webhooks(cluster: &Cluster) -> Result<Vec<String>> {
    let mut pods = pods(cluster).await?.list(&ListParams::default()).await?.items;
    pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    Ok(pods.iter().filter_map(ResourceExt::uid).collect())
}

/// How many reviews each of the webhook's pods has answered, by its metrics.
async fn reviews(cluster: &Cluster) -> Result<BTreeMap<String, u64>> {
    let client = cluster.client().await?;
    let mut reviews = BTreeMap::new();
    for pod in pods(cluster).await?.list(&ListParams::default()).await?.items {
        let name = pod.name_any();
        let path = format!("/api/v1/namespaces/{RELEASE}/pods/https:{name}:8443/proxy/metrics");
        let metrics = client.request_text(http::Request::get(path).body(Vec::new())?).await?;
        let counters =
            metrics.lines().filter(|line| line.starts_with("kubectl_reload_webhook_reviews_total{"));
        let count = counters.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
        reviews.insert(name, count);
    }
    Ok(reviews)
}

/// The `caBundle` that is trusted now.
async fn bundle(cluster: &Cluster) -> Result<Vec<u8>> {
    let registrations = Api::<MutatingWebhookConfiguration>::all(cluster.client().await?);
    let registration = registrations.get("zz-kubectl-reload").await?;
    let webhook = registration.webhooks.into_iter().flatten().next().context("no webhook")?;
    Ok(webhook.client_config.ca_bundle.map(|bundle| bundle.0).unwrap_or_default())
}

/// Why the API server had no answer of the webhook, each time, by its log.
fn failures(cluster: &Cluster) -> Vec<String> {
    let log = cluster.log("kube-apiserver");
    log.lines().filter(|line| line.contains("failing open")).map(str::to_owned).collect()
}

/// What a person would look at first.
async fn state(cluster: &Cluster) -> Result<String> {
    let kubectl = cluster.kubectl().namespace(RELEASE);
    kubectl.run(&["get", "pods,endpointslices,events", "-o", "wide"]).await
}

fn workload(name: &str) -> Workload {
    let colour = Source::config_map("settings").optional();
    let workload = Workload::deployment(name).env("COLOUR", colour, "colour");
    workload.env("USER", Source::secret("login").optional(), "user").sees(&["COLOUR"])
}

async fn deploy(ns: &Namespace<'_>, name: &str) -> Result<()> {
    ns.apply([config_map("settings", &[("colour", "red")]), secret("login", &[("user", "ada")])]).await?;
    ns.deploy([workload(name)]).await
}

async fn recording(ns: &Namespace<'_>) -> Result<()> {
    eventually("pods are recorded again", LIMIT, async || {
        ensure!(try_pods(ns, 1).await? == 1, "not yet");
        Ok(())
    })
    .await
}
