//! Immutable sources that were deleted and made again: which pods of a cluster are in doubt.
//!
//! What shows it: a pod, whatever its workload, or an older revision of a workload, that knows an
//! older object of the name; see [`doubt`].

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodSpec;
use kube::Client;
use reload_core::record::{Record, SourceRecord};
use reload_core::reference::{MAX_PAIRS, pairs, references};
use reload_core::source::SourceId;
use reload_core::verdict::{Doubt, Trace, doubt};
use serde::Deserialize;
use serde_json::Value;

use crate::api::{ApiError, Resource, list_objects};
use crate::inventory::{Inventory, PodMetadata};
use crate::pods::{self, FetchedPod, PARALLEL};
use crate::workload::{Kind, Owner, WorkloadName};

/// What the pods that were looked at show.
#[derive(Default)]
pub(crate) struct Immutables {
    /// Per namespace, sources of which an older object was seen.
    older: BTreeMap<String, BTreeMap<SourceId, Doubt>>,
    /// Per namespace, sources in use that are immutable, and since when they are there.
    fixed: BTreeMap<String, BTreeMap<SourceId, Timestamp>>,
    /// Of the namespaces of `fixed`; `None` where they may not be listed.
    revisions: BTreeMap<String, Option<Revisions>>,
}

impl Immutables {
    /// Takes note of a source that something refers to.
    pub(crate) fn note(&mut self, inventory: &Inventory, namespace: &str, id: &SourceId, trace: Trace<'_>) {
        let Some(now) = inventory.object(namespace, id) else { return };
        match doubt(trace, now) {
            Some(doubt) => {
                let older = self.older.entry(namespace.to_owned()).or_default();
                let known = older.entry(id.clone()).or_insert(doubt);
                *known = doubt.max(*known);
            }
            None if now.immutable => {
                self.fixed.entry(namespace.to_owned()).or_default().insert(id.clone(), now.created_at);
            }
            None => {}
        }
    }

    /// Takes note of the sources in a pod's record.
    pub(crate) fn note_record(
        &mut self,
        inventory: &Inventory,
        namespace: &str,
        record: &Record,
        created_at: Timestamp,
    ) {
        for (id, source) in &record.sources {
            self.note(inventory, namespace, id, Trace::Recorded { source, created_at });
        }
    }

    /// Takes note of all that a pod without a record mounts or has in its environment, whether or not
    /// it is left out of verdicts.
    pub(crate) fn note_pod(&mut self, inventory: &Inventory, metadata: &PodMetadata, pod: &FetchedPod) {
        for reference in pod.references() {
            let made = Trace::Made(metadata.created_at());
            self.note(inventory, &metadata.namespace, &reference.source, made);
        }
    }

    /// Takes note of sources that were absent at a pod's admission, and that a container of it did not
    /// start without: one that did before the present object was made had an older one.
    pub(crate) fn note_awaited(
        &mut self,
        inventory: &Inventory,
        metadata: &PodMetadata,
        record: &Record,
        pod: &FetchedPod,
    ) {
        let absent = |id: &SourceId| matches!(record.sources.get(id), Some(SourceRecord::Absent));
        for reference in pod.references().iter().filter(|r| !r.optional && absent(&r.source)) {
            if let Some(started) = pod.started_at(&reference.container) {
                let trace = Trace::Started(started);
                self.note(inventory, &metadata.namespace, &reference.source, trace);
            }
        }
    }

