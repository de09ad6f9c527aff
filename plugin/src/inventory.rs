//! The inventory: metadata of pods, sources and ReplicaSets, fetched at once and kept slim.
//!
//! The metadata of a source may hold a copy of its values in an annotation, where `kubectl apply`
//! leaves it: what is not needed is skipped while parsing.

mod beyond;
mod jobs;
mod pod;
mod revision;
mod source;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use kube::Client;
use reload_core::last_write::LastWrite;
use reload_core::options::{Carrier, InvalidOption, Options};
use reload_core::source::{Source, SourceId, SourceKind};
use reload_core::verdict::Object;
use serde::Deserialize;

use crate::api::{ApiError, ItemsError, ObjectMeta, Resource, list_compact_metadata};
use crate::scope::{Selector, Target};
use crate::workload::{Kind, Owner, WorkloadName};
use beyond::Beyond;
pub(crate) use pod::PodMetadata;
use revision::ReplicaSetMetadata;
pub(crate) use revision::Revision;
use source::SourceMetadata;

/// Selects the pods that run, or are about to.
pub(crate) const NOT_ENDED: [(&str, &str); 1] =
    [("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed")];

/// The uid of an object.
type Uid = String;

/// What the cluster holds, of one namespace or of all.
pub(crate) struct Inventory {
    /// Each is shared with what is surveyed of it.
    pub(crate) pods: Vec<Arc<PodMetadata>>,
    /// Those that are being deleted: they have no verdict, and still know the sources that they use.
    pub(crate) leaving: Vec<Arc<PodMetadata>>,
    /// The pods that a selector takes, where there is one. The others count as well: they keep
    /// the old content of an immutable source alive.
    selected: Option<HashSet<Uid>>,
    /// By namespace.
    sources: HashMap<String, HashMap<SourceId, SourceMetadata>>,
    /// Why sources of a kind are not in it.
    unlisted: HashMap<SourceKind, String>,
    beyond: Beyond,
    replica_sets: HashMap<Uid, ReplicaSetMetadata>,
    /// The newest of each Deployment, by its uid.
    newest_sets: HashMap<Uid, Uid>,
    /// Those that a CronJob made, and it.
    jobs: HashMap<Uid, Owner>,
    /// The one namespace that it is of.
    pub(crate) namespace: Option<String>,
    /// Why ReplicaSets are not in it, without which no Deployment is known.
    without_replica_sets: Option<ApiError>,
    /// Why Jobs are not in it, without which no CronJob is known.
    without_jobs: Option<ApiError>,
}

/// A pod that a selector takes.
#[derive(Deserialize)]
struct Selected {
    uid: Uid,
}

impl TryFrom<ObjectMeta> for Selected {
    type Error = ItemsError;

    fn try_from(metadata: ObjectMeta) -> Result<Self, ItemsError> {
        Ok(Self { uid: metadata.uid })
    }
}

