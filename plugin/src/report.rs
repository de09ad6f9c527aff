//! The report: pods rolled up to workloads, and what changed for each.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use jiff::Timestamp;
use kube::Client;
use reload_core::record::Changes;
use reload_core::reference::Class;
use reload_core::source::SourceId;
use reload_core::verdict::{self, Certainty, Finding, PodVerdict, Reason, RollUp, Rollout, Seen, Verdict};
use serde::Serialize;

use crate::api::ApiError;
use crate::clock::Clock;
use crate::inventory::{Inventory, Revision};
use crate::pods::PARALLEL;
use crate::rollout::{Progress, Rollable, RolloutError};
use crate::survey::SurveyedPod;
use crate::workload::WorkloadName;

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
        newest_pod: pods.iter().map(|pod| pod.created_at).max(),
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
        revision: revision(&pod.revision),
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

/// Tells drifted workloads whose rollout is replacing the drifted pods from those that stay as they
/// are, at that time; without one, now. Whoever may not read a workload is told that it drifted, which
/// is true.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn find_rolling(
    client: &Client,
    inventory: &Inventory,
    pods: &[SurveyedPod],
    reports: &mut [WorkloadReport],
    at: Option<Timestamp>,
) -> Result<(), ApiError> {
    let drifted = reports
        .iter_mut()
        .filter(|report| report.verdict == Verdict::Drifted && report.workload.kind.is_rollable());
    let mut drifted = drifted.peekable();
    if drifted.peek().is_none() {
        return Ok(());
    }
    let now = match at {
        Some(at) => at,
        None => Clock::of(client).await.now(),
    };
    let (workloads, unread) = (by_workload(pods), RefCell::new(Vec::new()));
    futures::stream::iter(drifted.map(Ok))
        .try_for_each_concurrent(PARALLEL, async |report| {
            let rollable = match Rollable::get(client, &report.workload).await {
                Ok(rollable) => rollable,
                Err(RolloutError::Api(error @ ApiError::Unreachable { .. })) => return Err(error),
                Err(RolloutError::Api(error)) if !error.is_not_found() => {
                    unread.borrow_mut().push(error.to_string());
                    return Ok(());
                }
                Err(_) => return Ok(()),
            };
            let of_workload = workloads.get(&report.workload).map_or(&[][..], Vec::as_slice);
            let newest = rollable.newest(inventory);
            let revision = |pod| rollable.revision_of(pod);
            let new_pods = of_workload.iter().filter(|pod| revision(&pod.revision) == newest);
            let last_new_pod = new_pods.map(|pod| pod.created_at).max().filter(|_| newest.is_some());
            let stands = rollable.progress_at(now, last_new_pod);
            let progress = match &stands {
                _ if rollable.held().is_some() => verdict::Progress::Still,
                Progress::Complete => verdict::Progress::Still,
                Progress::Underway { .. } => verdict::Progress::Underway,
                Progress::Stuck(_) => verdict::Progress::Stuck,
            };
            let rollout = Rollout { newest, observed: rollable.is_observed(), progress };
            let rolled = verdict::roll_up(&verdicts(of_workload, revision), Some(rollout));
            report.verdict = rolled.verdict;
            report.problem = match stands {
                Progress::Stuck(why) if rolled.stuck => Some(why),
                _ => report.problem.take(),
            };
            Ok(())
        })
        .await?;
    if let [error, others @ ..] = &unread.borrow()[..] {
        let others = match others.len() {
            0 => String::new(),
            others => format!(", and {others} more like it"),
        };
        tracing::warn!("a rollout under way is not found out: {error}{others}");
    }
    Ok(())
}
