//! The report: pods rolled up to workloads, and what changed for each.

#[cfg(test)]
pub(crate) mod of_tests;
mod rolling;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reload_core::record::Changes;
use reload_core::reference::Class;
use reload_core::source::SourceId;
use reload_core::verdict::{self, Certainty, Finding, PodVerdict, Reason, RollUp, Seen, Verdict};
use serde::Serialize;

use crate::inventory::Revision;
use crate::rollout::Partition;
use crate::survey::SurveyedPod;
use crate::workload::WorkloadName;

pub(crate) use rolling::find_rolling;

/// A workload, its verdict, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkloadReport {
    #[serde(skip)]
    pub(crate) workload: WorkloadName,
    pub(crate) verdict: Verdict,
    pub(crate) certainty: Certainty,
    /// Pods that run.
    pub(crate) pods: usize,
    /// Pods with the workload's verdict, or that are drifted where it is Rolling.
    pub(crate) affected: usize,
    /// What makes the verdict, sources in order.
    pub(crate) causes: Vec<Cause>,
    /// All that its pods are drifted by, certain or not; `causes` has the strongest alone.
    #[serde(skip)]
    pub(crate) drifts: BTreeSet<Drift>,
    /// What kept a pod from being judged, or its rollout from going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// When its newest pod was made.
    #[serde(skip)]
    pub(crate) newest_pod: Option<Timestamp>,
    /// What a restart would reach of it, where a partition keeps it from others and it is drifted.
    #[serde(skip)]
    pub(crate) reached: Option<Box<Reached>>,
}

/// Those pods of a StatefulSet that a restart would replace.
#[derive(Debug)]
pub(crate) struct Reached {
    /// What keeps it from the others.
    pub(crate) partition: Partition,
    /// The workload as if there were no others.
    pub(crate) report: WorkloadReport,
    /// All that the others are drifted by.
    pub(crate) others: BTreeSet<Drift>,
}

/// A source that pods are drifted by, how they use it, and on what evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Drift {
    pub(crate) source: SourceId,
    pub(crate) class: Class,
    pub(crate) certainty: Certainty,
}

/// One source, and what is the matter with it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cause {
    #[serde(serialize_with = "as_text")]
    pub(crate) source: SourceId,
    /// The reason in words.
    pub(crate) reason: String,
    /// Keys that have another value.
    pub(crate) changed: Vec<String>,
    /// Keys that were not there.
    pub(crate) added: Vec<String>,
    /// Keys that are gone.
    pub(crate) removed: Vec<String>,
    /// Whether a restart would fail for want of it.
    pub(crate) would_not_start: bool,
    /// When the source was last written.
    pub(crate) since: Option<Timestamp>,
    /// The version that it has now.
    pub(crate) resource_version: Option<String>,
    /// The field manager that last wrote it.
    #[serde(skip)]
    pub(crate) written_by: Option<String>,
}

fn as_text<S: serde::Serializer>(source: &SourceId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}

impl WorkloadReport {
    /// Since when it has been drifted: the earliest of its causes' times.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.causes.iter().filter_map(|cause| cause.since).min()
    }

    /// The first cause that a restart would fail for.
    pub(crate) fn obstacle(&self) -> Option<&Cause> {
        self.causes.iter().find(|cause| cause.would_not_start)
    }

    /// Whether it is drifted for sure.
    pub(crate) fn is_drifted(&self) -> bool {
        (self.verdict, self.certainty) == (Verdict::Drifted, Certainty::Recorded)
    }

    /// What keeps a restart from all the pods that are drifted, if something does.
    pub(crate) fn out_of_reach(&self) -> Option<Partition> {
        let reached = self.reached.as_ref()?;
        let is_reached = matches!(reached.report.verdict, Verdict::Drifted | Verdict::Rolling);
        (!is_reached).then_some(reached.partition)
    }

    /// As a restart would find it: only by the pods that it would replace.
    pub(crate) fn into_reached(self) -> Self {
        match self.reached {
            Some(reached) => reached.report,
            None => self,
        }
    }

    /// Whether it is drifted, or possibly so.
    pub(crate) fn is_possibly_drifted(&self) -> bool {
        self.verdict == Verdict::Drifted
    }
}

