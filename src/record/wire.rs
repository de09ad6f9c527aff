//! Format 1 of the record, and its limits.

mod keys;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{By, Owner, ReadSource, Record, SourceRecord, Unread, UseRecord};
use crate::digest::Digest;
use crate::hash_key::HashKeyId;
use crate::reference::{Keys, Mode};
use crate::source::{SourceId, SourceKind};
use keys::{WireAll, WireKeys};

/// The format that this version writes, and the only one that it reads.
pub const VERSION: u64 = 1;

/// The longest text that is looked at at all, in bytes.
const MAX_READ: usize = 64 * 1024;

/// Why an annotation is no record.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Longer than any version writes.
    #[error("its record is too long")]
    TooLong,
    /// Written by a version that this one does not know.
    #[error("its record has format {0}, and this version reads format {VERSION}: upgrade kubectl-reload")]
    Version(u64),
    /// Not a record, or a broken one. The text itself is never shown.
    #[error("its record is broken: its next restart writes a new one")]
    Broken,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    /// The format's version.
    v: u64,
    /// When it was written, RFC 3339 in UTC, whole seconds.
    at: Timestamp,
    by: By,
    namespace: String,
    /// The uid of the pod's controller; or else one of the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The name of a pod without a controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    /// The `generateName` of a pod without a controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pods: Option<String>,
    /// The id of the hash key, where a Secret is hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<HashKeyId>,
    sources: Vec<WireSource>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSource {
    kind: SourceKind,
    name: String,
    #[serde(default, skip_serializing_if = "is_false")]
    absent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unread: Option<Unread>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// `metadata.resourceVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rv: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    immutable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<WireUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub_path: Option<WireUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory: Option<WireUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api: Option<WireUse>,
}

#[derive(Serialize, Deserialize)]
struct WireUse {
    digest: Digest,
    /// The selected keys with their marks, `null` where a key was absent; or just the keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<WireKeys>,
    /// In place of `keys` where all are used: the keys that were there with their marks; or `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all: Option<WireAll>,
    /// Keys that `all` leaves out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    except: BTreeSet<String>,
}

/// Whether it may be shown: a forged key must not act on a terminal.
fn is_key(key: &str) -> bool {
    !key.chars().any(char::is_control)
}

/// How long a source is in the annotation's value, in bytes.
pub(super) fn length(id: &SourceId, source: &SourceRecord) -> Result<usize, serde_json::Error> {
    serde_json::to_string(&WireSource::new(id, source)).map(|text| text.len())
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Record {
    /// Reads an annotation's value. Fields that a later version adds are passed over.
    ///
    /// # Errors
    /// [`Unreadable`]; the pod then counts as unrecorded, never as drifted.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.len() > MAX_READ {
            return Err(Unreadable::TooLong);
        }
        // One pass does where the record is whole; a broken one is looked through for its version.
        let wire: Result<Wire, _> = serde_json::from_str(text);
        let v = match &wire {
            Ok(wire) => wire.v,
            Err(_) => serde_json::from_str::<Version>(text).map_err(|_| Unreadable::Broken)?.v,
        };
        if v != VERSION {
            return Err(Unreadable::Version(v));
        }
        wire.ok().and_then(Self::from_wire).ok_or(Unreadable::Broken)
    }

    /// The annotation's value, of whatever length.
    pub(super) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Wire::from(self))
    }

    fn from_wire(wire: Wire) -> Option<Self> {
        let owner = match (wire.owner, wire.pod, wire.pods) {
            (Some(uid), None, None) => Owner::Controller(uid),
            (None, Some(name), None) => Owner::Pod(name),
            (None, None, Some(prefix)) => Owner::Generated(prefix),
            _ => return None,
        };
        let count = wire.sources.len();
        let sources =
            wire.sources.into_iter().map(WireSource::into_record).collect::<Option<BTreeMap<_, _>>>()?;
        (sources.len() == count).then_some(Self {
            at: wire.at,
            by: wire.by,
            namespace: wire.namespace,
            owner,
            hash_key: wire.key,
            sources,
        })
    }
}

