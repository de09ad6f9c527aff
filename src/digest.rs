//! Digests: what the selected content of a source comes to, in 128 bits.
//!
//! The encoding under the hash is canonical and injective: a domain, then for each selected key in
//! byte order its name, whether it is there, and its value; every part behind its length. So no
//! two different contents share an encoding, an absent key differs from an empty one, and metadata
//! never counts.

mod hex;

use std::collections::BTreeMap;

use hmac::Mac;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::content::Content;
use crate::hash_key::{HashKey, SourceKey};
use crate::reference::{Keys, Mode};
use crate::source::{SourceId, SourceKind};

pub(crate) use hex::Hex;

/// 128 bits over the selected content of a source; as text, 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(Hex<16>);

/// 32 bits over one key and its value; as text, 8 hexadecimal digits. It names the keys that
/// changed, and decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(Hex<4>);

/// Computes digests and marks of one source: SHA-256 for a ConfigMap, HMAC-SHA-256 under the
/// source's own key for a Secret.
pub struct Hasher(Kind);

enum Kind {
    Plain,
    Keyed(SourceKey),
}

impl Hasher {
    /// The hasher of a source, or `None` for a Secret without a hash key.
    pub fn new(source: &SourceId, namespace: &str, key: Option<&HashKey>) -> Option<Self> {
        match source.kind {
            SourceKind::ConfigMap => Some(Self(Kind::Plain)),
            SourceKind::Secret => {
                key.map(|key| Self(Kind::Keyed(key.of_source(source.kind, namespace, &source.name))))
            }
        }
    }

    /// The digest of what a use of `mode` with these keys sees.
    pub fn digest(&self, content: &Content, mode: Mode, keys: &Keys) -> Digest {
        let selected = content.select(mode, keys);
        let hash = self.hash("kubectl-reload.dev/1/digest", |encoding| {
            encoding.length(selected.len());
            for (key, value) in &selected {
                encoding.bytes(key.as_bytes());
                encoding.optional(*value);
            }
        });
        Digest(Hex::first_of(&hash))
    }

    /// The marks of the same keys; `None` where a key is absent.
    pub fn marks(&self, content: &Content, mode: Mode, keys: &Keys) -> BTreeMap<String, Option<Mark>> {
        let mark = |key: &str, value: &[u8]| {
            let hash = self.hash("kubectl-reload.dev/1/mark", |encoding| {
                encoding.bytes(key.as_bytes());
                encoding.bytes(value);
            });
            Mark(Hex::first_of(&hash))
        };
        let selected = content.select(mode, keys).into_iter();
        selected.map(|(key, value)| (key.to_owned(), value.map(|value| mark(key, value)))).collect()
    }

    fn hash(&self, domain: &str, write: impl FnOnce(&mut Encoding<&mut dyn FnMut(&[u8])>)) -> [u8; 32] {
        match &self.0 {
            Kind::Plain => {
                let mut hash = Sha256::new();
                encode(domain, write, &mut |bytes| hash.update(bytes));
                hash.finalize().into()
            }
            Kind::Keyed(key) => {
                let mut mac = key.mac();
                encode(domain, write, &mut |bytes| mac.update(bytes));
                mac.finalize().into_bytes().into()
            }
        }
    }
}

fn encode(
    domain: &str,
    write: impl FnOnce(&mut Encoding<&mut dyn FnMut(&[u8])>),
    sink: &mut dyn FnMut(&[u8]),
) {
    let mut encoding = Encoding::new(sink);
    encoding.bytes(domain.as_bytes());
    write(&mut encoding);
}

/// Writes parts behind their lengths (8 bytes, big-endian) into a hash.
pub(crate) struct Encoding<Sink>(Sink);

impl<Sink: FnMut(&[u8])> Encoding<Sink> {
    pub(crate) fn new(sink: Sink) -> Self {
        Self(sink)
    }

    fn length(&mut self, length: usize) {
        (self.0)(&(length as u64).to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        (self.0)(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => (self.0)(&[0]),
            Some(bytes) => {
                (self.0)(&[1]);
                self.bytes(bytes);
            }
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
