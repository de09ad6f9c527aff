//! Where a scenario happens: a workload and a source of its own name, in a namespace of many.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Event};
use kube::api::{Patch, PatchParams};
use reload_tests::manifest::config_map;
use reload_tests::node::NAME;
use reload_tests::{Namespace, Node, Source, Workload, eventually};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long anything may take that nothing delays on purpose, on a node with much to do.
const LIMIT: Duration = Duration::from_secs(90);

/// With its default settings, the kubelet takes up to about 90 s to update a mounted directory.
const FILES: Duration = Duration::from_secs(180);

/// After so many seconds, a start has read the last write, by the product's own rule.
pub(crate) const ENV_RULE: i64 = 10;
pub(crate) const FILES_RULE: i64 = 150;

/// After that many, it certainly has: both times have whole seconds.
pub(crate) const ENV_LAG: i64 = ENV_RULE + 2;
pub(crate) const FILES_LAG: i64 = FILES_RULE + 2;

pub(crate) struct Place<'a> {
    node: &'a Node,
    namespace: Namespace<'a>,
    recorded: Namespace<'a>,
    name: String,
    gate: &'a Semaphore,
    permit: RefCell<Option<SemaphorePermit<'a>>>,
    /// When the source was last written, or a workload made.
    event: Cell<Timestamp>,
}

impl<'a> Place<'a> {
    pub(crate) fn new(
        node: &'a Node,
        namespace: Namespace<'a>,
        recorded: Namespace<'a>,
        gate: &'a Semaphore,
        scenario: &str,
    ) -> Self {
        let words = scenario.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let name = words.collect::<Vec<_>>().join("-").to_lowercase();
        let (permit, event) = (RefCell::default(), Cell::new(Timestamp::now()));
        Self { node, namespace, recorded, name, gate, permit, event }
    }

