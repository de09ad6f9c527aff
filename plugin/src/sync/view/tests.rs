//! Golden outputs, in `snapshots/`.

use reload_core::source::SourceId;
use reload_core::verdict::Certainty;

use super::*;
use crate::golden::{HOSTILE, golden};
use crate::report::Cause;
use crate::report::of_tests::{cause, report};
use crate::sync::refusal;
use crate::table::printable;
use crate::workload::Kind;

fn drifted(kind: Kind, name: &str, causes: Vec<Cause>) -> WorkloadReport {
    report(("shop", kind, name), (Verdict::Drifted, Certainty::Recorded), (2, 2), causes)
}

fn settings() -> Cause {
    cause(SourceId::config_map("settings"), "changed", &["A", "B", "C", "D"], None)
}

fn web() -> WorkloadReport {
    let files = cause(
        SourceId::secret(format!("login{HOSTILE}")),
        "changed: files updated, process not restarted",
        &["password"],
        None,
    );
    drifted(Kind::Deployment, "web", vec![settings(), files])
}

/// One of each; what was not begun is told by itself.
fn outcomes() -> Vec<Outcome> {
    let words = |words: &str| words.to_owned() + HOSTILE;
    vec![
        Outcome::Restarted,
        Outcome::Begun(words("restarted (configmap/settings: A changed) and not waited for")),
        Outcome::Again("configmap/settings: A changed".to_owned()),
        Outcome::Partly(words("its pods below partition 2 keep their revision")),
        Outcome::InSync("is in sync meanwhile"),
        Outcome::Refused(words("a restart would not roll: it is paused")),
        Outcome::Failed(words("not healthy within 300s (1 of 2 pods up to date and available)")),
        Outcome::NotBegun,
        Outcome::NotBegun,
    ]
}

/// What can come of evictions.
fn of_evictions() -> Vec<Outcome> {
    let words = "had one pod evicted, which is replaced by itself; no other was begun";
    let failed = "1 of its pods evicted; of others, pods after it would not be replaced";
    vec![
        Outcome::Restarted,
        Outcome::Begun(words.to_owned()),
        Outcome::Again("configmap/settings: A changed".to_owned()),
        Outcome::InSync("is in sync meanwhile"),
        Outcome::Refused("no controller would replace it".to_owned()),
        Outcome::Failed(failed.to_owned()),
        Outcome::NotBegun,
    ]
}

/// All that is said of these outcomes of one workload, as the screen has it.
fn run(view: View, outcomes: &[Outcome], interrupted: bool) -> String {
    let report = web();
    let mut tally = Tally::default();
    let (mut lines, mut not_begun) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        tally.count(outcome);
        match view.sentence(&report, outcome) {
            Some(line) => lines.push(line),
            None => not_begun.push(label(&report.workload)),
        }
    }
    lines.extend(view.not_begun(&not_begun, interrupted));
    lines.push(view.summary(&tally));
    screen(lines)
}

fn screen(lines: Vec<String>) -> String {
    lines.iter().map(|line| printable(line) + "\n").collect()
}

/// Workloads that no restart is tried on.
fn refused(strategy: Strategy) -> String {
    let lost = cause(SourceId::secret("login"), "missing: a restart would not start", &[], None);
    let lacking = Cause { removed: vec!["A".to_owned(), HOSTILE.to_owned()], ..lost.clone() };
    let stuck = "rollout stuck: it made no progress within its deadline: mend its new pods";
    let stuck = WorkloadReport { problem: Some(stuck.to_owned()), ..web() };
    let other = Kind::Other("CloneSet.apps.kruise.io".to_owned());
    let reports = [
        drifted(Kind::Deployment, "lost", vec![lost]),
        drifted(Kind::Deployment, "lacking", vec![lacking]),
        stuck,
        drifted(Kind::Pod, "bare", vec![settings()]),
        drifted(Kind::Job, "once", vec![settings()]),
        drifted(other, "clones", vec![settings()]),
    ];
    let view = View { strategy, dry_run: DryRun::None };
    let mut tally = Tally::default();
    let mut lines = Vec::new();
    for report in &reports {
        let outcome = refusal(report, strategy).map_or(Outcome::Restarted, Outcome::Refused);
        tally.count(&outcome);
        lines.extend(view.sentence(report, &outcome));
    }
    lines.push(view.summary(&tally));
    screen(lines)
}

fn asked() -> String {
    let (web, db) = (web(), drifted(Kind::StatefulSet, "db", vec![settings()]));
    let (mut lines, question) = question(&[&web, &db]);
    lines.push(question);
    screen(lines)
}

/// Workloads that all are left as they are, and why.
fn idle() -> Vec<WorkloadReport> {
    use Certainty::{Inferred, Recorded};
    use Verdict::{Current, Drifted, Rolling, Unknown};
    let judged = [
        (Drifted, Recorded),
        (Drifted, Inferred),
        (Rolling, Recorded),
        (Unknown, Inferred),
        (Current, Recorded),
    ];
    let of = |judged| report(("shop", Kind::Deployment, "web"), judged, (1, 1), Vec::new());
    judged.map(of).into()
}

#[test]
fn every_view_is_as_it_was() {
    use Strategy::{Evict, Restart};
    let view = |strategy, dry_run| View { strategy, dry_run };
    let planned =
        &[Outcome::Restarted, Outcome::Partly("its pods below partition 2 keep their revision".to_owned())];
    let selection = SelectionArgs::default();
    for (name, text) in [
        ("every outcome", run(view(Restart, DryRun::None), &outcomes(), false)),
        ("interrupted", run(view(Restart, DryRun::None), &outcomes()[7..], true)),
        ("evicted", run(view(Evict, DryRun::None), &of_evictions(), true)),
        ("dry run", run(view(Restart, DryRun::Client), planned, false)),
        ("server dry run", run(view(Restart, DryRun::Server), planned, false)),
        ("evict dry run", run(view(Evict, DryRun::Server), &planned[..1], false)),
        ("refused", refused(Restart)),
        ("refused to evict", refused(Evict)),
        ("asked", asked()),
        ("nothing", nothing(&[], &selection)),
        ("nothing of several", nothing(&idle(), &selection)),
        ("nothing even possibly", nothing(&idle(), &SelectionArgs::of_possible_drift())),
    ] {
        golden!(name, text);
    }
}

#[test]
fn what_is_left_on_old_configuration_is_bad() {
    let bad: Vec<bool> = outcomes().iter().map(Outcome::is_bad).collect();
    assert_eq!(bad, [false, false, true, true, false, true, true, false, false]);
}
