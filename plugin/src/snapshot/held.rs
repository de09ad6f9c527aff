//! An object that a snapshot holds, as far as requests ask for it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::ObjectMeta;
use reload_core::source::SourceKind;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{CONFIG_MAPS, NAMESPACES, PODS, Resource, SECRETS, withheld};
use crate::manifest::Object;

/// Where `kubectl apply` keeps a copy of the values.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// One object.
pub(super) struct Held {
    uid: String,
    resource_version: String,
    pub(super) labels: BTreeMap<String, String>,
    /// Of a pod.
    pub(super) phase: Option<String>,
    /// `{"metadata": …}`, without what no survey asks for.
    pub(super) metadata: String,
    /// The whole of it.
    pub(super) json: Zeroizing<String>,
    /// Why its content cannot be told, of a source.
    pub(super) withheld: Option<&'static str>,
    pub(super) has_managed_fields: bool,
    /// The latest time in its status, or that of its creation.
    pub(super) latest: Timestamp,
}

impl Held {
    /// An object, and its namespace and name.
    ///
    /// # Errors
    /// Which field is not as the API server gives it.
    pub(super) fn of(resource: Resource, object: Object) -> Result<((String, String), Self), &'static str> {
        let value: Value = serde_json::from_str(&object.json).map_err(|_| "no object")?;
        let metadata = value.get("metadata").ok_or("no metadata")?;
        let mut metadata: ObjectMeta =
            serde_json::from_value(metadata.clone()).map_err(|_| "its metadata is of wrong types")?;
        let name = metadata.name.clone().filter(|name| is_name(name)).ok_or("no valid metadata.name")?;
        let namespace = metadata.namespace.clone().unwrap_or_default();
        if !is_name(&namespace) && resource != NAMESPACES {
            return Err("no valid metadata.namespace");
        }
        let uid = metadata.uid.clone().ok_or("no metadata.uid")?;
        let resource_version = metadata.resource_version.clone().ok_or("no metadata.resourceVersion")?;
        let created_at = metadata.creation_timestamp.as_ref().ok_or("no metadata.creationTimestamp")?.0;
        let source = match resource {
            CONFIG_MAPS => Some(SourceKind::ConfigMap),
            SECRETS => Some(SourceKind::Secret),
            _ => None,
        };
        let has_managed_fields = metadata.managed_fields.as_ref().is_some_and(|fields| !fields.is_empty());
        // Nobody asks who wrote the others.
        metadata.managed_fields = metadata.managed_fields.filter(|_| source.is_some());
        metadata.annotations.as_mut().and_then(|annotations| annotations.remove(LAST_APPLIED));
        let labels = metadata.labels.clone().unwrap_or_default();
        let mut metadata = serde_json::to_value(metadata).map_err(|_| "its metadata is of wrong types")?;
        if source.is_some() && value.get("immutable") == Some(&Value::Bool(true)) {
            tell_immutable(&mut metadata);
        }
        let phase = value.pointer("/status/phase").and_then(Value::as_str).filter(|_| resource == PODS);
        let held = Self {
            uid,
            resource_version,
            labels,
            phase: phase.map(str::to_owned),
            metadata: json!({"metadata": metadata}).to_string(),
            withheld: source
                .and_then(|kind| withheld::reason(kind, &value, &object.json, has_managed_fields)),
            has_managed_fields,
            latest: value.get("status").map_or(created_at, |status| latest(status).max(created_at)),
            json: object.json,
        };
        Ok(((namespace, name), held))
    }

    /// Whether both are one object in one version.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.uid, &self.resource_version) == (&other.uid, &other.resource_version)
    }
}

/// Whether every object of the kinds that are held may have the name, and requests for it can be made.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !name.is_empty() && name.chars().all(allowed)
}

/// Metadata shows that a source is immutable by who has set that, which a file may lack.
fn tell_immutable(metadata: &mut Value) {
    let entry = json!({"fieldsV1": {"f:immutable": {}}});
    match metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
        Some(entries) => entries.push(entry),
        None => metadata["managedFields"] = json!([entry]),
    }
}

/// The latest time of a status.
fn latest(status: &Value) -> Timestamp {
    match status {
        // A time has 20 characters or more, and texts that are longer than any are none.
        Value::String(text) if (20..=35).contains(&text.len()) && text.as_bytes()[4] == b'-' => {
            text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
        }
        Value::Array(items) => items.iter().map(latest).max().unwrap_or(Timestamp::UNIX_EPOCH),
        Value::Object(fields) => fields.values().map(latest).max().unwrap_or(Timestamp::UNIX_EPOCH),
        _ => Timestamp::UNIX_EPOCH,
    }
}
