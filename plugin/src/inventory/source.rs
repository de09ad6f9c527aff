//! What the inventory keeps of a source.

use jiff::Timestamp;
use reload_core::last_write::ManagedFields;
use serde::Deserialize;

use crate::annotations::OwnAnnotations;
use crate::api::{ItemsError, ObjectMeta};

/// What is kept of a source's metadata.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SourceMetadata {
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) creation_timestamp: Timestamp,
    #[serde(default)]
    pub(super) managed_fields: Vec<ManagedFields>,
    #[serde(default)]
    pub(super) annotations: OwnAnnotations,
}

impl TryFrom<ObjectMeta> for SourceMetadata {
    type Error = ItemsError;

    fn try_from(metadata: ObjectMeta) -> Result<Self, ItemsError> {
        Ok(Self {
            creation_timestamp: metadata.created_at()?,
            managed_fields: metadata.managed_fields()?,
            annotations: OwnAnnotations::of(&metadata)?,
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
        })
    }
}

impl SourceMetadata {
    /// As far as metadata shows it.
    pub(super) fn is_immutable(&self) -> bool {
        self.managed_fields.iter().any(ManagedFields::sets_immutable)
    }
}
