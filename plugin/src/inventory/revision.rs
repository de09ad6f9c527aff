//! Revisions of workloads: what pods and ReplicaSets tell of them.

use std::collections::HashMap;

use serde::Deserialize;

use super::Uid;
use crate::api::{ItemsError, ObjectMeta};
use crate::workload::Owner;

/// Where a Deployment numbers its ReplicaSets.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The labels by which controllers tell their revisions apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Revision {
    #[serde(rename = "pod-template-hash")]
    pub(crate) template_hash: Option<String>,
    #[serde(rename = "controller-revision-hash")]
    pub(crate) controller_hash: Option<String>,
    #[serde(rename = "pod-template-generation")]
    pub(crate) template_generation: Option<String>,
    #[serde(rename = "rollouts-pod-template-hash")]
    pub(crate) rollout_hash: Option<String>,
}

/// What is kept of a ReplicaSet's metadata.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplicaSetMetadata {
    pub(super) uid: Uid,
    #[serde(default, rename = "ownerReferences", deserialize_with = "Owner::controller")]
    pub(super) controller: Option<Owner>,
    #[serde(default)]
    pub(super) labels: Revision,
    #[serde(default)]
    annotations: ReplicaSetAnnotations,
}

#[derive(Debug, Default, Deserialize)]
struct ReplicaSetAnnotations {
    #[serde(rename = "deployment.kubernetes.io/revision")]
    revision: Option<String>,
}

impl Revision {
    /// That of an object.
    ///
    /// # Errors
    /// When its labels are malformed.
    pub(super) fn of(metadata: &ObjectMeta) -> Result<Self, ItemsError> {
        let mut revision = Self::default();
        for (name, value) in metadata.labels(|name| Self::default().field(name).is_some())? {
            if let Some(field) = revision.field(&name) {
                *field = Some(value);
            }
        }
        Ok(revision)
    }

    fn field(&mut self, label: &str) -> Option<&mut Option<String>> {
        Some(match label {
            "pod-template-hash" => &mut self.template_hash,
            "controller-revision-hash" => &mut self.controller_hash,
            "pod-template-generation" => &mut self.template_generation,
            "rollouts-pod-template-hash" => &mut self.rollout_hash,
            _ => return None,
        })
    }
}

impl TryFrom<ObjectMeta> for ReplicaSetMetadata {
    type Error = ItemsError;

    fn try_from(metadata: ObjectMeta) -> Result<Self, ItemsError> {
        let revision = metadata.annotations(|name| name == REVISION)?.pop().map(|(_, value)| value);
        Ok(Self {
            labels: Revision::of(&metadata)?,
            annotations: ReplicaSetAnnotations { revision },
            uid: metadata.uid,
            controller: Owner::of(metadata.owner_references),
        })
    }
}

impl ReplicaSetMetadata {
    /// Which of its Deployment's it is, counted from 1.
    pub(super) fn number(&self) -> Option<u64> {
        self.annotations.revision.as_ref()?.parse().ok()
    }
}

/// The newest of each owner's, by its uid: a Deployment numbers them.
pub(super) fn newest(sets: &HashMap<Uid, ReplicaSetMetadata>) -> HashMap<Uid, Uid> {
    let mut newest: HashMap<&Uid, &ReplicaSetMetadata> = HashMap::new();
    for set in sets.values() {
        let Some(owner) = &set.controller else { continue };
        let known = newest.entry(&owner.uid).or_insert(set);
        if set.number() > known.number() {
            *known = set;
        }
    }
    newest.into_iter().map(|(owner, set)| (owner.clone(), set.uid.clone())).collect()
}
