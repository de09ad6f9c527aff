//! What is said of workloads that are restarted, and of all of them in the end.

use reload_core::verdict::Verdict;

use super::Strategy;
use super::outcome::{Outcome, Sort, Tally};
use super::selection::SelectionArgs;
use crate::dry_run::DryRun;
use crate::report::WorkloadReport;
use crate::status::what;
use crate::workload::WorkloadName;

/// How it is said: by what is done, if it is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) strategy: Strategy,
    pub(super) dry_run: DryRun,
}

impl View {
    /// What is said of an outcome; nothing where nothing was begun.
    pub(super) fn sentence(self, report: &WorkloadReport, outcome: &Outcome) -> Option<String> {
        let (workload, causes) = (label(&report.workload), causes(report));
        let (did, would) = match self.strategy {
            Strategy::Restart => ("restarted", "would be restarted"),
            Strategy::Evict => {
                ("got new pods for the drifted ones", "would get new pods for the drifted ones")
            }
        };
        let does = if self.dry_run == DryRun::None { did } else { would };
        let suffix = self.dry_run.suffix();
        Some(match outcome {
            Outcome::Restarted => format!("{workload} {does} ({causes}){suffix}"),
            Outcome::Begun(words) => format!("{workload} {words}"),
            Outcome::Again(now) => {
                format!("{workload} {did} ({causes}), and is on old configuration again ({now})")
            }
            Outcome::Partly(why) => format!("{workload} {does} ({causes}) in part: {why}{suffix}"),
            Outcome::InSync(why) => format!("{workload} {why}"),
            Outcome::Refused(why) => format!("{workload} not restarted: {why}"),
            Outcome::Failed(why) => format!("{workload} failed: {why}"),
            Outcome::NotBegun => return None,
        })
    }

    /// What is said of workloads that were not begun, a line each.
    pub(super) fn not_begun(self, workloads: &[String], interrupted: bool) -> Vec<String> {
        match (workloads.len(), interrupted) {
            (0, _) => Vec::new(),
            (_, true) => workloads.iter().map(|workload| format!("{workload} not begun")).collect(),
            (count, false) => {
                vec![format!("{count} more not restarted; --keep-going would have gone on")]
            }
        }
    }

    /// How many of each sort; one line.
    pub(super) fn summary(self, tally: &Tally) -> String {
        let parts = tally.counts().map(|(count, sort)| format!("{count} {}", self.words(sort)));
        let parts: Vec<String> = parts.collect();
        let all = match tally.all() {
            1 => "1 workload".to_owned(),
            all => format!("{all} workloads"),
        };
        format!("Of {all}: {}{}.", parts.join("; "), self.dry_run.suffix())
    }

    fn words(self, sort: Sort) -> &'static str {
        let planned = self.dry_run != DryRun::None;
        match (sort, self.strategy) {
            (Sort::Restarted, Strategy::Restart) if planned => "would be restarted",
            (Sort::Restarted, Strategy::Evict) if planned => "would get new pods",
            (Sort::Restarted, Strategy::Restart) => "restarted",
            (Sort::Restarted, Strategy::Evict) => "got new pods",
            (Sort::Begun, Strategy::Restart) => "restarted and not waited for",
            (Sort::Begun, Strategy::Evict) => "had some pods evicted",
            (Sort::Again, Strategy::Restart) => "restarted and drifted again",
            (Sort::Again, Strategy::Evict) => "got new pods and drifted again",
            (Sort::Partly, _) if planned => "would be restarted in part",
            (Sort::Partly, _) => "restarted in part",
            (Sort::InSync, _) => "in sync meanwhile",
            (Sort::Refused, _) => "refused",
            (Sort::Failed, _) => "failed",
            (Sort::NotBegun, _) => "not begun",
        }
    }
}

/// What would be done, for a person who is asked: a line each, and the question.
pub(super) fn question(ready: &[&WorkloadReport]) -> (Vec<String>, String) {
    let line = |report: &&WorkloadReport| format!("  {} ({})", label(&report.workload), causes(report));
    (ready.iter().map(line).collect(), format!("Restart these {} workloads?", ready.len()))
}

/// That there is nothing to do, and what else there is.
pub(super) fn nothing(reports: &[WorkloadReport], selection: &SelectionArgs) -> String {
    let sure = |report: &WorkloadReport| report.is_drifted();
    let possible = |report: &WorkloadReport| report.is_possibly_drifted() && !report.is_drifted();
    let count =
        |wanted: &dyn Fn(&WorkloadReport) -> bool| reports.iter().filter(|report| wanted(report)).count();
    let counts = [
        (count(&|report| report.verdict == Verdict::Rolling), "already rolling"),
        (count(&sure), "on old configuration, and left out by --source or --only"),
        (
            count(&possible),
            match selection.is_inferred_wanted() {
                true => "possibly on old configuration, and left out by --source or --only",
                false => {
                    "possibly on old configuration, judged by times alone, and restarted by --inferred only"
                }
            },
        ),
        (count(&|report| report.verdict == Verdict::Unknown), "unknown"),
    ];
    let others = counts.into_iter().filter(|(count, _)| *count > 0);
    let others: Vec<String> = others.map(|(count, what)| format!("{count} {what}")).collect();
    match others.is_empty() {
        true => "Nothing to restart.\n".to_owned(),
        false => format!("Nothing to restart; {}: see kubectl reload status.\n", others.join("; ")),
    }
}

/// `deployment/web in shop`.
pub(super) fn label(workload: &WorkloadName) -> String {
    format!("{workload} in {}", workload.namespace)
}

/// What a workload is restarted for.
pub(super) fn causes(report: &WorkloadReport) -> String {
    let texts: Vec<String> =
        report.causes.iter().map(|cause| format!("{}: {}", cause.source, what(cause))).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests;
