//! Twenty namespaces with ten Deployments each, and a thousand ConfigMaps and Secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Webhook, WebhookOptions, eventually};
use serde_json::{Value, json};

/// One of the namespaces.
pub(crate) const FIRST: &str = "team-0";

const NAMESPACES: usize = 20;
const DEPLOYMENTS: usize = 10;
/// Of each kind, in a namespace.
const SOURCES: usize = 50;
const VALUE: usize = 10_000;
const PARALLEL: usize = 32;
const LIMIT: Duration = Duration::from_secs(600);

/// What lives in the cluster.
pub(crate) struct Population {
    client: Client,
    /// It records pods as long as it is there.
    _webhook: Webhook,
}

impl Population {
    /// All but the pods.
    pub(crate) async fn create(cluster: &Cluster) -> Result<Self> {
        let client = cluster.client().await?;
        let names: Vec<String> = (0..NAMESPACES).map(|i| format!("team-{i}")).collect();
        for name in &names {
            let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
            Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        }
        let objects: Vec<(String, &str, Value)> = names.iter().flat_map(|name| sources(name)).collect();
        post(&client, objects).await?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let webhook = Webhook::start(cluster, WebhookOptions::installed(&names)).await?;
        let deployments = names.iter().flat_map(|name| (0..DEPLOYMENTS).map(|i| deployment(name, i)));
        post(&client, deployments.collect()).await?;
        Ok(Self { client, _webhook: webhook })
    }

    /// Makes it so many pods, all of them running, with or without a record.
    pub(crate) async fn scale(&mut self, pods: usize, recorded: bool) -> Result<()> {
        let replicas = pods / (NAMESPACES * DEPLOYMENTS);
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        for namespace in 0..NAMESPACES {
            let api = Api::<Deployment>::namespaced(self.client.clone(), &format!("team-{namespace}"));
            for name in 0..DEPLOYMENTS {
                api.patch(&format!("app-{name}"), &PatchParams::default(), &patch).await?;
            }
        }
        eventually("all pods run", LIMIT, async || {
            let deployments =
                Api::<Deployment>::all(self.client.clone()).list(&ListParams::default()).await?;
            let ready = |deployment: &Deployment| deployment.status.as_ref().and_then(|s| s.ready_replicas);
            let ready: i32 = deployments.items.iter().filter_map(ready).sum();
            ensure!(usize::try_from(ready)? == pods, "{ready} of {pods} are ready");
            let there = self.metadata().await?.len();
            ensure!(there == pods, "{there} of {pods} are there");
            Ok(())
        })
        .await?;
        if !recorded {
            self.strip_records().await?;
        }
        Ok(())
    }

    async fn metadata(&self) -> Result<Vec<PartialObjectMeta<Pod>>> {
        let pods = Api::<Pod>::all(self.client.clone());
        let mut pods = pods.list_metadata(&ListParams::default()).await?.items;
        pods.retain(|pod| pod.metadata.namespace.as_deref().is_some_and(|name| name.starts_with("team-")));
        Ok(pods)
    }

    async fn strip_records(&self) -> Result<()> {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {RECORD: null}}}));
        let strip = async |pod: PartialObjectMeta<Pod>| {
            let has_record = |annotations: &BTreeMap<String, String>| annotations.contains_key(RECORD);
            if !pod.metadata.annotations.as_ref().is_some_and(has_record) {
                return Ok(());
            }
            let namespace = pod.metadata.namespace.unwrap_or_default();
            let api = Api::<Pod>::namespaced(self.client.clone(), &namespace);
            let name = pod.metadata.name.unwrap_or_default();
            api.patch_metadata(&name, &PatchParams::default(), &patch).await.map(drop)
        };
        let pods = self.metadata().await?;
        futures::stream::iter(pods.into_iter().map(strip))
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        Ok(())
    }
}

/// With the field manager that `kubectl apply` has where `applied`.
async fn post(client: &Client, objects: Vec<(String, &str, Value)>) -> Result<()> {
    let post = async |(path, manager, object): (String, &str, Value)| -> Result<()> {
        let request = http::Request::post(format!("{path}?fieldManager={manager}"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(serde_json::to_vec(&object)?)?;
        client.request::<Value>(request).await?;
        Ok(())
    };
    futures::stream::iter(objects.into_iter().map(post)).buffer_unordered(PARALLEL).try_collect().await
}

/// Half of them as client-side apply leaves them.
fn sources(namespace: &str) -> Vec<(String, &'static str, Value)> {
    let source = |i: usize, kind: &str, field: &str| {
        let plural = format!("{}s", kind.to_lowercase());
        let name = format!("source-{i}");
        let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name},
            field: {"settings": "x".repeat(VALUE)}});
        let applied = i.is_multiple_of(2);
        if applied {
            let copy = object.to_string();
            object["metadata"]["annotations"] =
                json!({"kubectl.kubernetes.io/last-applied-configuration": copy});
        }
        let manager = if applied { "kubectl-client-side-apply" } else { "helm" };
        (format!("/api/v1/namespaces/{namespace}/{plural}"), manager, object)
    };
    (0..SOURCES).flat_map(|i| [source(i, "ConfigMap", "data"), source(i, "Secret", "stringData")]).collect()
}

fn deployment(namespace: &str, i: usize) -> (String, &'static str, Value) {
    let labels = json!({"app": format!("app-{i}")});
    let source = format!("source-{i}");
    let container = json!({"name": "app", "image": "none", "envFrom": [{"configMapRef": {"name": source}}],
        "volumeMounts": [{"name": "files", "mountPath": "/etc/files"}]});
    let volumes = json!([{"name": "files", "secret": {"secretName": source}}]);
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("app-{i}")},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": volumes}}}});
    (format!("/apis/apps/v1/namespaces/{namespace}/deployments"), "helm", object)
}
