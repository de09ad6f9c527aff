//! A real API server takes what the chart gives, however it is set, and is left as it was. The nodes are
//! fake and run no image; see `node_install` for what the pods do.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use reload_tests::binaries::custom_resources;
use reload_tests::helm::{RELEASE, chart};
use reload_tests::listing::{as_before, difference, listing};
use reload_tests::{Cluster, Helm, eventually};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::values::{argument, files};

const LIMIT: Duration = Duration::from_secs(60);

/// What is in the cluster is counted, and the registration has one name.
static ONE: Mutex<()> = Mutex::const_new(());

/// The cluster, for one test, with what the chart makes objects of.
pub(crate) async fn cluster() -> Result<(&'static Cluster, MutexGuard<'static, ()>)> {
    static RESOURCES: OnceCell<()> = OnceCell::const_new();
    let one = ONE.lock().await;
    let cluster = Cluster::shared().await?;
    RESOURCES.get_or_try_init(async || define_custom_resources(cluster).await).await?;
    Ok((cluster, one))
}

/// What the chart makes for others: cert-manager, the Prometheus Operator.
pub(crate) async fn define_custom_resources(cluster: &Cluster) -> Result<()> {
    let folder = custom_resources().await?.display().to_string();
    cluster.kubectl().run(&["apply", "--server-side", "-f", &folder]).await?;
    let established = ["wait", "--for=condition=established", "crd", "--all", "--timeout=60s"];
    cluster.kubectl().run(&established).await.map(drop)
}

#[tokio::test]
async fn applied_strictly_by_the_server_and_once_more_it_changes_nothing_and_leaves_no_trace() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let helm = Helm::new(cluster).await?;
    let before = settled(cluster).await?;
    for file in files()? {
        let render = ["template", "--no-hooks", &argument(&file)];
        let text = helm.release(&render, RELEASE, &["createNamespace=true"]).await?;
        let manifests = cluster.folder().join("manifests.yaml");
        std::fs::write(&manifests, text)?;
        let manifests = manifests.display().to_string();
        applied_twice_alike(cluster, &manifests).await.with_context(|| format!("{file:?}"))?;
        cluster.kubectl().run(&["delete", "-f", &manifests]).await?;
        as_before(cluster, &before, LIMIT).await.with_context(|| format!("{file:?}"))?;
    }
    Ok(())
}

/// The server takes the manifests in this file by its strict validation; once more they change nothing.
pub(crate) async fn applied_twice_alike(cluster: &Cluster, manifests: &str) -> Result<()> {
    let kubectl = cluster.kubectl();
    let apply = ["apply", "--server-side", "--validate=strict", "-f", manifests];
    kubectl.run(&apply).await?;
    let applied = owned(cluster, manifests).await?;
    // A controller that writes a status between the two requests of a diff makes one.
    let diff = ["diff", "--server-side", "-f", manifests];
    eventually("it differs in nothing", LIMIT, async || kubectl.run(&diff).await).await?;
    kubectl.run(&apply).await?;
    ensure!(applied == owned(cluster, manifests).await?, "applied once more, {manifests} changes objects");
    Ok(())
}

#[tokio::test]
async fn helm_upgrades_from_any_values_to_any_others_and_leaves_no_trace() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    restricted_namespace(cluster).await?;
    let before = settled(cluster).await?;
    let helm = Helm::new(cluster).await?;
    helm.release(&["install", "--wait", "--timeout", "60s"], RELEASE, &[]).await?;
    let nodes = running(cluster, 2).await?;
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    // As the webhook does.
    let patch =
        json!({"webhooks": [{"name": "record.kubectl-reload.dev", "clientConfig": {"caBundle": "YQ=="}}]});
    let set =
        ["patch", "mutatingwebhookconfiguration", "zz-kubectl-reload", "--field-manager=reload-certs", "-p"];
    cluster.kubectl().run(&[&set[..], &[&patch.to_string()]].concat()).await?;
    for file in files()?.iter().rev() {
        let upgrade = ["upgrade", "--reset-values", &argument(file)];
        // What brings a CA of its own takes it out of the webhook's hands; and its pods, on the network of
        // their node, are not restricted ones.
        if file.ends_with("others-values.yaml") {
            let refused = helm.release(&upgrade, RELEASE, &[]).await;
            ensure!(refused.is_err_and(|error| error.to_string().contains("conflict with \"reload-certs\"")));
            helm.release(&[&upgrade[..], &["--force-conflicts"]].concat(), RELEASE, &[]).await?;
            continue;
        }
        helm.release(&upgrade, RELEASE, &[]).await?;
        let replicas = if file.ends_with("everything-values.yaml") { 3 } else { 2 };
        running(cluster, replicas).await.with_context(|| format!("{file:?}"))?;
    }
    helm.output(&["uninstall", RELEASE, "-n", RELEASE, "--wait"]).await?.success()?;
    as_before(cluster, &before, LIMIT).await?;
    cluster.kubectl().run(&["delete", "namespace", RELEASE]).await.map(drop)
}