impl Inventory {
    /// Fetches the metadata, all lists at once. Where sources of a kind or ReplicaSets may not be
    /// listed the rest is still given.
    ///
    /// # Errors
    /// When pods cannot be listed, or a list fails for another reason than a missing right.
    pub(crate) async fn fetch(
        client: &Client,
        namespace: Option<&str>,
        selector: Selector<'_>,
    ) -> Result<Self, ApiError> {
        let resource = |group, plural| Resource { group, plural, namespace, name: None };
        let selected = async {
            let Some(query) = selector.query(NOT_ENDED[0].1) else { return Ok(None) };
            let query: Vec<(&str, &str)> =
                query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let pods: Vec<Selected> =
                list_compact_metadata(client, resource("/api/v1", "pods"), &query).await?;
            Ok(Some(pods.into_iter().map(|pod| pod.uid).collect()))
        };
        let (pods, selected, config_maps, secrets, replica_sets) = tokio::join!(
            list_compact_metadata::<PodMetadata>(client, resource("/api/v1", "pods"), &NOT_ENDED),
            selected,
            list_compact_metadata::<SourceMetadata>(client, resource("/api/v1", "configmaps"), &[]),
            list_compact_metadata::<SourceMetadata>(client, resource("/api/v1", "secrets"), &[]),
            list_compact_metadata::<ReplicaSetMetadata>(
                client,
                resource("/apis/apps/v1", "replicasets"),
                &[]
            ),
        );
        let (leaving, pods) = pods?.into_iter().map(Arc::new).partition(|pod| pod.is_leaving);
        let mut inventory = Self {
            pods,
            leaving,
            selected: selected?,
            sources: HashMap::new(),
            unlisted: HashMap::new(),
            beyond: Beyond::default(),
            replica_sets: HashMap::new(),
            newest_sets: HashMap::new(),
            jobs: HashMap::new(),
            namespace: namespace.map(str::to_owned),
            without_replica_sets: None,
            without_jobs: None,
        };
        inventory.add_sources(SourceKind::ConfigMap, config_maps)?;
        inventory.add_sources(SourceKind::Secret, secrets)?;
        match replica_sets {
            Ok(items) => {
                let sets = items.into_iter().map(|set| (set.uid.clone(), set));
                inventory.replica_sets = sets.collect();
                inventory.newest_sets = revision::newest(&inventory.replica_sets);
            }
            Err(error) if error.is_forbidden() => {
                tracing::warn!("Deployments are shown as ReplicaSets: {error}");
                inventory.without_replica_sets = Some(error);
            }
            Err(error) => return Err(error),
        }
        (inventory.jobs, inventory.without_jobs) = jobs::owners(client, namespace, &inventory.pods).await?;
        Ok(inventory)
    }

