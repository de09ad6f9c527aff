//! A namespace for one test.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures::FutureExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace as Object, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::{Client, ResourceExt};
use reload_core::record::SourceRecord;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::kubectl::{Kubectl, Output};
use crate::rollout;
use crate::wait::eventually;
use crate::webhook::{Webhook, WebhookOptions, record};

/// How long controllers and fake nodes may take for anything. They take a second or two.
const LIMIT: Duration = Duration::from_secs(180);

/// A namespace of a cluster, and what tests do in it.
#[derive(Clone)]
pub struct Namespace<'a> {
    cluster: &'a Cluster,
    name: String,
    client: Client,
}

/// Runs a test in a new namespace, and removes the namespace when the test has ended.
///
/// When the test fails or panics, stderr shows what was in the namespace before it is removed:
/// workloads, pods, sources without their contents, events, and the log of its webhook.
pub async fn with_namespace(
    cluster: &Cluster,
    name: &str,
    test: impl AsyncFnOnce(Namespace<'_>) -> Result<()>,
) -> Result<()> {
    let namespace = Namespace::create(cluster, name).await?;
    let result = AssertUnwindSafe(test(namespace.clone())).catch_unwind().await;
    if !matches!(result, Ok(Ok(()))) {
        eprintln!("{}", namespace.state().await);
    }
    let removed = namespace.remove().await;
    match result {
        Ok(result) => result.and(removed),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl<'a> Namespace<'a> {
    /// Makes a namespace and waits until it has what controllers put into each.
    pub async fn create(cluster: &'a Cluster, name: &str) -> Result<Self> {
        let namespace = Self::existing(cluster, name).await?;
        let mut object = Object::default();
        object.metadata.name = Some(name.to_owned());
        Api::<Object>::all(namespace.client())
            .create(&PostParams::default(), &object)
            .await
            .with_context(|| format!("cannot make the namespace {name}"))?;
        let (accounts, sources) = (namespace.api::<ServiceAccount>(), namespace.api::<ConfigMap>());
        eventually("controllers have filled the namespace", LIMIT, async || {
            accounts.get("default").await?;
            Ok(sources.get_metadata("kube-root-ca.crt").await?)
        })
        .await?;
        Ok(namespace)
    }

    /// One that is there, or is about to be.
    pub async fn existing(cluster: &'a Cluster, name: &str) -> Result<Self> {
        Ok(Self { cluster, name: name.to_owned(), client: cluster.client().await? })
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it lies in.
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// The administrator's client.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The objects of one kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client(), &self.name)
    }

    /// kubectl with this as its namespace.
    pub fn kubectl(&self) -> Kubectl<'a> {
        self.cluster.kubectl().namespace(&self.name)
    }

    /// The same, whose plugin looks for the [webhook](Self::webhook) of this namespace.
    pub fn kubectl_with_webhook(&self) -> Kubectl<'a> {
        self.kubectl().env("KUBECTL_RELOAD_NAMESPACE", &self.webhook_options().install_namespace)
    }

    /// `kubectl reload … -n NAME`, with the [webhook](Self::webhook) of this namespace.
    pub async fn reload(&self, arguments: &[&str]) -> Result<Output> {
        self.kubectl_with_webhook().reload(arguments).await
    }

    /// A webhook of this namespace alone, running.
    pub async fn webhook(&self) -> Result<Webhook> {
        Webhook::start(self.cluster, self.webhook_options()).await
    }

    /// How [`webhook`](Self::webhook) is installed.
    pub fn webhook_options(&self) -> WebhookOptions {
        WebhookOptions::beside_others(&self.name)
    }

    /// `kubectl apply`, all at once.
    pub async fn apply(&self, manifests: impl IntoIterator<Item = impl Into<Value>>) -> Result<()> {
        let manifests: Vec<_> = manifests.into_iter().map(Into::into).collect();
        self.kubectl().apply(&manifests).await
    }

    /// Applies workloads and waits until all of them have [rolled out](Self::rolled_out).
    pub async fn deploy(&self, workloads: impl IntoIterator<Item = impl Into<Value>>) -> Result<()> {
        let workloads: Vec<Value> = workloads.into_iter().map(Into::into).collect();
        self.kubectl().apply(&workloads).await?;
        for workload in &workloads {
            let kind = workload["kind"].as_str().unwrap_or_default();
            let name = workload["metadata"]["name"].as_str().unwrap_or_default();
            self.rolled_out(&format!("{}/{name}", kind.to_lowercase())).await?;
        }
        Ok(())
    }

    /// Waits until all pods of a workload (`deployment/shop`) run its present template, and gives
    /// the workload. The second in which they started is over then: times are whole seconds, and what
    /// is written within that one may have been read or not.
    pub async fn rolled_out(&self, workload: &str) -> Result<Value> {
        let path = self.path(workload)?;
        let finished = eventually(format!("{workload} has rolled out"), LIMIT, async || {
            let request = http::Request::get(&path).body(Vec::new())?;
            let object: Value = self.client.request(request).await?;
            let wanted = rollout::finished(&object)?;
            // Of a pod that was deleted a moment ago, its controller may not have heard yet.
            let live = self.pods(workload).await?.len() as u64;
            ensure!(live >= wanted, "{live} of {wanted} pods are there");
            Ok(object)
        });
        let finished = finished.await?;
        self.started(split(workload)?.1).await?;
        Ok(finished)
    }

    /// Waits until all live pods with the label `app` have started, and the second is over in which
    /// they did.
    pub async fn started(&self, app: &str) -> Result<()> {
        eventually(format!("the second in which the pods of {app} started is over"), LIMIT, async || {
            let now = jiff::Timestamp::now().as_second();
            for pod in self.pods(&format!("pod/{app}")).await? {
                let started = last_start(&pod).context("a pod has yet to start")?;
                ensure!(started.as_second() < now, "it is {started}");
            }
            Ok(())
        })
        .await
    }

    /// Waits until a workload has [rolled out](Self::rolled_out); its pods have a record of all that they use.
    /// By the times that users have a review may come too late on a machine which runs other suites: a pod
    /// without a record, or with sources that were not read in time, is made again, once.
    pub async fn recorded(&self, workload: &str) -> Result<()> {
        self.rolled_out(workload).await?;
        let late = self.unrecorded(workload).await?;
        for (name, _) in &late {
            self.api::<Pod>().delete(name, &DeleteParams::default()).await?;
        }
        if !late.is_empty() {
            self.rolled_out(workload).await?;
        }
        let again = self.unrecorded(workload).await?;
        ensure!(again.is_empty(), "{late:?}, and made again {again:?}");
        Ok(())
    }

    /// The pods of a workload without a full record, and what is the matter with each.
    async fn unrecorded(&self, workload: &str) -> Result<Vec<(String, String)>> {
        let pods = self.pods(workload).await?;
        let unrecorded = |pod: &Pod| Some((pod.name_any(), recorded(pod).err()?.to_string()));
        Ok(pods.iter().filter_map(unrecorded).collect())
    }

    /// The uids of a workload's live pods (`deployment/shop`), by the label `app`. Equal before and
    /// after means that nothing was restarted.
    pub async fn pod_uids(&self, workload: &str) -> Result<BTreeSet<String>> {
        let pods = self.pods(workload).await?;
        Ok(pods.iter().filter_map(ResourceExt::uid).collect())
    }

    /// A workload's live pods (`deployment/shop`), by the label `app`.
    pub async fn pods(&self, workload: &str) -> Result<Vec<Pod>> {
        let (_, name) = split(workload)?;
        let selector = ListParams::default().labels(&format!("app={name}"));
        let mut pods = self.api::<Pod>().list(&selector).await?.items;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(pods)
    }

    fn path(&self, workload: &str) -> Result<String> {
        let (kind, name) = split(workload)?;
        let plural = match kind {
            "deployment" => "deployments",
            "statefulset" => "statefulsets",
            "daemonset" => "daemonsets",
            _ => bail!("{workload}: unknown kind"),
        };
        let namespace = &self.name;
        Ok(format!("/apis/apps/v1/namespaces/{namespace}/{plural}/{name}"))
    }

    /// What a person would look at first.
    async fn state(&self) -> String {
        let name = &self.name;
        let mut text = format!("--- state of namespace {name}\n");
        for what in ["deployments,statefulsets,daemonsets,replicasets,pods", "configmaps,secrets", "events"] {
            let output = self.kubectl().output(&["get", what, "-o", "wide"]).await;
            text += &output.map_or_else(|error| error.to_string(), |output| output.stdout);
        }
        let log = self.webhook_log();
        text += &format!("--- {}\n", log.display());
        text += &std::fs::read_to_string(log).unwrap_or_default();
        text
    }

    fn webhook_log(&self) -> PathBuf {
        let registration = self.webhook_options().registration;
        self.cluster.folder().join(format!("{registration}.log"))
    }

    /// Begins to delete it; the controllers do the rest.
    async fn remove(&self) -> Result<()> {
        Api::<Object>::all(self.client()).delete(&self.name, &DeleteParams::default()).await?;
        Ok(())
    }
}

fn recorded(pod: &Pod) -> Result<()> {
    let record = record(pod)?;
    let unread = |source: &SourceRecord| matches!(source, SourceRecord::Unread(_));
    ensure!(!record.sources.values().any(unread), "{record:?}");
    Ok(())
}

/// When the last of a pod's containers that run started.
fn last_start(pod: &Pod) -> Option<jiff::Timestamp> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let started = containers
        .filter_map(|container| container.state.as_ref()?.running.as_ref()?.started_at.as_ref())
        .map(|time| time.0);
    started.max()
}

fn split(workload: &str) -> Result<(&str, &str)> {
    workload.split_once('/').ok_or_else(|| anyhow!("{workload}: not kind/name"))
}
