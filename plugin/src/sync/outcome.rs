//! What came of each workload, and of all of them.

use crate::dry_run::DryRun;

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

    /// In how many words the summary counts it.
    fn sort(&self) -> usize {
        match self {
            Self::Restarted => 0,
            Self::Begun(_) => 1,
            Self::Again(_) => 2,
            Self::Partly(_) => 3,
            Self::InSync(_) => 4,
            Self::Refused(_) => 5,
            Self::Failed(_) => 6,
            Self::NotBegun => 7,
        }
    }
}

/// How many of each sort, in the order of the summary.
const SORTS: [&str; 8] = [
    "restarted",
    "restarted and not waited for",
    "restarted and drifted again",
    "restarted in part",
    "in sync meanwhile",
    "refused",
    "failed",
    "not begun",
];

/// What came of all workloads.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [usize; SORTS.len()],
    pub(super) is_bad: bool,
}

impl Tally {
    /// One more.
    pub(super) fn count(&mut self, outcome: &Outcome) {
        self.counts[outcome.sort()] += 1;
        self.is_bad |= outcome.is_bad();
    }

    /// One line.
    pub(super) fn summary(&self, dry_run: DryRun) -> String {
        let counts = self.counts.iter().zip(SORTS).filter(|(count, _)| **count > 0);
        let parts: Vec<String> = counts
            .map(|(count, sort)| match (sort, dry_run) {
                ("restarted", DryRun::Client | DryRun::Server) => format!("{count} would be restarted"),
                _ => format!("{count} {sort}"),
            })
            .collect();
        let all = match self.counts.iter().sum() {
            1 => "1 workload".to_owned(),
            all => format!("{all} workloads"),
        };
        format!("Of {all}: {}{}.", parts.join("; "), dry_run.suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_every_sort_that_there_is() {
        let tally = |outcomes: &[Outcome]| {
            let mut tally = Tally::default();
            outcomes.iter().for_each(|outcome| tally.count(outcome));
            tally
        };
        let one = tally(&[Outcome::Restarted]);
        assert_eq!(one.summary(DryRun::None), "Of 1 workload: 1 restarted.");
        assert_eq!(one.summary(DryRun::Client), "Of 1 workload: 1 would be restarted (dry run).");
        assert!(!one.is_bad);
        let why = String::new;
        let all = tally(&[
            Outcome::NotBegun,
            Outcome::NotBegun,
            Outcome::Failed(why()),
            Outcome::Refused(why()),
            Outcome::InSync(""),
            Outcome::Partly(why()),
            Outcome::Again(why()),
            Outcome::Begun(why()),
            Outcome::Restarted,
        ]);
        assert_eq!(
            all.summary(DryRun::None),
            "Of 9 workloads: 1 restarted; 1 restarted and not waited for; 1 restarted and drifted again; 1 \
             restarted in part; 1 in sync meanwhile; 1 refused; 1 failed; 2 not begun."
        );
        assert!(all.is_bad);
    }
}