    /// Takes note of unrecorded pods that nobody asked about, where they are older than an immutable
    /// source of their namespace.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn look_at_bystanders(
        &mut self,
        client: &Client,
        inventory: &Inventory,
        mut pods: Vec<&PodMetadata>,
    ) -> Result<(), ApiError> {
        let youngest = |namespace: &str| self.fixed.get(namespace)?.values().max().copied();
        pods.retain(|pod| youngest(&pod.namespace).is_some_and(|youngest| pod.created_at() < youngest));
        let fetched = pods::fetch(client, inventory, &pods).await?;
        for metadata in pods {
            if let Some(pod) = fetched.get(metadata.uid()) {
                self.note_pod(inventory, metadata, pod);
            }
        }
        Ok(())
    }

    /// Whether no source of a namespace is in doubt.
    pub(crate) fn is_empty_in(&self, namespace: &str) -> bool {
        !self.older.contains_key(namespace) && !self.fixed.contains_key(namespace)
    }

    /// Looks into the revisions of workloads, where pods left it open.
    ///
    /// # Errors
    /// When they cannot be listed for another reason than a missing right.
    pub(crate) async fn look_into_revisions(&mut self, client: &Client) -> Result<(), ApiError> {
        let namespaces: Vec<String> = self.fixed.keys().cloned().collect();
        let fetched = futures::stream::iter(namespaces)
            .map(async |namespace| match Revisions::fetch(client, &namespace).await {
                Ok(revisions) => Ok((namespace, Some(revisions))),
                Err(error) if error.is_forbidden() => {
                    tracing::warn!("immutable sources that were made again are not found out: {error}");
                    Ok((namespace, None))
                }
                Err(error) => Err(error),
            })
            .buffer_unordered(PARALLEL);
        self.revisions = fetched.try_collect().await?;
        Ok(())
    }

    /// What is doubtful about a source for the pods of a workload.
    pub(crate) fn doubt(&self, workload: &WorkloadName, id: &SourceId) -> Option<Doubt> {
        let namespace = &workload.namespace;
        if let Some(doubt) = self.older.get(namespace).and_then(|older| older.get(id)) {
            return Some(*doubt);
        }
        let since = *self.fixed.get(namespace)?.get(id)?;
        match self.revisions.get(namespace)? {
            None => Some(Doubt::Unseen),
            Some(revisions) => revisions.older(workload, id, since).then_some(Doubt::OlderIfImmutable),
        }
    }
}

/// A revision of a workload: when it came to be, and what it refers to.
struct Revision {
    created_at: Option<Timestamp>,
    sources: BTreeSet<SourceId>,
}

/// The revisions of a namespace's workloads.
struct Revisions(BTreeMap<WorkloadName, Vec<Revision>>);

/// What is looked at of a ReplicaSet or a ControllerRevision.
#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    /// Of a ReplicaSet.
    spec: Option<Templated>,
    /// Of a ControllerRevision, which may keep anything.
    data: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    creation_timestamp: Option<Timestamp>,
    #[serde(default, rename = "ownerReferences", deserialize_with = "Owner::controller")]
    controller: Option<Owner>,
}

#[derive(Deserialize)]
struct Templated {
    template: Option<PodTemplate>,
}

#[derive(Deserialize)]
struct PodTemplate {
    spec: Option<PodSpec>,
}

impl Object {
    fn pod_spec(&mut self) -> Option<PodSpec> {
        let kept = |data: &mut Value| serde_json::from_value(data.pointer_mut("/spec")?.take()).ok();
        let spec: Option<Templated> = self.spec.take().or_else(|| kept(self.data.as_mut()?));
        spec?.template?.spec
    }
}

impl Revisions {
    async fn fetch(client: &Client, namespace: &str) -> Result<Self, ApiError> {
        let (sets, revisions) = tokio::join!(
            list(client, namespace, "replicasets"),
            list(client, namespace, "controllerrevisions"),
        );
        let mut all = Self(BTreeMap::new());
        for object in sets?.into_iter().chain(revisions?) {
            all.add(namespace, object);
        }
        Ok(all)
    }

    /// Whether a revision of the workload that refers to the source is older than it.
    fn older(&self, workload: &WorkloadName, id: &SourceId, since: Timestamp) -> bool {
        let revisions = self.0.get(workload).into_iter().flatten();
        revisions
            .filter(|revision| revision.sources.contains(id))
            .any(|revision| revision.created_at.is_none_or(|created_at| created_at < since))
    }

    fn add(&mut self, namespace: &str, mut object: Object) {
        let spec = object.pod_spec();
        let Metadata { name, creation_timestamp, controller } = object.metadata;
        let workload = match controller {
            Some(owner) => owner.workload(namespace),
            // A ReplicaSet of its own is its own revision.
            None => WorkloadName { namespace: namespace.to_owned(), kind: Kind::ReplicaSet, name },
        };
        // Pods with too many references are not judged in any case.
        let spec = spec.filter(|spec| pairs(spec, 0) <= MAX_PAIRS);
        let found = spec.map(|spec| references(&spec, &BTreeSet::new())).unwrap_or_default();
        self.0.entry(workload).or_default().push(Revision {
            created_at: creation_timestamp,
            sources: found.into_iter().map(|reference| reference.source).collect(),
        });
    }
}

async fn list(client: &Client, namespace: &str, plural: &str) -> Result<Vec<Object>, ApiError> {
    let resource = Resource { group: "/apis/apps/v1", plural, namespace: Some(namespace), name: None };
    list_objects(client, resource, &[]).await
}
