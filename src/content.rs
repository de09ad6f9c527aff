//! The content of a source, wiped from memory when it is dropped.

use std::collections::BTreeMap;

use zeroize::Zeroize;

use crate::reference::{Keys, Mode};

/// Keys and values of a ConfigMap or Secret. It has no `Debug`: values must not reach a log.
#[derive(Default)]
pub struct Content {
    data: BTreeMap<String, Value>,
    binary_data: BTreeMap<String, Value>,
}

/// One value.
struct Value(Vec<u8>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Content {
    /// The content of a ConfigMap: text values, and binary ones, which no environment variable can
    /// take.
    pub fn config_map(
        data: impl IntoIterator<Item = (String, String)>,
        binary_data: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Self {
        Self {
            data: data.into_iter().map(|(key, value)| (key, Value(value.into_bytes()))).collect(),
            binary_data: binary_data.into_iter().map(|(key, value)| (key, Value(value))).collect(),
        }
    }

    /// The content of a Secret, decoded.
    pub fn secret(data: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self {
            data: data.into_iter().map(|(key, value)| (key, Value(value))).collect(),
            binary_data: BTreeMap::new(),
        }
    }

    /// The bytes that a use of `mode` sees under `key`.
    pub fn get(&self, mode: Mode, key: &str) -> Option<&[u8]> {
        let binary = || self.binary_data.get(key).filter(|_| mode != Mode::Env);
        self.data.get(key).or_else(binary).map(|value| value.0.as_slice())
    }

    /// How many keys there are, of both sorts.
    pub(crate) fn len(&self) -> usize {
        self.data.len() + self.binary_data.len()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.binary_data.is_empty()
    }

    /// Whether a use of `mode` sees `key`.
    pub fn has(&self, mode: Mode, key: &str) -> bool {
        self.get(mode, key).is_some()
    }

    /// The selected keys in byte order: all that exist for `All`, each named one for `Some`,
    /// with `None` where it is absent.
    pub(crate) fn select<'a>(&'a self, mode: Mode, keys: &'a Keys) -> BTreeMap<&'a str, Option<&'a [u8]>> {
        match keys {
            Keys::All { except } => {
                let names = self.data.keys().chain(self.binary_data.keys()).map(String::as_str);
                let used = names.filter(|key| !except.contains(*key));
                used.map(|key| (key, self.get(mode, key))).filter(|(_, value)| value.is_some()).collect()
            }
            Keys::Some(keys) => keys.iter().map(|key| (key.as_str(), self.get(mode, key))).collect(),
        }
    }
}