    pub(crate) fn namespace(&self) -> &Namespace<'a> {
        &self.namespace
    }

    /// One in which pods are always recorded.
    pub(crate) fn recorded(&self) -> &Namespace<'a> {
        &self.recorded
    }

    /// The name of the workload and of its source.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `deployment/NAME`.
    pub(crate) fn workload(&self) -> String {
        format!("deployment/{}", self.name)
    }

    /// Its ConfigMap.
    pub(crate) fn map(&self) -> Source<'_> {
        Source::config_map(&self.name)
    }

    /// Its ConfigMap, of that colour and size 1.
    pub(crate) fn painted(&self, colour: &str) -> Value {
        config_map(&self.name, &[("colour", colour), ("size", "1")])
    }

    /// Its workload, which uses nothing yet.
    pub(crate) fn app(&self) -> Workload {
        Workload::deployment(&self.name)
    }

    /// Its workload with the colour as a variable.
    pub(crate) fn env(&self) -> Workload {
        self.app().env("COLOUR", self.map(), "colour").sees(&["COLOUR"])
    }

    /// Its workload with the source as a directory.
    pub(crate) fn directory(&self) -> Workload {
        self.app().directory("/etc/settings", self.map()).sees(&["/etc/settings"])
    }

    /// Its workload with the colour as a single file.
    pub(crate) fn sub_path(&self) -> Workload {
        self.app().file("/etc/colour", self.map(), "colour").sees(&["/etc/colour"])
    }

    /// Waits until it may act.
    pub(crate) async fn enter(&self) -> Result<()> {
        let permit = self.gate.acquire().await?;
        self.permit.replace(Some(permit));
        Ok(())
    }

    /// Takes the workload away and lets another scenario act.
    pub(crate) async fn leave(&self, workload: &str) -> Result<()> {
        self.namespace.kubectl().run(&["delete", workload, "--wait=false"]).await?;
        self.permit.take();
        Ok(())
    }

    /// Lets others act while this one waits.
    async fn aside<T>(&self, wait: impl Future<Output = Result<T>>) -> Result<T> {
        self.permit.take();
        let waited = wait.await;
        self.enter().await?;
        waited
    }

    /// Makes or changes a source, as people do.
    pub(crate) async fn put(&self, source: Value) -> Result<()> {
        self.namespace.apply([source]).await?;
        self.event.set(Timestamp::now());
        Ok(())
    }

    /// Sets keys of the ConfigMap, as another manager than the one that made it.
    pub(crate) async fn write(&self, data: Value) -> Result<()> {
        self.patch(json!({"data": data})).await
    }

    /// Another colour.
    pub(crate) async fn paint(&self, colour: &str) -> Result<()> {
        self.write(json!({"colour": colour})).await
    }

    /// Changes fields of the ConfigMap.
    pub(crate) async fn patch(&self, patch: Value) -> Result<()> {
        let sources = self.namespace.api::<ConfigMap>();
        sources.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        self.event.set(Timestamp::now());
        Ok(())
    }

    /// When the ConfigMap was last written, by itself; where there is none, when something was last done.
    pub(crate) async fn written(&self) -> Result<Timestamp> {
        let map = self.namespace.api::<ConfigMap>().get_opt(&self.name).await?;
        let entries = map.and_then(|map| map.metadata.managed_fields).into_iter().flatten();
        Ok(entries.filter_map(|entry| entry.time).map(|time| time.0).max().unwrap_or(self.event.get()))
    }

    /// Takes the ConfigMap away.
    pub(crate) async fn delete(&self) -> Result<()> {
        self.namespace.kubectl().run(&["delete", "configmap", &self.name]).await.map(drop)
    }

    /// Takes the ConfigMap away and makes it again.
    pub(crate) async fn recreate(&self, source: Value) -> Result<()> {
        self.delete().await?;
        self.put(source).await
    }

    /// Makes the ConfigMap red and a workload that uses it, and waits until the workload runs.
    pub(crate) async fn start(&self, workload: Workload) -> Result<()> {
        self.put(self.painted("red")).await?;
        self.deploy(workload).await
    }

    /// Makes a workload and waits until it runs.
    pub(crate) async fn deploy(&self, workload: Workload) -> Result<()> {
        self.begin(workload).await?;
        self.runs().await
    }

    /// Makes a workload that will not run at once.
    pub(crate) async fn begin(&self, workload: Workload) -> Result<()> {
        self.namespace.apply([workload]).await?;
        self.event.set(Timestamp::now());
        Ok(())
    }

    /// Waits until the workload has its pod, running or not.
    pub(crate) async fn has_a_pod(&self) -> Result<()> {
        let pod = eventually("it has a pod", LIMIT, async || self.namespace.only_pod(&self.workload()).await);
        pod.await.map(drop)
    }

    /// Waits until all of the workload runs.
    pub(crate) async fn runs(&self) -> Result<()> {
        self.namespace.rolled_out(&self.workload()).await.map(drop)
    }

    /// Replaces the pod by a rolling update.
    pub(crate) async fn roll(&self) -> Result<()> {
        self.namespace.kubectl().run(&["rollout", "restart", &self.workload()]).await?;
        self.runs().await
    }

    /// Ends the node's kubelet.
    pub(crate) async fn stop_kubelet(&self) -> Result<()> {
        self.node.stop_kubelet().await
    }

    /// Starts the node's kubelet again and waits until it knows the workload's pod.
    pub(crate) async fn start_kubelet(&self) -> Result<()> {
        self.node.start_kubelet().await?;
        let client = self.namespace.client();
        eventually("the kubelet knows the pod", LIMIT, async || {
            let pods = format!("/api/v1/nodes/{NAME}/proxy/pods");
            let pods = client.request_text(http::Request::get(pods).body(Vec::new())?).await?;
            ensure!(pods.contains(&self.name), "it does not");
            Ok(())
        })
        .await
    }

    /// Lets the main container end and start again in place.
    pub(crate) async fn crash(&self) -> Result<()> {
        self.namespace.crash(&self.workload()).await?;
        self.namespace.started(&self.name()).await
    }

    /// Lets the init container `prepare` finish once it runs, and waits for the main one.
    pub(crate) async fn prepare(&self) -> Result<()> {
        let pod = self.namespace.runs(&self.workload(), "prepare").await?;
        self.namespace.tell(&pod, "prepare", "finish").await?;
        self.namespace.runs(&self.workload(), "app").await.map(drop)
    }

    /// Waits until that many seconds have passed since the last write, or since a workload was made.
    pub(crate) async fn passed(&self, seconds: i64) -> Result<()> {
        let until = self.event.get() + SignedDuration::from_secs(seconds);
        let limit = Duration::from_secs(seconds.unsigned_abs() + 10);
        let passed = eventually(format!("{seconds} s have passed"), limit, async || {
            ensure!(Timestamp::now() > until, "it is not {until} yet");
            Ok(())
        });
        // A short wait may be one that has to end in time.
        if seconds < ENV_LAG { passed.await } else { self.aside(passed).await }
    }

    /// Waits until the mounted directory shows that colour.
    pub(crate) async fn followed(&self, colour: &str) -> Result<()> {
        self.aside(eventually(format!("the directory is {colour}"), FILES, async || {
            let report = self.namespace.report(&self.workload()).await?;
            ensure!(report.files["/etc/settings/colour"] == colour, "{report:?}");
            Ok(())
        }))
        .await
    }

    /// Waits until the kubelet has said that about the pod in an event.
    pub(crate) async fn kubelet_says(&self, message: &str) -> Result<()> {
        eventually(format!("an event says {message:?}"), LIMIT, async || {
            let events = self.namespace.api::<Event>().list(&Default::default()).await?;
            let about = |event: &&Event| {
                event.involved_object.name.as_ref().is_some_and(|name| name.starts_with(&self.name))
            };
            let mut messages = events.iter().filter(about).filter_map(|event| event.message.as_ref());
            messages.find(|said| said.contains(message)).map(drop).context("no such event")
        })
        .await
    }
}
