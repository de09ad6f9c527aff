//! Sources as a file wants them.

use std::collections::BTreeSet;

use reload_core::source::{SourceId, SourceKind};
use serde_json::{Map, Value};

use super::source::{Data, values};
use crate::manifest::Manifest;
use crate::scope::parse_namespace;

/// A source of a file.
pub(super) struct Wanted {
    pub(super) namespace: String,
    pub(super) id: SourceId,
    pub(super) data: Data,
    /// `None` where the file does not say.
    pub(super) immutable: Option<bool>,
    /// Of a Secret.
    pub(super) kind: Option<String>,
    /// Annotations of this project.
    pub(super) annotations: Map<String, Value>,
}

/// Why a file cannot be planned.
#[derive(Debug, thiserror::Error)]
pub(super) enum WantedError {
    #[error("a {kind} in {file} has no name that a source can have: see its metadata.name")]
    Name { kind: &'static str, file: String },
    #[error("{id} in {file} has values that are not understood ({field}): {remedy}")]
    Value { id: SourceId, file: String, field: String, remedy: &'static str },
    #[error("{id} in namespace {namespace} is there twice: name each source once")]
    Twice { id: SourceId, namespace: String },
    #[error("{id} is of namespace {namespace}, and -n names another: apply would refuse it")]
    OtherNamespace { id: SourceId, namespace: String },
}

/// The ConfigMaps and Secrets among manifests; those without a namespace are of `namespace`, and where
/// that was `given` they may be of no other.
pub(super) fn sources(
    manifests: Vec<Manifest>,
    namespace: &str,
    given: bool,
) -> Result<Vec<Wanted>, WantedError> {
    let mut all = Vec::new();
    let mut known = BTreeSet::new();
    for manifest in manifests {
        let Some(wanted) = Wanted::of(&manifest, namespace)? else { continue };
        let (id, of) = (wanted.id.clone(), wanted.namespace.clone());
        if given && of != namespace {
            return Err(WantedError::OtherNamespace { id, namespace: of });
        }
        if !known.insert((of.clone(), id.clone())) {
            return Err(WantedError::Twice { id, namespace: of });
        }
        all.push(wanted);
    }
    Ok(all)
}

impl Wanted {
    /// `None` where it is something else.
    fn of(Manifest { file, object, .. }: &Manifest, namespace: &str) -> Result<Option<Self>, WantedError> {
        let kind = match (object.api_version.as_deref(), object.kind.as_deref()) {
            (Some("v1"), Some("ConfigMap")) => SourceKind::ConfigMap,
            (Some("v1"), Some("Secret")) => SourceKind::Secret,
            _ => return Ok(None),
        };
        let name = || WantedError::Name { kind: kind.singular(), file: file.to_string() };
        let id = SourceId { kind, name: object.name.clone().ok_or_else(name)? };
        if !id.is_valid() {
            return Err(name());
        }
        let value: Value = serde_json::from_str(&object.json).unwrap_or_default();
        let wrong = |field: String, remedy| WantedError::Value {
            id: id.clone(),
            file: file.to_string(),
            field,
            remedy,
        };
        let read = |field: &str, base64: bool| {
            values(value.get(field), base64).map_err(|key| {
                let field = key.map_or_else(|| field.to_owned(), |key| format!("{field}.{key}"));
                wrong(field, if base64 { "write base64" } else { "write texts, in quotes" })
            })
        };
        let data = match kind {
            SourceKind::ConfigMap => Data { data: read("data", false)?, binary: read("binaryData", true)? },
            SourceKind::Secret => {
                let mut data = read("data", true)?;
                // The API server merges them so.
                data.extend(read("stringData", false)?);
                Data { data, ..Data::default() }
            }
        };
        let immutable = match value.get("immutable") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(immutable)) => Some(*immutable),
            Some(_) => return Err(wrong("immutable".to_owned(), "write true or false")),
        };
        let own = |(name, _): &(&String, &Value)| name.starts_with(reload_core::annotation::PREFIX);
        let annotations = value.pointer("/metadata/annotations").and_then(Value::as_object);
        let annotations = annotations.into_iter().flatten().filter(own);
        let own = object.namespace.as_deref().filter(|own| !own.is_empty());
        let namespace = own.unwrap_or(namespace);
        let namespace = parse_namespace(namespace)
            .map_err(|_| wrong("metadata.namespace".to_owned(), "write the name of a namespace"))?;
        Ok(Some(Self {
            namespace,
            data,
            immutable,
            kind: value.get("type").and_then(Value::as_str).map(str::to_owned),
            annotations: annotations.map(|(name, value)| (name.clone(), value.clone())).collect(),
            id,
        }))
    }
}

#[cfg(test)]
mod tests;
