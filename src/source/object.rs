//! A source as the API server returns it.

use std::collections::BTreeMap;
use std::mem;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::SourceKind;
use crate::content::Content;
use crate::last_write::{LastWrite, ManagedFields};

/// A source that is there.
pub struct Source {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `metadata.creationTimestamp`.
    pub created_at: Timestamp,
    /// Whether it is marked immutable.
    pub immutable: bool,
    /// Its last data write, if anything tells of it.
    pub last_write: Option<LastWrite>,
    /// Its content, where it was read.
    pub content: Option<Content>,
}

/// A text that is no ConfigMap or Secret. What is wrong is not told: it could quote a value.
#[derive(Debug, thiserror::Error)]
#[error("the API server's answer is not a {}", .0.singular())]
pub struct Malformed(SourceKind);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "V: DeserializeOwned")]
struct Object<V> {
    metadata: Metadata,
    #[serde(default)]
    immutable: Option<bool>,
    data: Option<BTreeMap<String, V>>,
    binary_data: Option<BTreeMap<String, ByteString>>,
}

/// A value of a Secret, wiped wherever it is dropped: with an object that is malformed further on, or for
/// another value of its key.
#[derive(Deserialize)]
#[serde(from = "ByteString")]
struct SecretValue(Zeroizing<Vec<u8>>);

impl From<ByteString> for SecretValue {
    fn from(ByteString(bytes): ByteString) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    resource_version: String,
    creation_timestamp: Timestamp,
    #[serde(default)]
    managed_fields: Vec<ManagedFields>,
}

impl Source {
    /// Reads a source in JSON. Everything but what the fields tell of is passed over while
    /// parsing; annotations above all, where `kubectl apply` keeps a copy of the values.
    ///
    /// # Errors
    /// [`Malformed`], which quotes nothing.
    pub fn parse(kind: SourceKind, json: &[u8]) -> Result<Self, Malformed> {
        let malformed = |_| Malformed(kind);
        match kind {
            SourceKind::ConfigMap => {
                let object: Object<String> = serde_json::from_slice(json).map_err(malformed)?;
                let Object { metadata, immutable, data, binary_data } = object;
                let binary = binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
                Ok(Self::new(metadata, immutable, Content::config_map(data.unwrap_or_default(), binary)))
            }
            SourceKind::Secret => {
                let object: Object<SecretValue> = serde_json::from_slice(json).map_err(malformed)?;
                let Object { metadata, immutable, data, .. } = object;
                let data = data.unwrap_or_default().into_iter();
                let data = data.map(|(key, mut value)| (key, mem::take(&mut *value.0)));
                Ok(Self::new(metadata, immutable, Content::secret(data)))
            }
        }
    }

    fn new(metadata: Metadata, immutable: Option<bool>, content: Content) -> Self {
        Self {
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            created_at: metadata.creation_timestamp,
            immutable: immutable.unwrap_or(false),
            last_write: LastWrite::of(&metadata.managed_fields),
            content: Some(content),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reference::Mode;

    #[test]
    fn both_kinds_are_read() {
        let metadata = json!({
            "name": "m", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": "v1",
                "time": "2026-01-01T00:00:05Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}],
        });
        let map =
            json!({"metadata": metadata, "data": {"a": "1"}, "binaryData": {"b": "AAE="}, "immutable": true});
        let source = Source::parse(SourceKind::ConfigMap, map.to_string().as_bytes()).unwrap();
        assert!(source.immutable);
        assert_eq!((source.uid.as_str(), source.resource_version.as_str()), ("u", "7"));
        assert_eq!(source.last_write.unwrap().manager, "kubectl");
        let content = source.content.unwrap();
        assert_eq!(content.get(Mode::Directory, "b"), Some([0, 1].as_slice()));
        assert_eq!(content.get(Mode::Env, "b"), None);
        let secret = json!({"metadata": metadata, "data": {"p": "aHVudGVyMg=="}, "type": "Opaque"});
        let source = Source::parse(SourceKind::Secret, secret.to_string().as_bytes()).unwrap();
        assert_eq!(source.content.unwrap().get(Mode::Env, "p"), Some(b"hunter2".as_slice()));
    }

    #[test]
    fn an_error_quotes_no_value() {
        for json in ["\"hunter2\"", "{\"metadata\":{},\"data\":\"hunter2\"}", "hunter2", ""] {
            let error = Source::parse(SourceKind::Secret, json.as_bytes()).err().unwrap();
            assert_eq!(error.to_string(), "the API server's answer is not a secret");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
