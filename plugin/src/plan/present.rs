//! A source as it is in the cluster, and who has written which of its keys.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;
use reload_core::source::{SourceId, SourceKind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::source::{Data, values};
use crate::api::{ApiError, Resource, get_object};

/// A source that is there.
pub(super) struct Present {
    pub(super) uid: String,
    pub(super) created_at: String,
    pub(super) data: Data,
    pub(super) immutable: bool,
    /// Of a Secret.
    pub(super) kind: Option<String>,
    /// Annotations of this project.
    pub(super) annotations: Map<String, Value>,
    /// What `kubectl apply` was given last.
    last_applied: Option<LastApplied>,
    writers: Vec<Writer>,
}

type Keys = BTreeMap<String, IgnoredAny>;

/// The names of what was applied; its values are passed over.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LastApplied {
    data: Option<Keys>,
    binary_data: Option<Keys>,
    immutable: Option<bool>,
}

/// An entry of `metadata.managedFields`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Writer {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    operation: String,
    #[serde(rename = "fieldsV1", default)]
    fields: Fields,
}

#[derive(Default, Deserialize)]
struct Fields {
    #[serde(rename = "f:data")]
    data: Option<Keys>,
    #[serde(rename = "f:binaryData")]
    binary_data: Option<Keys>,
}

impl Writer {
    fn owns(&self, key: &str) -> bool {
        let owned = [&self.fields.data, &self.fields.binary_data].into_iter().flatten();
        let field = format!("f:{key}");
        owned.into_iter().any(|owned| owned.contains_key(&field))
    }

    /// Whether it takes back what it does not want any more.
    fn applies(&self) -> bool {
        self.operation == "Apply" || self.manager.eq_ignore_ascii_case("helm")
    }
}

impl Present {
    /// Reads it; `Ok(None)` where there is none.
    pub(super) async fn get(
        client: &Client,
        namespace: &str,
        id: &SourceId,
    ) -> Result<Option<Self>, ApiError> {
        let plural = id.kind.plural();
        let resource =
            Resource { group: "/api/v1", plural, namespace: Some(namespace), name: Some(&id.name) };
        let malformed = || ApiError::Malformed { what: format!("get {id} in {namespace}") };
        match get_object(client, resource).await {
            Ok(json) => {
                let value: Value = serde_json::from_slice(&json).map_err(|_| malformed())?;
                Self::of(id.kind, &value).map(Some).ok_or_else(malformed)
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn of(kind: SourceKind, value: &Value) -> Option<Self> {
        let metadata = value.get("metadata")?;
        let text = |field: &str| metadata.get(field).and_then(Value::as_str).map(str::to_owned);
        let data = match kind {
            SourceKind::ConfigMap => Data {
                data: values(value.get("data"), false).ok()?,
                binary: values(value.get("binaryData"), true).ok()?,
            },
            SourceKind::Secret => Data { data: values(value.get("data"), true).ok()?, ..Data::default() },
        };
        let annotations = metadata.get("annotations").and_then(Value::as_object);
        let last_applied = annotations
            .and_then(|annotations| annotations.get("kubectl.kubernetes.io/last-applied-configuration"))
            .and_then(|text| serde_json::from_str(text.as_str()?).ok());
        let own = annotations.into_iter().flatten();
        let own = own.filter(|(name, _)| name.starts_with(reload_core::annotation::PREFIX));
        let writers = metadata.get("managedFields").cloned().unwrap_or_default();
        Some(Self {
            uid: text("uid")?,
            created_at: text("creationTimestamp")?,
            data,
            immutable: value.get("immutable").and_then(Value::as_bool).unwrap_or(false),
            kind: value.get("type").and_then(Value::as_str).map(str::to_owned),
            annotations: own.map(|(name, value)| (name.clone(), value.clone())).collect(),
            last_applied,
            writers: serde_json::from_value(writers).unwrap_or_default(),
        })
    }

    /// Whether applying a file that does not name a key removes it: `kubectl apply` does so with what
    /// it was given before, but not by `stringData`; server-side apply and Helm with what nobody else
    /// has written. What others have put there stays.
    pub(super) fn takes_back(&self, key: &str) -> bool {
        let applied = self.last_applied.as_ref();
        let applied = applied.into_iter().flat_map(|applied| [&applied.data, &applied.binary_data]);
        if applied.flatten().any(|keys| keys.contains_key(key)) {
            return true;
        }
        let mut owners = self.writers.iter().filter(|writer| writer.owns(key)).peekable();
        owners.peek().is_some() && owners.all(Writer::applies)
    }

    /// The same of `immutable`.
    pub(super) fn takes_back_immutable(&self) -> bool {
        self.last_applied.as_ref().is_some_and(|applied| applied.immutable == Some(true))
    }

    /// The keys whose last write is known.
    pub(super) fn owned(&self) -> BTreeSet<&str> {
        let owns = |key: &&str| self.writers.iter().any(|writer| writer.owns(key));
        self.data.keys().into_iter().filter(owns).collect()
    }
}
