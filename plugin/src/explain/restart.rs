//! What a restart of a workload would do, and whether it would roll at all.

use jiff::Timestamp;
use kube::Client;
use reload_core::verdict::{Certainty, Reason, Verdict};
use serde::Serialize;

use crate::report::WorkloadReport;
use crate::rollout::{BrokenPod, PAST_BROKEN_POD, Progress, Rollable};
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
    mut pods: impl Iterator<Item = &'a SurveyedPod>,
    now: Timestamp,
) -> Restart {
    if let Some(why) = refusal(report, Strategy::Restart) {
        return Restart::in_vain(format!("A restart would not be done: {why}."));
    }
    let rollable = match Rollable::get(client, &report.workload).await {
        Ok(rollable) => rollable,
        Err(error) => return Restart::in_vain(format!("What a restart would do is not known: {error}.")),
    };
    if let Some(why) = rollable.held() {
        return Restart::in_vain(format!("A restart would not roll: {why}."));
    }
    // Only where the rollout replaces the drifted ones: else a pod of it may just not be ready.
    match rollable.progress() {
        Progress::Stuck(why) => return Restart::in_vain(format!("A restart would not roll: {why}.")),
        progress @ Progress::Underway { .. } if report.verdict == Verdict::Rolling => {
            return Restart::in_vain(format!("Its pods are being replaced already: {progress}."));
        }
        Progress::Underway { .. } | Progress::Complete => {}
    }
    if let Some(partition) = report.out_of_reach() {
        return Restart::in_vain(format!("A restart would not roll: {partition}."));
    }
    match BrokenPod::find(client, &rollable, now).await {
        Ok(Some(pod)) => {
            return Restart::in_vain(format!("A restart would not roll: {pod}: {PAST_BROKEN_POD}."));
        }
        Ok(None) => {}
        Err(error) => return Restart::in_vain(format!("What a restart would do is not known: {error}.")),
    }
    let replaced =
        |pod: &SurveyedPod| pod.findings.iter().any(|finding| finding.reason == Reason::ImmutableReplaced);
    if pods.any(replaced) {
        return Restart::in_vain(
            "A restart would roll and may not help: a node goes on serving an immutable source by its name as \
             long as any pod there uses it. Give it a new name.",
        );
    }
    let reached = report.reached.as_ref().map_or(report, |reached| &reached.report);
    if let Some(why) = rollable.restarted_for().and_then(|memory| memory.refusal(reached)) {
        return Restart::in_vain(format!("A restart would roll, and sync would not do it: {why}."));
    }
    let mut restart = of_verdict(reached);
    if let Some(partition) = rollable.partition()
        && restart.helps
    {
        restart.words += &format!("; {partition}");
    }
    restart
}

fn of_verdict(report: &WorkloadReport) -> Restart {
    let workload = &report.workload;
    let place = format!("{workload} -n {}", workload.namespace);
    let pods = match report.pods {
        1 => "its pod".to_owned(),
        pods => format!("its {pods} pods"),
    };
    let words = match (report.verdict, report.certainty) {
        (Verdict::Drifted | Verdict::Rolling, Certainty::Recorded) => {
            format!(
                "A restart would replace {pods} by new ones that read what is there now: kubectl reload sync {place}"
            )
        }
        (Verdict::Drifted | Verdict::Rolling, Certainty::Inferred) => format!(
            "A restart would replace {pods} by new ones that read what is there now, and leave no doubt; since the \
             drift is only possible, sync does it where it is asked to: kubectl reload sync --inferred {place}"
        ),
        (Verdict::Unknown, _) => format!(
            "A restart would replace {pods} by new ones that read what is there now, and leave no doubt; sync does \
             not restart it, since it is not sure: kubectl rollout restart {place}"
        ),
        (Verdict::Current | Verdict::Ignored, _) => {
            return Restart::in_vain(format!("A restart would replace {pods} and change nothing."));
        }
    };
    Restart { helps: true, words }
}
