//! What the inventory keeps of a pod.

use jiff::Timestamp;
use reload_core::annotation::{IGNORE, RECORD};
use reload_core::options::{Carrier, Options};
use reload_core::record::{PodIdentity, Record};
use serde::Deserialize;

use super::{Revision, Uid};
use crate::annotations::OwnAnnotations;
use crate::api::{ItemsError, ObjectMeta, is_there};
use crate::workload::Owner;

/// What is kept of a pod's metadata.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodMetadata {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(super) uid: Uid,
    resource_version: String,
    generate_name: Option<String>,
    creation_timestamp: Timestamp,
    /// When, whoever deletes it may choose.
    #[serde(default, rename = "deletionTimestamp", deserialize_with = "is_there")]
    pub(super) is_leaving: bool,
    #[serde(default, rename = "ownerReferences", deserialize_with = "Owner::controller")]
    pub(super) controller: Option<Owner>,
    #[serde(default)]
    annotations: OwnAnnotations,
    #[serde(default)]
    labels: Revision,
}

impl TryFrom<ObjectMeta> for PodMetadata {
    type Error = ItemsError;

    fn try_from(metadata: ObjectMeta) -> Result<Self, ItemsError> {
        Ok(Self {
            creation_timestamp: metadata.created_at()?,
            is_leaving: metadata.is_leaving(),
            annotations: OwnAnnotations::of(&metadata)?,
            labels: Revision::of(&metadata)?,
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generate_name: Some(metadata.generate_name).filter(|name| !name.is_empty()),
            controller: Owner::of(metadata.owner_references),
        })
    }
}

impl PodMetadata {
    /// Who the pod is.
    pub(crate) fn identity(&self) -> PodIdentity {
        PodIdentity {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            generate_name: self.generate_name.clone(),
            controller: self.controller.as_ref().map(|owner| owner.uid.clone()),
            created_at: self.creation_timestamp,
        }
    }

    /// `metadata.resourceVersion`.
    pub(crate) fn resource_version(&self) -> &str {
        &self.resource_version
    }

    /// `metadata.uid`.
    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// Whether its annotations are understood, and ask for nothing that the record does not cover.
    pub(crate) fn is_plain(&self, record: &Record) -> bool {
        let options = Options::parse(Carrier::Pod, &self.name, &self.annotations);
        options.is_ok_and(|options| options.extra.iter().all(|id| record.sources.contains_key(id)))
    }

    /// Whether it asks to be left out.
    pub(crate) fn is_ignored(&self) -> bool {
        self.annotations.get(IGNORE) == Some("true")
    }

    /// `metadata.creationTimestamp`.
    pub(crate) fn created_at(&self) -> Timestamp {
        self.creation_timestamp
    }

    /// Its record, as it stands on it.
    pub(crate) fn record(&self) -> Option<&str> {
        self.annotations.get(RECORD)
    }

    /// Of which revision of its workload it is.
    pub(crate) fn revision(&self) -> &Revision {
        &self.labels
    }
}

#[cfg(test)]
impl PodMetadata {
    /// That of a pod in `shop` which nobody owns.
    pub(crate) fn named(name: &str, created_at: Timestamp) -> Self {
        let metadata = serde_json::json!({"namespace": "shop", "name": name, "uid": "u", "resourceVersion": "1",
            "creationTimestamp": created_at});
        serde_json::from_value(metadata).unwrap()
    }
}
