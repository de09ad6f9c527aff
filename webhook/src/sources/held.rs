//! A source as it was read, shared by all who asked for it.

use std::sync::{Mutex, PoisonError};

use reload_core::digest::Hasher;
use reload_core::hash_key::{HashKey, HashKeyId};
use reload_core::record::UseRecord;
use reload_core::reference::{Keys, Mode};
use reload_core::source::{Source, SourceId};

/// Different uses that are remembered, at most. Pods that share a source mostly use it alike.
const MOST_USES: usize = 16;

/// A source, and what its uses came to, so that hundreds of pods of one template cost one hash. It
/// is wiped from memory when the last of them lets go of it.
pub(crate) struct Held {
    pub(crate) source: Source,
    uses: Mutex<Vec<(Option<HashKeyId>, Mode, UseRecord)>>,
}

impl Held {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, uses: Mutex::default() }
    }

    /// What these keys come to; none for a Secret without a hash key.
    ///
    /// It hashes at most twice what a source can hold, 1 MiB: some milliseconds, less than another
    /// thread would gain.
    pub(crate) fn used(
        &self,
        namespace: &str,
        id: &SourceId,
        mode: Mode,
        keys: &Keys,
        hash_key: Option<&HashKey>,
    ) -> Option<UseRecord> {
        let content = self.source.content.as_ref()?;
        let hasher = Hasher::new(id, namespace, hash_key)?;
        let hash_key = hash_key.map(HashKey::id);
        // Locked while it hashes: who comes meanwhile most likely wants the same.
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let known = uses
            .iter()
            .find(|(key, known_mode, used)| *key == hash_key && *known_mode == mode && used.keys == *keys);
        if let Some((_, _, used)) = known {
            return Some(used.clone());
        }
        let used = UseRecord::of(content, &hasher, mode, keys);
        if uses.len() < MOST_USES {
            uses.push((hash_key, mode, used.clone()));
        }
        Some(used)
    }
}
