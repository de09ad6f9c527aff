#![doc = include_str!("record/format.md")]

mod limits;
mod trust;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::content::Content;
use crate::digest::{Digest, Hasher, Mark};
use crate::hash_key::HashKeyId;
use crate::reference::{Keys, Mode};
use crate::source::{Source, SourceId};

use limits::MAX_MARKS;
pub use limits::{MAX_ANNOTATIONS, MAX_LENGTH, MAX_SOURCES, Unwritable};
pub use trust::{Distrust, PodIdentity};
pub use wire::{Unreadable, VERSION as FORMAT};

/// What was written down about a pod's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When, by the API server's clock, in whole seconds.
    pub at: Timestamp,
    /// On what occasion.
    pub by: By,
    /// The pod's namespace.
    pub namespace: String,
    /// Whose pod it is.
    pub owner: Owner,
    /// The hash key of the Secrets' digests; `None` when none was hashed.
    pub hash_key: Option<HashKeyId>,
    /// Every source that the pod uses.
    pub sources: BTreeMap<SourceId, SourceRecord>,
}

/// On what occasion a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The pod's admission.
    Admission,
    /// `kubectl reload adopt`, while it ran.
    Adopt,
}

/// What ties a record to its pod, so that a copied one is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The uid of the pod's controller.
    Controller(String),
    /// The name of a pod that no controller owns.
    Pod(String),
    /// The `generateName` of such a pod, whose name is not known at admission.
    Generated(String),
}

/// What a record says of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceRecord {
    /// It did not exist.
    Absent,
    /// It could not be read.
    Unread(Unread),
    /// It was read.
    Read(ReadSource),
}

/// Why a source could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unread {
    /// No answer came within the deadline.
    Timeout,
    /// The webhook has no right to read it.
    Forbidden,
    /// The API server answered with an error.
    Error,
    /// The webhook had too much to do.
    Overload,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no answer came in time",
            Self::Forbidden => "it was left out, or the webhook had no right to",
            Self::Error => "the API server could not be reached, or answered with an error",
            Self::Overload => "the webhook or the API server had too much to do",
            Self::Other => "for a reason that is not recorded",
        })
    }
}

/// A source as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadSource {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Whether it was immutable.
    pub immutable: bool,
    /// What its content came to; nothing for a Secret that was read without a hash key.
    pub uses: BTreeMap<Mode, UseRecord>,
}

/// What the keys of one mode came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseRecord {
    /// The keys that the pod uses.
    pub keys: Keys,
    /// Over the content of those keys.
    pub digest: Digest,
    /// Per key, `None` where it was absent; no marks at all where space was short or the names of
    /// keys are not to be shown.
    pub marks: Option<BTreeMap<String, Option<Mark>>>,
}

/// The keys in which two contents differ. All empty: they differ, and it is not known where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys with another value.
    pub changed: BTreeSet<String>,
    /// Keys that were not there.
    pub added: BTreeSet<String>,
    /// Keys that are gone.
    pub removed: BTreeSet<String>,
}

impl Changes {
    /// All keys that differ.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.changed.iter().chain(&self.added).chain(&self.removed)
    }
}

impl ReadSource {
    /// Takes down a source; `used` tells what the keys of a mode come to, and nothing of a Secret
    /// without a hash key. Where `named` is false the marks are left out, and the names with them.
    pub fn of(
        source: &Source,
        modes: BTreeMap<Mode, Keys>,
        named: bool,
        used: impl Fn(Mode, &Keys) -> Option<UseRecord>,
    ) -> Self {
        let uses = modes.into_iter().filter_map(|(mode, keys)| {
            let mut used = used(mode, &keys)?;
            used.marks = used.marks.filter(|_| named);
            Some((mode, used))
        });
        Self {
            uid: source.uid.clone(),
            resource_version: source.resource_version.clone(),
            immutable: source.immutable,
            uses: uses.collect(),
        }
    }
}

impl UseRecord {
    /// Takes down what a use sees of `content`.
    pub fn of(content: &Content, hasher: &Hasher, mode: Mode, keys: &Keys) -> Self {
        let fits = content.select(mode, keys).len() <= MAX_MARKS;
        Self {
            keys: keys.clone(),
            digest: hasher.digest(content, mode, keys),
            marks: fits.then(|| hasher.marks(content, mode, keys)),
        }
    }

    /// How `content` differs from what was taken down; `None` when it does not.
    pub fn changes(&self, content: &Content, hasher: &Hasher, mode: Mode) -> Option<Changes> {
        if hasher.digest(content, mode, &self.keys) == self.digest {
            return None;
        }
        let mut changes = Changes::default();
        let Some(before) = &self.marks else { return Some(changes) };
        let mut after = hasher.marks(content, mode, &self.keys);
        for (key, before) in before {
            match (before, after.remove(key).flatten()) {
                (Some(before), Some(after)) if *before != after => changes.changed.insert(key.clone()),
                (Some(_), None) => changes.removed.insert(key.clone()),
                (None, Some(_)) => changes.added.insert(key.clone()),
                _ => false,
            };
        }
        changes.added.extend(after.into_iter().filter_map(|(key, mark)| mark.map(|_| key)));
        Some(changes)
    }
}

#[cfg(test)]
pub(crate) mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
