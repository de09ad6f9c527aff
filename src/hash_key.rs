//! The hash key, under which everything that is recorded of a Secret is computed.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::digest::{Encoding, Hex};
use crate::reference::{Keys, Mode};
use crate::source::{Source, SourceKind};

/// 32 random bytes, kept in a Secret of the install namespace.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct HashKey([u8; HashKey::LENGTH]);

/// Tells hash keys apart without telling anything about them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashKeyId(String);

/// A hash key of the wrong length.
#[derive(Debug, thiserror::Error)]
#[error("a hash key has {expected} bytes, this one has {0}", expected = HashKey::LENGTH)]
pub struct WrongLength(usize);

impl HashKey {
    /// Length of a key, in bytes.
    pub const LENGTH: usize = 32;

    /// The Secret of the install namespace that holds the key.
    pub const SECRET_NAME: &str = "kubectl-reload-hash-key";

    /// The entry of that Secret's `data`.
    pub const SECRET_KEY: &str = "key";

    /// A key from its bytes.
    ///
    /// # Errors
    /// When there are not [`HashKey::LENGTH`] of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WrongLength> {
        bytes.try_into().map(Self).map_err(|_| WrongLength(bytes.len()))
    }

    /// Its bytes, to be stored and never shown.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The key that the installation's Secret holds; `None` where there is none of the right length.
    pub fn from_secret(secret: &Source) -> Option<Self> {
        let bytes = secret.content.as_ref()?.get(Mode::Directory, Self::SECRET_KEY)?;
        Self::from_bytes(bytes).ok()
    }

    /// The id that records name the key by: an HMAC under the key itself.
    pub fn id(&self) -> HashKeyId {
        let mut mac = keyed(&self.0);
        mac.update(b"kubectl-reload.dev/1/hash-key-id");
        HashKeyId(Hex::<4>::first_of(&mac.finalize().into_bytes().into()).to_string())
    }

    /// The key of one source, so that equal values in two places look different.
    pub(crate) fn of_source(&self, kind: SourceKind, namespace: &str, name: &str) -> SourceKey {
        let mut mac = keyed(&self.0);
        let mut encoding = Encoding::new(|bytes: &[u8]| mac.update(bytes));
        for part in ["kubectl-reload.dev/1/source-key", kind.singular(), namespace, name] {
            encoding.bytes(part.as_bytes());
        }
        SourceKey(mac.finalize().into_bytes().into())
    }
}

impl fmt::Display for HashKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hash key of an installation, and those that it had before: records outlive a rotation, and say
/// by its id which key they were written under.
pub struct HashKeys {
    current: HashKey,
    previous: Vec<HashKey>,
}

impl HashKeys {
    /// Entries of the Secret's `data` whose names begin like this hold earlier keys: `previous`,
    /// `previous-2026`. New records are never written under them.
    pub const PREVIOUS: &str = "previous";

    /// How many earlier keys are looked at, the first by name: a Secret holds few.
    pub const MOST_PREVIOUS: usize = 16;

    /// The keys that the installation's Secret holds; `None` where it has no current one of the
    /// right length. Earlier ones of another length are passed over.
    pub fn from_secret(secret: &Source) -> Option<Self> {
        let current = HashKey::from_secret(secret)?;
        let entries = secret.content.as_ref()?;
        let all = Keys::all();
        let entries = entries.select(Mode::Directory, &all).into_iter();
        let previous = entries
            .filter(|(name, _)| name.starts_with(Self::PREVIOUS))
            .filter_map(|(_, bytes)| HashKey::from_bytes(bytes?).ok())
            .take(Self::MOST_PREVIOUS);
        Some(Self { current, previous: previous.collect() })
    }

    /// The one that new records are written under.
    pub fn current(&self) -> &HashKey {
        &self.current
    }

    /// The one that records name by this id.
    pub fn get(&self, id: &HashKeyId) -> Option<&HashKey> {
        std::iter::once(&self.current).chain(&self.previous).find(|key| key.id() == *id)
    }
}

/// The hash key of one source.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct SourceKey([u8; 32]);

impl SourceKey {
    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        keyed(&self.0)
    }
}

/// HMAC pads a key to the hash's block with zeros (RFC 2104): done here, so that it cannot fail.
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..key.len()].copy_from_slice(key);
    let mac = Hmac::new(&block);
    block.zeroize();
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_depends_on_the_key_and_is_no_part_of_it() {
        let key = HashKey::from_bytes(&[7; 32]).unwrap();
        let other = HashKey::from_bytes(&[8; 32]).unwrap();
        assert_eq!(key.id(), key.id());
        assert_ne!(key.id(), other.id());
        assert_eq!(key.id().to_string().len(), 8);
        assert!(!key.id().to_string().contains("0707"));
    }

    fn secret(entries: &[(&str, Vec<u8>)]) -> Source {
        let metadata = serde_json::json!({
            "uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z",
        });
        let entries = entries.iter().map(|(name, value)| (*name, k8s_openapi::ByteString(value.clone())));
        let data: std::collections::BTreeMap<_, _> = entries.collect();
        let secret = serde_json::json!({ "metadata": metadata, "data": data });
        Source::parse(SourceKind::Secret, secret.to_string().as_bytes()).unwrap()
    }

    fn key(byte: u8) -> HashKey {
        HashKey::from_bytes(&[byte; 32]).unwrap()
    }

    #[test]
    fn the_installations_secret_holds_it() {
        let found = |name, value| HashKey::from_secret(&secret(&[(name, value)])).map(|key| key.id());
        assert_eq!(found("key", vec![7; 32]), Some(key(7).id()));
        assert_eq!(found("other", vec![7; 32]), None);
        assert_eq!(found("key", vec![7; 31]), None);
    }

    #[test]
    fn earlier_keys_are_found_by_the_ids_that_records_name() {
        let keys = [
            ("key", vec![7; 32]),
            ("previous", vec![6; 32]),
            ("previous-2026", vec![5; 32]),
            ("previous-short", vec![4; 31]),
            ("other", vec![3; 32]),
        ];
        let keys = HashKeys::from_secret(&secret(&keys)).unwrap();
        assert_eq!(keys.current().id(), key(7).id());
        for (byte, known) in [(7, true), (6, true), (5, true), (4, false), (3, false)] {
            let id = key(byte).id();
            assert_eq!(keys.get(&id).map(HashKey::id), known.then_some(id), "{byte}");
        }
        assert!(HashKeys::from_secret(&secret(&[("previous", vec![6; 32])])).is_none());
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert_eq!(
            HashKey::from_bytes(&[1; 31]).err().unwrap().to_string(),
            "a hash key has 32 bytes, this one has 31"
        );
    }

    #[test]
    fn padding_is_that_of_hmac() {
        let padded = keyed(&[3; 32]).chain_update(b"x").finalize().into_bytes();
        let plain =
            Hmac::<Sha256>::new_from_slice(&[3; 32]).unwrap().chain_update(b"x").finalize().into_bytes();
        assert_eq!(padded, plain);
    }
}
