//! A scenario: what happens, and what the design says of it.

use anyhow::{Result, ensure};
use futures::future::LocalBoxFuture;

use super::place::Place;
use super::table::Row;
use super::truth::truth;

/// What happens to a workload and its sources, from the beginning.
type Steps = for<'a, 'b> fn(&'a Place<'b>) -> LocalBoxFuture<'a, Result<()>>;

/// What the containers must say that they run on, so that a scenario shows what it is meant to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// Something that is not there any more.
    Old,
    /// What is there now.
    Current,
    /// Chance decides.
    Either,
}

/// Whether a webhook records the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pods {
    /// It does.
    Recorded,
    /// It is installed, and down.
    Unrecorded,
}

/// One line of the truth table, before it has come about.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) pods: Pods,
    runs: Runs,
    /// How the verdict begins, with its reason; one of them.
    verdicts: Vec<&'static str>,
    /// It is about containers that start sooner than so many seconds after the last write.
    within: Option<i64>,
    steps: Steps,
}

/// A scenario with recorded pods.
pub(crate) fn scenario(name: &'static str, runs: Runs, verdict: &'static str, steps: Steps) -> Scenario {
    Scenario { name, pods: Pods::Recorded, runs, verdicts: vec![verdict], within: None, steps }
}

/// One whose containers start so soon after a write, in seconds, that nothing tells whether they have read
/// it. Where the machine is too slow for that, they have, and may be said to.
pub(crate) fn too_close(name: &'static str, runs: Runs, within: i64, steps: Steps) -> Scenario {
    let scenario = scenario(name, runs, "Unknown inferred configmap written about", steps);
    Scenario { within: Some(within), ..scenario }
}

impl Scenario {
    /// The webhook is down.
    pub(crate) fn unrecorded(self) -> Self {
        Self { pods: Pods::Unrecorded, ..self }
    }

    /// Chance decides between this verdict and another.
    pub(crate) fn or(mut self, verdict: &'static str) -> Self {
        self.verdicts.push(verdict);
        self
    }

    /// Lets it happen, asks the containers and the plugin, and compares.
    pub(crate) async fn run(self, place: &Place<'_>) -> Result<Row> {
        place.enter().await?;
        (self.steps)(place).await?;
        let truth_before = truth(place).await?;
        let status = place.namespace().status().await?;
        let truth = truth(place).await?;
        ensure!(truth == truth_before, "it does not hold still: first {truth_before}, then {truth}");
        let workload = place.workload();
        let verdict = status.verdict(&workload)?;
        let causes = status.causes(&workload)?;
        let causes: Vec<_> = causes.iter().map(|cause| cause.trim_end_matches(':')).collect();
        let reason = causes.join("; ").replace(&format!("/{}", place.name()), "");
        let runs = if truth.is_current() { Runs::Current } else { Runs::Old };
        let written = place.written().await?;
        place.leave(&workload).await?;

        let said = format!("{verdict} {reason}");
        let mut verdicts = self.verdicts;
        if let Some(within) = self.within
            && truth.starts().all(|started| started.as_second() - written.as_second() >= within)
        {
            verdicts.push("Current inferred");
        }
        let mut surprises = Vec::new();
        if !verdicts.iter().any(|expected| said.starts_with(expected)) {
            surprises.push(format!("the verdict should have been {}", verdicts.join(" or ")));
        }
        if self.runs != Runs::Either && self.runs != runs {
            surprises.push(format!("the containers should have run on {:?}", self.runs));
        }
        Ok(Row { truth, by_chance: self.runs == Runs::Either, verdict, reason, surprises })
    }
}