/// Rolls surveyed pods up to their workloads, in order of name.
pub(crate) fn roll_up(pods: &[SurveyedPod]) -> Vec<WorkloadReport> {
    by_workload(pods).into_iter().map(|(workload, pods)| report(workload, &pods)).collect()
}

fn by_workload(pods: &[SurveyedPod]) -> BTreeMap<&WorkloadName, Vec<&SurveyedPod>> {
    let mut workloads: BTreeMap<&WorkloadName, Vec<&SurveyedPod>> = BTreeMap::new();
    for pod in pods {
        workloads.entry(&pod.workload).or_default().push(pod);
    }
    workloads
}

fn report(workload: &WorkloadName, pods: &[&SurveyedPod]) -> WorkloadReport {
    let RollUp { verdict, certainty, affected, .. } = verdict::roll_up(&verdicts(pods, |_| None), None);
    // What a restart would fail for is told whatever else there is.
    let speaks = |finding: &&Finding| {
        (finding.verdict, finding.certainty) == (verdict, certainty) || finding.would_not_start()
    };
    let findings = pods.iter().flat_map(|pod| &pod.findings).filter(speaks);
    WorkloadReport {
        workload: workload.clone(),
        verdict,
        certainty,
        pods: pods.len(),
        affected,
        causes: if verdict == Verdict::Current { Vec::new() } else { causes(findings) },
        drifts: drifts(pods),
        problem: pods.iter().find_map(|pod| pod.problem.as_ref()).map(ToString::to_string),
        newest_pod: pods.iter().map(|pod| pod.metadata.created_at()).max(),
        reached: None,
    }
}

/// What makes the verdict of one pod.
pub(crate) fn causes_of(pod: &SurveyedPod) -> Vec<Cause> {
    let judged = (pod.verdict, pod.certainty);
    let speaks =
        |finding: &&Finding| (finding.verdict, finding.certainty) == judged || finding.would_not_start();
    match pod.verdict {
        Verdict::Current => Vec::new(),
        _ => causes(pod.findings.iter().filter(speaks)),
    }
}

fn drifts(pods: &[&SurveyedPod]) -> BTreeSet<Drift> {
    let findings = pods.iter().flat_map(|pod| &pod.findings);
    let drifted = findings.filter(|finding| finding.verdict == Verdict::Drifted);
    let drift = |finding: &Finding| Drift {
        source: finding.source.clone(),
        class: finding.mode.class(),
        certainty: finding.certainty,
    };
    drifted.map(drift).collect()
}

fn verdicts<'a>(
    pods: &[&'a SurveyedPod],
    revision: impl Fn(&'a Revision) -> Option<&'a str>,
) -> Vec<PodVerdict<'a>> {
    let verdict = |pod: &&'a SurveyedPod| PodVerdict {
        verdict: pod.verdict,
        certainty: pod.certainty,
        revision: revision(pod.metadata.revision()),
    };
    pods.iter().map(verdict).collect()
}

/// One cause a source and reason, with the keys of all pods.
fn causes<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Cause> {
    let mut merged: BTreeMap<(&SourceId, String), Merged> = BTreeMap::new();
    for finding in findings {
        let cause = merged.entry((&finding.source, finding.words())).or_default();
        let Changes { changed, added, removed } = finding.changes.clone();
        cause.changes.changed.extend(changed);
        cause.changes.added.extend(added);
        cause.changes.removed.extend(removed);
        cause.would_not_start |= finding.reason == Reason::Missing;
        cause.since = cause.since.max(finding.since);
        if let Some(Seen::Present { version, written, .. }) = &finding.evidence.now {
            cause.resource_version = Some(version.resource_version.clone());
            cause.written_by = written.as_ref().map(|(_, manager)| manager.clone());
        }
    }
    let cause = |((source, reason), merged): ((&SourceId, String), Merged)| Cause {
        source: source.clone(),
        reason,
        changed: merged.changes.changed.into_iter().collect(),
        added: merged.changes.added.into_iter().collect(),
        removed: merged.changes.removed.into_iter().collect(),
        would_not_start: merged.would_not_start,
        since: merged.since,
        resource_version: merged.resource_version,
        written_by: merged.written_by,
    };
    merged.into_iter().map(cause).collect()
}

/// What findings on one source have in common.
#[derive(Default)]
struct Merged {
    changes: Changes,
    would_not_start: bool,
    since: Option<Timestamp>,
    resource_version: Option<String>,
    written_by: Option<String>,
}
