//! What came of each workload, and of all of them.

use std::collections::BTreeMap;

/// How it went with one workload.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It runs on what is there now, by a restart of this run.
    Restarted,
    /// It was restarted and nobody waited until the end; what there is to know.
    Begun(String),
    /// It was restarted, and has drifted again since; by what.
    Again(String),
    /// It was restarted, and some of its pods stay on old configuration; why.
    Partly(String),
    /// There is nothing to do any more, and why.
    InSync(&'static str),
    /// It was left as it is, and why.
    Refused(String),
    /// It was restarted and did not become healthy, or could not be; and why.
    Failed(String),
    /// It was not its turn yet.
    NotBegun,
}

impl Outcome {
    /// Whether it is left on old configuration, or not well.
    pub(super) fn is_bad(&self) -> bool {
        matches!(self, Self::Again(_) | Self::Partly(_) | Self::Refused(_) | Self::Failed(_))
    }

    /// As what it is counted.
    fn sort(&self) -> Sort {
        match self {
            Self::Restarted => Sort::Restarted,
            Self::Begun(_) => Sort::Begun,
            Self::Again(_) => Sort::Again,
            Self::Partly(_) => Sort::Partly,
            Self::InSync(_) => Sort::InSync,
            Self::Refused(_) => Sort::Refused,
            Self::Failed(_) => Sort::Failed,
            Self::NotBegun => Sort::NotBegun,
        }
    }
}

/// What is counted as one, in the order of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Restarted,
    Begun,
    Again,
    Partly,
    InSync,
    Refused,
    Failed,
    NotBegun,
}

/// What came of all workloads.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<Sort, usize>,
    pub(super) is_bad: bool,
}

impl Tally {
    /// One more.
    pub(super) fn count(&mut self, outcome: &Outcome) {
        *self.counts.entry(outcome.sort()).or_default() += 1;
        self.is_bad |= outcome.is_bad();
    }

    /// How many of each sort that there is, in order.
    pub(super) fn counts(&self) -> impl Iterator<Item = (usize, Sort)> {
        self.counts.iter().map(|(sort, count)| (*count, *sort))
    }

    pub(super) fn all(&self) -> usize {
        self.counts.values().sum()
    }
}