    fn add_sources(
        &mut self,
        kind: SourceKind,
        list: Result<Vec<SourceMetadata>, ApiError>,
    ) -> Result<(), ApiError> {
        match list {
            Ok(items) => {
                for metadata in items {
                    let id = SourceId { kind, name: metadata.name.clone() };
                    self.sources.entry(metadata.namespace.clone()).or_default().insert(id, metadata);
                }
                Ok(())
            }
            Err(error) if error.is_forbidden() => {
                tracing::warn!("pods whose {} changed are not found out: {error}", kind.plural());
                let why = error.not_held().map(str::to_owned);
                self.unlisted.insert(kind, why.unwrap_or_else(|| format!("may not list {}", kind.plural())));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn metadata(&self, namespace: &str, id: &SourceId) -> Option<&SourceMetadata> {
        self.sources.get(namespace)?.get(id)
    }

    /// Whether a pod is among those that were asked for.
    pub(crate) fn is_selected(&self, pod: &PodMetadata) -> bool {
        self.selected.as_ref().is_none_or(|selected| selected.contains(&pod.uid))
    }

    /// The present uid and resourceVersion of a source.
    pub(crate) fn version(&self, namespace: &str, id: &SourceId) -> Option<(&str, &str)> {
        self.metadata(namespace, id).map(|source| (source.uid.as_str(), source.resource_version.as_str()))
    }

    /// The object that has a source's name now.
    pub(crate) fn object(&self, namespace: &str, id: &SourceId) -> Option<Object<'_>> {
        self.metadata(namespace, id).map(|source| Object {
            uid: &source.uid,
            created_at: source.creation_timestamp,
            immutable: source.is_immutable(),
        })
    }

    /// Whether a source asks to be left out.
    ///
    /// # Errors
    /// When it asks in a way that is not understood.
    pub(crate) fn is_ignored(&self, namespace: &str, id: &SourceId) -> Result<bool, InvalidOption> {
        let Some(source) = self.metadata(namespace, id) else { return Ok(false) };
        let object = format!("{id} in namespace {namespace}");
        Ok(Options::parse(Carrier::Source, &object, &source.annotations)?.ignore == Some(true))
    }

    /// A source as its metadata tells of it: `Ok(None)` where it does not exist.
    ///
    /// # Errors
    /// Why that cannot be known.
    pub(crate) fn source(&self, namespace: &str, id: &SourceId) -> Result<Option<Source>, String> {
        if let Some(planned) = self.planned(namespace, id) {
            return Ok(Some(planned));
        }
        if let Some(why) = self.unlisted.get(&id.kind) {
            return Err(why.clone());
        }
        let source = self.metadata(namespace, id);
        if let (None, Some(why)) = (source, self.doubted(namespace, id.kind)) {
            return Err(why);
        }
        Ok(source.map(|source| Source {
            uid: source.uid.clone(),
            resource_version: source.resource_version.clone(),
            created_at: source.creation_timestamp,
            immutable: source.is_immutable(),
            last_write: LastWrite::of(&source.managed_fields),
            content: None,
        }))
    }

    /// The top controller of a pod, or the pod itself.
    pub(crate) fn workload(&self, pod: &PodMetadata) -> WorkloadName {
        let Some(owner) = &pod.controller else {
            return WorkloadName {
                namespace: pod.namespace.clone(),
                kind: Kind::Pod,
                name: pod.name.clone(),
            };
        };
        let set = self.replica_sets.get(&owner.uid);
        let above = set.and_then(|set| set.controller.as_ref());
        above.or_else(|| self.jobs.get(&owner.uid)).unwrap_or(owner).workload(&pod.namespace)
    }

    /// The pods of a workload that are asked for, by name and uid.
    pub(crate) fn pods_of(&self, workload: &WorkloadName) -> Vec<(String, String)> {
        let pods = self.pods.iter().filter(|pod| self.is_selected(pod) && self.workload(pod) == *workload);
        pods.map(|pod| (pod.name.clone(), pod.uid.clone())).collect()
    }

    /// Where not all pods are asked for, all that there are, by their workloads.
    pub(crate) fn all_by_workload(&self) -> BTreeMap<WorkloadName, Vec<&PodMetadata>> {
        let mut all: BTreeMap<WorkloadName, Vec<&PodMetadata>> = BTreeMap::new();
        for pod in self.pods.iter().filter(|_| self.selected.is_some()) {
            all.entry(self.workload(pod)).or_default().push(pod);
        }
        all
    }

    /// From now on one pod alone is asked for.
    pub(crate) fn select(&mut self, uid: &str) {
        self.selected = Some(HashSet::from([uid.to_owned()]));
    }

    /// From now on only pods of what is named are asked for, where something is.
    pub(crate) fn select_named(&mut self, targets: &[Target]) {
        if targets.is_empty() {
            return;
        }
        let taken = |pod: &&Arc<PodMetadata>| {
            let workload = self.workload(pod);
            self.is_selected(pod) && targets.iter().any(|target| target.takes(&workload, &pod.name))
        };
        self.selected = Some(self.pods.iter().filter(taken).map(|pod| pod.uid.clone()).collect());
    }

    /// Fails where what is named is of a kind that is not known for want of a right: its pods would count
    /// as others', and it would seem to have none.
    ///
    /// # Errors
    /// The right that is missing.
    pub(crate) fn ensure_known(&mut self, targets: &[Target]) -> Result<(), ApiError> {
        let named = |kinds: &[Kind]| targets.iter().any(|target| kinds.contains(&target.kind));
        let replica_sets = self.without_replica_sets.take_if(|_| named(&[Kind::Deployment, Kind::Rollout]));
        let jobs = self.without_jobs.take_if(|_| named(&[Kind::CronJob]));
        replica_sets.or(jobs).map_or(Ok(()), Err)
    }

    /// The template hash of a Deployment's newest ReplicaSet.
    pub(crate) fn newest_template_hash(&self, deployment_uid: &str) -> Option<&str> {
        let newest = self.newest_sets.get(deployment_uid)?;
        self.replica_sets.get(newest)?.labels.template_hash.as_deref()
    }
}
