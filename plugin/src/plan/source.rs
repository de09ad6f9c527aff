//! The data of a source, key by key, and how one differs from another.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use reload_core::record::Changes;
use reload_core::reference::Mode;
use reload_core::source::SourceKind;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// Bytes by key; they are wiped when they are dropped.
pub(super) type Values = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// What a source holds. It has no `Debug`: values must not reach a log.
#[derive(Default, Clone, PartialEq)]
pub(super) struct Data {
    pub(super) data: Values,
    /// Of a ConfigMap: no environment variable takes it.
    pub(super) binary: Values,
}

impl Data {
    /// What a use of `mode` sees of it.
    fn seen(&self, mode: Mode) -> BTreeMap<&str, &[u8]> {
        let binary = self.binary.iter().filter(|_| mode != Mode::Env);
        binary.chain(&self.data).map(|(key, value)| (key.as_str(), value.as_slice())).collect()
    }

    /// All keys.
    pub(super) fn keys(&self) -> BTreeSet<&str> {
        self.data.keys().chain(self.binary.keys()).map(String::as_str).collect()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.data.contains_key(key) || self.binary.contains_key(key)
    }

    /// How it differs from `before` for a use of `mode`.
    pub(super) fn changes(&self, before: &Self, mode: Mode) -> Changes {
        let (before, after) = (before.seen(mode), self.seen(mode));
        let mut changes = Changes::default();
        for (key, value) in &after {
            match before.get(key) {
                None => changes.added.insert((*key).to_owned()),
                Some(other) if other != value => changes.changed.insert((*key).to_owned()),
                Some(_) => false,
            };
        }
        let gone = before.keys().filter(|key| !after.contains_key(*key));
        changes.removed = gone.map(|key| (*key).to_owned()).collect();
        changes
    }

    /// The fields `data` and `binaryData` of an object.
    pub(super) fn fields(&self, kind: SourceKind) -> [(&'static str, Value); 2] {
        let base64 = |bytes: &[u8]| serde_json::to_value(ByteString(bytes.to_vec())).unwrap_or_default();
        let text = |bytes: &[u8]| Value::String(String::from_utf8_lossy(bytes).into_owned());
        let data = self.data.iter().map(|(key, value)| {
            let value = match kind {
                SourceKind::ConfigMap => text(value),
                SourceKind::Secret => base64(value),
            };
            (key.clone(), value)
        });
        let binary = self.binary.iter().map(|(key, value)| (key.clone(), base64(value)));
        let data = Value::Object(data.collect::<Map<_, _>>());
        [("data", data), ("binaryData", Value::Object(binary.collect::<Map<_, _>>()))]
    }
}

/// The bytes of a field of an object: texts, or base64 of them.
///
/// # Errors
/// The key whose value is neither; of no key, where the field is no map.
pub(super) fn values(field: Option<&Value>, base64: bool) -> Result<Values, Option<String>> {
    let fields = match field {
        None | Some(Value::Null) => return Ok(Values::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(None),
    };
    let value = |(key, value): (&String, &Value)| {
        let bytes = match value {
            Value::Null if base64 => Some(Vec::new()),
            Value::String(text) if !base64 => Some(text.clone().into_bytes()),
            Value::String(_) => serde_json::from_value::<ByteString>(value.clone()).ok().map(|bytes| bytes.0),
            _ => None,
        };
        let bytes = bytes.ok_or_else(|| Some(key.clone()))?;
        Ok((key.clone(), Zeroizing::new(bytes)))
    };
    fields.iter().map(value).collect()
}
