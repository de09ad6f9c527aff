//! The plain objects of which histories are made.

use super::*;
use crate::content::Content;
use crate::last_write::LastWrite;
use crate::record::UseRecord;

/// Keys and values.
pub(super) type Data = &'static [(&'static str, &'static str)];

pub(super) const A: Data = &[("k", "a"), ("l", "1")];
pub(super) const B: Data = &[("k", "b"), ("l", "1")];
pub(super) const BOTH: Data = &[("k", "b"), ("l", "2")];
pub(super) const WITHOUT_K: Data = &[("l", "1")];

/// Seconds after the pod's creation, at which it was recorded.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// A pod.
pub(super) fn pod(references: Vec<Reference>, runs: Runs, record: Result<Record, Unrecorded>) -> Pod {
    let namespace = "x".to_owned();
    Pod { namespace, references: references.into(), runs, record, rereads: false, doubts: BTreeMap::new() }
}

/// Its record.
pub(super) fn record(sources: BTreeMap<SourceId, SourceRecord>) -> Record {
    Record {
        at: at(0),
        by: By::Admission,
        namespace: "x".to_owned(),
        owner: Owner::Controller("o".to_owned()),
        hash_key: None,
        sources,
    }
}

/// A required use by env in container `c`.
pub(super) fn reference(source: &SourceId, keys: Keys) -> Reference {
    Reference {
        source: source.clone(),
        mode: Mode::Env,
        keys,
        optional: false,
        needs: BTreeSet::new(),
        prefix: None,
        container: "c".to_owned(),
    }
}

pub(super) fn config_map(data: Data) -> Content {
    Content::config_map(data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())), [])
}

/// Version 1 of the object `u1`.
pub(super) fn read(uses: BTreeMap<Mode, UseRecord>) -> SourceRecord {
    let (uid, resource_version) = ("u1".to_owned(), "1".to_owned());
    SourceRecord::Read(ReadSource { uid, resource_version, immutable: false, uses })
}

/// A version of it, whose owned keys were written at that second.
pub(super) fn source(version: &str, written: Option<i64>, content: Content, owned: &[&str]) -> Source {
    Source {
        uid: "u1".to_owned(),
        resource_version: version.to_owned(),
        created_at: at(-100),
        immutable: false,
        last_write: written.map(|written| LastWrite {
            at: at(written),
            manager: "kubectl".to_owned(),
            keys: owned.iter().map(|key| (*key).to_owned()).collect(),
        }),
        content: Some(content),
    }
}