#[tokio::test]
async fn the_manifests_are_upgraded_from_those_before_and_leave_no_trace() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let before = settled(cluster).await?;
    let previous = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/chart/previous.yaml");
    let manifests = chart().join("../install.yaml");
    let kubectl = cluster.kubectl();
    for file in [&previous, &manifests, &manifests] {
        kubectl.run(&["apply", "-f", &file.display().to_string()]).await?;
        let rolled = ["rollout", "status", "deployment", RELEASE, "-n", RELEASE, "--timeout=60s"];
        kubectl.run(&rolled).await?;
    }
    let budget = kubectl.json(&["poddisruptionbudget", RELEASE, "-n", RELEASE]).await?;
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    kubectl.run(&["delete", "-f", &manifests.display().to_string()]).await?;
    as_before(cluster, &before, LIMIT).await
}

async fn restricted_namespace(cluster: &Cluster) -> Result<()> {
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": RELEASE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    cluster.kubectl().apply(&[namespace]).await
}

/// The nodes of the webhook's pods, once so many of the last rollout run, and no others.
async fn running(cluster: &Cluster, count: usize) -> Result<BTreeSet<String>> {
    let pods = Api::<Pod>::namespaced(cluster.client().await?, RELEASE);
    eventually("the pods run", LIMIT, async || {
        let pods = pods.list(&ListParams::default()).await?.items;
        let phase = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.clone());
        let phases: Vec<_> = pods.iter().map(|pod| phase(pod).unwrap_or_default()).collect();
        ensure!(phases.len() == count && phases.iter().all(|phase| phase == "Running"), "{phases:?}");
        let nodes = pods.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.clone());
        Ok(nodes.collect())
    })
    .await
}

/// Who owns which fields of the objects in a file, but for what controllers report, and how often their
/// specs were changed.
async fn owned(cluster: &Cluster, file: &str) -> Result<Vec<Value>> {
    let list = cluster.kubectl().json(&["-f", file, "--show-managed-fields"]).await?;
    let items = list["items"].as_array().context("no list")?;
    ensure!(items.len() > 5, "{} objects", items.len());
    ensure!(list.to_string().contains("\"manager\":\"kubectl\""), "another manager");
    Ok(items.iter().map(|object| {
        let metadata = &object["metadata"];
        let managers = metadata["managedFields"].as_array().into_iter().flatten();
        let specs: Vec<_> = managers.filter(|entry| entry["manager"] == "kubectl").collect();
        json!({"kind": object["kind"], "name": metadata["name"], "generation": metadata["generation"], "fields": specs})
    }).collect())
}

/// The cluster's objects, once what other tests have left is gone.
async fn settled(cluster: &Cluster) -> Result<BTreeSet<String>> {
    eventually("nothing comes or goes", LIMIT, async || {
        let (one, other) = (listing(cluster).await?, listing(cluster).await?);
        let changed = difference(&one, &other);
        ensure!(changed.is_empty(), "{changed:?}");
        let going = ["get", "namespaces", "--field-selector=status.phase=Terminating", "-o", "name"];
        let going = cluster.kubectl().run(&going).await?;
        ensure!(going.trim().is_empty(), "{going}");
        ensure!(
            !other.iter().any(|object| object.contains(RELEASE) && object.starts_with("Pod ")),
            "its pods"
        );
        Ok(other)
    })
    .await
}
