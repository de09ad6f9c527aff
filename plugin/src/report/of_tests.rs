//! Reports that tests of views are about.

use super::*;
use crate::workload::Kind;

/// A cause that a source is the matter for; one that is missing keeps a restart from starting.
pub(crate) fn cause(source: SourceId, reason: &str, changed: &[&str], since: Option<&str>) -> Cause {
    Cause {
        source,
        reason: reason.to_owned(),
        changed: changed.iter().map(|key| (*key).to_owned()).collect(),
        added: Vec::new(),
        removed: Vec::new(),
        would_not_start: reason.starts_with("missing"),
        since: since.map(|since| since.parse().unwrap()),
        resource_version: Some("7".to_owned()),
        written_by: None,
    }
}

/// The report of a workload that stands so, with so many of its pods.
pub(crate) fn report(
    (namespace, kind, name): (&str, Kind, &str),
    (verdict, certainty): (Verdict, Certainty),
    (affected, pods): (usize, usize),
    causes: Vec<Cause>,
) -> WorkloadReport {
    WorkloadReport {
        workload: WorkloadName { namespace: namespace.to_owned(), kind, name: name.to_owned() },
        verdict,
        certainty,
        pods,
        affected,
        causes,
        drifts: BTreeSet::new(),
        problem: None,
        newest_pod: None,
        reached: None,
    }
}