impl From<&Record> for Wire {
    fn from(record: &Record) -> Self {
        let (owner, pod, pods) = match record.owner.clone() {
            Owner::Controller(uid) => (Some(uid), None, None),
            Owner::Pod(name) => (None, Some(name), None),
            Owner::Generated(prefix) => (None, None, Some(prefix)),
        };
        Self {
            v: VERSION,
            at: record.at,
            by: record.by,
            namespace: record.namespace.clone(),
            owner,
            pod,
            pods,
            key: record.hash_key.clone(),
            sources: record.sources.iter().map(|(id, source)| WireSource::new(id, source)).collect(),
        }
    }
}

impl WireSource {
    fn new(id: &SourceId, source: &SourceRecord) -> Self {
        let mut wire = Self {
            kind: id.kind,
            name: id.name.clone(),
            absent: matches!(source, SourceRecord::Absent),
            unread: None,
            uid: None,
            rv: None,
            immutable: false,
            env: None,
            sub_path: None,
            directory: None,
            api: None,
        };
        match source {
            SourceRecord::Absent => {}
            SourceRecord::Unread(why) => wire.unread = Some(*why),
            SourceRecord::Read(read) => {
                wire.uid = Some(read.uid.clone());
                wire.rv = Some(read.resource_version.clone());
                wire.immutable = read.immutable;
                for (mode, used) in &read.uses {
                    *wire.slot(*mode) = Some(WireUse::new(used));
                }
            }
        }
        wire
    }

    fn slot(&mut self, mode: Mode) -> &mut Option<WireUse> {
        match mode {
            Mode::Env => &mut self.env,
            Mode::SubPath => &mut self.sub_path,
            Mode::Directory => &mut self.directory,
            Mode::Api => &mut self.api,
        }
    }

    fn into_record(mut self) -> Option<(SourceId, SourceRecord)> {
        let mut uses = BTreeMap::new();
        for mode in Mode::ALL {
            if let Some(used) = self.slot(mode).take() {
                uses.insert(mode, used.into_record()?);
            }
        }
        let id = SourceId { kind: self.kind, name: self.name };
        if !is_key(&id.name) {
            return None;
        }
        let bare = uses.is_empty() && !self.immutable;
        let source = match (self.absent, self.unread, self.uid, self.rv) {
            (true, None, None, None) if bare => SourceRecord::Absent,
            (false, Some(why), None, None) if bare => SourceRecord::Unread(why),
            (false, None, Some(uid), Some(resource_version)) if is_key(&uid) && is_key(&resource_version) => {
                SourceRecord::Read(ReadSource { uid, resource_version, immutable: self.immutable, uses })
            }
            _ => return None,
        };
        Some((id, source))
    }
}

impl WireUse {
    fn new(used: &UseRecord) -> Self {
        let (keys, all, except) = match (&used.keys, used.marks.clone()) {
            (Keys::Some(_), Some(marks)) => (Some(WireKeys::Marked(marks)), None, BTreeSet::new()),
            (Keys::Some(keys), None) => (Some(WireKeys::Named(keys.clone())), None, BTreeSet::new()),
            (Keys::All { except }, Some(marks)) => (None, Some(WireAll::Marked(marks)), except.clone()),
            (Keys::All { except }, None) => (None, Some(WireAll::Unmarked(true)), except.clone()),
        };
        Self { digest: used.digest, keys, all, except }
    }

    fn into_record(self) -> Option<UseRecord> {
        let named = self.keys.filter(|_| self.except.is_empty());
        let all = Keys::All { except: self.except };
        let (keys, marks) = match (named, self.all) {
            (Some(WireKeys::Marked(marks)), None) => {
                (Keys::Some(marks.keys().cloned().collect()), Some(marks))
            }
            (Some(WireKeys::Named(keys)), None) => (Keys::Some(keys), None),
            (None, Some(WireAll::Marked(marks))) => (all, Some(marks)),
            (None, Some(WireAll::Unmarked(true))) => (all, None),
            _ => return None,
        };
        let names = match &keys {
            Keys::All { except } => except,
            Keys::Some(keys) => keys,
        };
        let marked = marks.iter().flatten().map(|(key, _)| key);
        names.iter().chain(marked).all(|key| is_key(key)).then_some(UseRecord {
            keys,
            digest: self.digest,
            marks,
        })
    }
}
