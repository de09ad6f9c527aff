//! Immutable sources that were deleted and made again: a node that had a pod with the old one goes
//! on serving the old content by name, to new pods too, as long as any pod there refers to it.
//!
//! What shows it: a pod, or an older revision of a workload, that refers to the name and is older
//! than the source. Which node a pod is on is not asked, so that a pod on a fresh node may be in
//! doubt too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::Client;
use reload_core::record::{Record, SourceRecord};
use reload_core::reference::references;
use reload_core::source::SourceId;
use serde::de::DeserializeOwned;

use crate::api::{ApiError, Resource, list_objects};
use crate::inventory::Inventory;
use crate::workload::{Kind, Owner, WorkloadName};

/// A pod that is recorded to use a source.
struct User {
    workload: WorkloadName,
    created_at: Timestamp,
}

/// Collects the users of immutable sources, and finds those in doubt.
#[derive(Default)]
pub(crate) struct Immutables {
    users: BTreeMap<(String, SourceId), Vec<User>>,
    /// Names of which a pod is recorded to have an immutable source that is gone.
    gone: BTreeSet<(String, SourceId)>,
}

/// Per workload, the immutable sources of which its pods may run on an older content.
pub(crate) type Suspects = BTreeMap<WorkloadName, BTreeSet<SourceId>>;

impl Immutables {
    /// Takes note of the immutable sources in a pod's record.
    pub(crate) fn note(
        &mut self,
        inventory: &Inventory,
        workload: &WorkloadName,
        record: &Record,
        created_at: Timestamp,
    ) {
        let namespace = &workload.namespace;
        for (id, source) in &record.sources {
            let was = matches!(source, SourceRecord::Read(read) if read.immutable);
            if was && inventory.version(namespace, id).map(|(uid, _)| uid) != uid(source) {
                self.gone.insert((namespace.clone(), id.clone()));
            }
            let users = self.users.entry((namespace.clone(), id.clone())).or_default();
            users.push(User { workload: workload.clone(), created_at });
        }
    }

    /// The workloads whose pods may run on an older content.
    ///
    /// # Errors
    /// When older revisions cannot be read.
    pub(crate) async fn suspects(self, client: &Client, inventory: &Inventory) -> Result<Suspects, ApiError> {
        let mut suspects = Suspects::new();
        let mut revisions: BTreeMap<String, Revisions> = BTreeMap::new();
        for ((namespace, id), users) in self.users {
            let key = (namespace, id);
            let gone = self.gone.contains(&key);
            let (namespace, id) = key;
            let since = match inventory.immutable_since(&namespace, &id) {
                Some(since) => since,
                None if gone => Timestamp::MAX,
                None => continue,
            };
            let older_pod = gone || users.iter().any(|user| user.created_at < since);
            for User { workload, .. } in users {
                if !older_pod && !revisions.contains_key(&namespace) {
                    revisions.insert(namespace.clone(), Revisions::fetch(client, &namespace).await?);
                }
                if older_pod || revisions.get(&namespace).is_some_and(|all| all.older(&workload, &id, since))
                {
                    suspects.entry(workload).or_default().insert(id.clone());
                }
            }
        }
        Ok(suspects)
    }
}

fn uid(source: &SourceRecord) -> Option<&str> {
    match source {
        SourceRecord::Read(read) => Some(&read.uid),
        SourceRecord::Absent | SourceRecord::Unread(_) => None,
    }
}

/// A revision of a workload: when it came to be, and what it refers to.
struct Revision {
    created_at: Option<Timestamp>,
    sources: BTreeSet<SourceId>,
}

/// The revisions of a namespace's workloads.
struct Revisions(BTreeMap<WorkloadName, Vec<Revision>>);

impl Revisions {
    async fn fetch(client: &Client, namespace: &str) -> Result<Self, ApiError> {
        let (sets, revisions) = tokio::join!(
            list::<ReplicaSet>(client, namespace, "replicasets"),
            list::<ControllerRevision>(client, namespace, "controllerrevisions"),
        );
        let mut all: BTreeMap<WorkloadName, Vec<Revision>> = BTreeMap::new();
        for set in sets? {
            let template = set.spec.template.as_ref();
            add(&mut all, namespace, &set.metadata, template);
        }
        for revision in revisions? {
            let template = revision.data.0.pointer("/spec/template");
            let template: Option<PodTemplateSpec> =
                template.and_then(|template| serde_json::from_value(template.clone()).ok());
            add(&mut all, namespace, &revision.metadata, template.as_ref());
        }
        Ok(Self(all))
    }

    /// Whether a revision of the workload that refers to the source is older than it.
    fn older(&self, workload: &WorkloadName, id: &SourceId, since: Timestamp) -> bool {
        let revisions = self.0.get(workload).into_iter().flatten();
        revisions
            .filter(|revision| revision.sources.contains(id))
            .any(|revision| revision.created_at.is_none_or(|created_at| created_at < since))
    }
}

fn add(
    all: &mut BTreeMap<WorkloadName, Vec<Revision>>,
    namespace: &str,
    metadata: &kube::api::ObjectMeta,
    template: Option<&PodTemplateSpec>,
) {
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let workload = match owner {
        Some(owner) => Owner::workload_of(&owner.api_version, &owner.kind, &owner.name, namespace),
        // A ReplicaSet of its own is its own revision.
        None => WorkloadName {
            namespace: namespace.to_owned(),
            kind: Kind::ReplicaSet,
            name: metadata.name.clone().unwrap_or_default(),
        },
    };
    let spec = template.and_then(|template| template.spec.as_ref());
    let found = spec.map(|spec| references(spec, &BTreeSet::new())).unwrap_or_default();
    all.entry(workload).or_default().push(Revision {
        created_at: metadata.creation_timestamp.as_ref().map(|time| time.0),
        sources: found.into_iter().map(|reference| reference.source).collect(),
    });
}

async fn list<T: DeserializeOwned>(
    client: &Client,
    namespace: &str,
    plural: &str,
) -> Result<Vec<T>, ApiError> {
    let resource = Resource { group: "/apis/apps/v1", plural, namespace: Some(namespace), name: None };
    match list_objects(client, resource, &[]).await {
        Err(error) if error.is_forbidden() => {
            tracing::warn!("immutable sources that were made again are not found out: {error}");
            Ok(Vec::new())
        }
        result => result,
    }
}
