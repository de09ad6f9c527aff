//! What a restart of a workload would do, and whether it would roll at all.

use jiff::Timestamp;
use kube::Client;
use reload_core::verdict::{Certainty, Reason, Verdict};
use serde::Serialize;

use crate::report::WorkloadReport;
use crate::rollout::{BrokenPod, PAST_BROKEN_POD, Partition, Progress, Rollable};
use crate::survey::SurveyedPod;
use crate::sync::{Strategy, refusal};

/// What a restart would do.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Restart {
    /// Whether it would replace the pods and end what is the matter with them.
    pub(super) helps: bool,
    /// What it would do, or why it would not.
    pub(super) words: String,
}

impl Restart {
    fn in_vain(words: impl Into<String>) -> Self {
        Self { helps: false, words: words.into() }
    }
}

/// What a restart would do to a workload of these pods, now.
pub(super) async fn restart<'a>(
    client: &Client,
    report: &WorkloadReport,
    pods: impl Iterator<Item = &'a SurveyedPod>,
    now: Timestamp,
) -> Restart {
    if let Some(why) = refusal(report, Strategy::Restart) {
        return Restart::in_vain(format!("A restart would not be done: {why}."));
    }
    let rollable = match Rollable::get(client, &report.workload).await {
        Ok(rollable) => rollable,
        Err(error) => return Restart::in_vain(format!("What a restart would do is not known: {error}")),
    };
    if let Some(why) = in_the_way(report, &rollable) {
        return Restart::in_vain(why);
    }
    match BrokenPod::find(client, &rollable, now).await {
        Ok(Some(pod)) => {
            return Restart::in_vain(format!("A restart would not roll: {pod}: {PAST_BROKEN_POD}."));
        }
        Ok(None) => {}
        Err(error) => return Restart::in_vain(format!("What a restart would do is not known: {error}")),
    }
    rolled(report, pods, &rollable)
}

/// Why a restart would not roll, as far as the workload itself tells.
fn in_the_way(report: &WorkloadReport, rollable: &Rollable) -> Option<String> {
    let in_vain = |why: String| Some(format!("A restart would not roll: {why}."));
    if let Some(why) = rollable.held() {
        return in_vain(why);
    }
    // Only where the rollout replaces the drifted ones: else a pod of it may just not be ready.
    match rollable.progress() {
        Progress::Stuck(why) => return in_vain(why),
        progress @ Progress::Underway { .. } if report.verdict == Verdict::Rolling => {
            return Some(format!("Its pods are being replaced already: {progress}."));
        }
        Progress::Underway { .. } | Progress::Complete => {}
    }
    report.out_of_reach().and_then(|partition| in_vain(partition.to_string()))
}

/// What comes of a restart that rolls.
fn rolled<'a>(
    report: &WorkloadReport,
    pods: impl Iterator<Item = &'a SurveyedPod>,
    rollable: &Rollable,
) -> Restart {
    let pods: Vec<&SurveyedPod> = pods.collect();
    let replaced =
        |pod: &SurveyedPod| pod.findings.iter().any(|finding| finding.reason == Reason::ImmutableReplaced);
    if pods.iter().any(|pod| replaced(pod)) {
        return Restart::in_vain(
            "A restart would roll and may not help: a node goes on serving an immutable source by its name as \
             long as any pod there uses it. Give it a new name.",
        );
    }
    let reached = report.reached.as_ref().map_or(report, |reached| &reached.report);
    if let Some(why) = rollable.restarted_for().and_then(|memory| memory.refusal(reached)) {
        return Restart::in_vain(format!("A restart would roll, and sync would not do it: {why}."));
    }
    let partition = rollable.partition();
    let count = partition.map_or(report.pods, |partition| {
        pods.iter().filter(|pod| partition.reaches(&pod.metadata.name)).count()
    });
    match partition {
        Some(partition) if count == 0 => Restart::in_vain(format!("A restart would not roll: {partition}.")),
        _ => of_verdict(report, reached, count, partition),
    }
}

/// What it would do to a workload that stands so, of which it would reach so many pods.
fn of_verdict(
    report: &WorkloadReport,
    reached: &WorkloadReport,
    count: usize,
    partition: Option<Partition>,
) -> Restart {
    let workload = &report.workload;
    let place = format!("{workload} -n {}", workload.namespace);
    let pods = match (count, report.pods) {
        (1, 1) => "its pod".to_owned(),
        (some, all) if some < all => format!("{some} of its {all} pods"),
        (_, all) => format!("its {all} pods"),
    };
    let verdict = (reached.verdict, reached.certainty);
    if matches!(verdict.0, Verdict::Current | Verdict::Ignored) {
        return Restart::in_vain(format!("A restart would replace {pods} and change nothing."));
    }
    let successors = if count == 1 { "a new one that reads" } else { "new ones that read" };
    let mut words = format!("A restart would replace {pods} by {successors} what is there now");
    if let Some(partition) = partition {
        words += &format!(" ({partition})");
    }
    words += &match verdict {
        (Verdict::Unknown, _) => format!(
            ", and leave no doubt; whether it drifted is not known, so sync leaves it alone: kubectl rollout restart \
             {place}"
        ),
        (_, Certainty::Recorded) => format!(": kubectl reload sync {place}"),
        (_, Certainty::Inferred) => format!(
            ", and leave no doubt; since the drift is only possible, sync does it where it is asked to: kubectl \
             reload sync --inferred {place}"
        ),
    };
    Restart { helps: true, words }
}

#[cfg(test)]
mod tests;
