//! Histories of one source and the pod that uses it, and what the ladder makes of them.

mod containers;
mod current;
mod drifted;
mod edges;
mod objects;
mod overridden;
mod scene;
mod truth;
mod unknown;
mod words;

use std::collections::BTreeSet;

use super::*;
use crate::hash_key::HashKey;
use crate::record::{By, Owner, ReadSource, SourceRecord, Unread};
use crate::reference::Keys;
use crate::reference::Mode::{Api, Directory, SubPath};

use Doubt::{OlderIfImmutable, OlderServed, Unseen};
use objects::{A, B, BOTH, Data, WITHOUT_K, at};
use scene::{Scene, unread, unrecorded, was, was_absent, was_immutable};

/// Every history comes to this verdict, for this reason.
fn check<const N: usize>(
    verdict: Verdict,
    certainty: Certainty,
    reason: Reason,
    histories: [(&str, Scene); N],
) {
    for (name, scene) in histories {
        let found = scene.finding();
        assert_eq!((found.verdict, found.certainty, &found.reason), (verdict, certainty, &reason), "{name}");
    }
}

#[test]
fn the_keys_that_changed_are_named() {
    let found = was(A).now(B, 50).finding();
    assert_eq!(found.changes.changed, BTreeSet::from(["k".to_owned()]));
    assert_eq!(found.since, Some(at(50)));
    let found = was(A).now(WITHOUT_K, 50).finding();
    assert_eq!(found.changes.removed, BTreeSet::from(["k".to_owned()]));
}

#[test]
fn sure_drift_speaks_before_possible_drift_before_doubt() {
    let of = |verdict, certainty| Finding { verdict, certainty, ..was(A).finding() };
    use Certainty::{Inferred, Recorded as Sure};
    use Verdict::{Current, Drifted, Unknown};
    let ranked =
        [(Drifted, Sure), (Drifted, Inferred), (Unknown, Inferred), (Current, Inferred), (Current, Sure)];
    for (position, (verdict, certainty)) in ranked.into_iter().enumerate() {
        let findings: Vec<Finding> = ranked[position..].iter().rev().map(|(v, c)| of(*v, *c)).collect();
        assert_eq!(worst(&findings), (verdict, certainty));
    }
    assert_eq!(worst([]), (Current, Sure));
}

#[test]
fn a_record_without_moved_sources_settles_a_pod_at_once() {
    let read = |version: &str| {
        SourceRecord::Read(ReadSource {
            uid: "u".to_owned(),
            resource_version: version.to_owned(),
            immutable: false,
            uses: BTreeMap::new(),
        })
    };
    let record = |sources: Vec<(&str, SourceRecord)>| Record {
        at: at(0),
        by: By::Admission,
        namespace: "x".to_owned(),
        owner: Owner::Pod("p".to_owned()),
        hash_key: None,
        sources: sources.into_iter().map(|(name, source)| (SourceId::config_map(name), source)).collect(),
    };
    let now = |id: &SourceId| (id.name == "m").then_some(("u", "1"));
    assert!(unmoved(&record(vec![("m", read("1"))]), now));
    assert!(!unmoved(&record(vec![("m", read("2"))]), now));
    assert!(!unmoved(&record(vec![("m", read("1")), ("n", read("1"))]), now));
    assert!(!unmoved(&record(vec![("m", SourceRecord::Absent)]), now));
    assert!(!unmoved(&record(vec![("m", SourceRecord::Unread(Unread::Error))]), now));
}
