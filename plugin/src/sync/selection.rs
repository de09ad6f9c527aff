//! Which drift is to be ended: by what evidence, from which sources, of which class.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use reload_core::reference::Class;
use reload_core::source::SourceId;
use reload_core::verdict::{Certainty, Verdict};

use crate::report::{Drift, WorkloadReport};

/// Narrows or widens what is restarted.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SelectionArgs {
    /// Restart what is only possibly on old configuration, too, as times alone tell.
    #[arg(long)]
    inferred: bool,

    /// Only workloads whose drift is from these sources, as configmap/NAME or secret/NAME.
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<SourceId>,

    /// Only drift of one class: frozen, which lasts until the container starts again, or live, which
    /// the kubelet brings to the files by itself and the process may have read or not.
    #[arg(long, value_enum, value_name = "CLASS")]
    only: Option<Only>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    Frozen,
    Live,
}

impl SelectionArgs {
    /// Whether a workload is drifted in a way that is to be ended.
    pub(super) fn takes(&self, report: &WorkloadReport) -> bool {
        report.verdict == Verdict::Drifted && self.takes_any(&report.drifts)
    }

    /// Whether one of these is to be ended.
    pub(super) fn takes_any(&self, drifts: &BTreeSet<Drift>) -> bool {
        drifts.iter().any(|drift| self.takes_drift(drift))
    }

    fn takes_drift(&self, drift: &Drift) -> bool {
        let class = match self.only {
            None => true,
            Some(Only::Frozen) => drift.class == Class::Frozen,
            Some(Only::Live) => drift.class == Class::Live,
        };
        let source = self.sources.is_empty() || self.sources.contains(&drift.source);
        class && source && (self.inferred || drift.certainty == Certainty::Recorded)
    }

    /// Whether possible drift counts.
    pub(super) fn is_inferred_wanted(&self) -> bool {
        self.inferred
    }
}

#[cfg(test)]
impl SelectionArgs {
    /// `--inferred`
    pub(super) fn of_possible_drift() -> Self {
        Self { inferred: true, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_drift_has_to_meet_all_that_is_asked_for() {
        let drift =
            |name: &str, class, certainty| Drift { source: SourceId::config_map(name), class, certainty };
        let frozen = drift("a", Class::Frozen, Certainty::Recorded);
        let live = drift("b", Class::Live, Certainty::Recorded);
        let possible = drift("a", Class::Frozen, Certainty::Inferred);
        let of = |name: &str| vec![SourceId::config_map(name)];
        let none = SelectionArgs::default;
        for (name, args, expected) in [
            ("nothing asked", none(), [true, true, false]),
            ("inferred", SelectionArgs { inferred: true, ..none() }, [true, true, true]),
            ("a source", SelectionArgs { sources: of("a"), ..none() }, [true, false, false]),
            ("frozen", SelectionArgs { only: Some(Only::Frozen), ..none() }, [true, false, false]),
            ("live", SelectionArgs { only: Some(Only::Live), ..none() }, [false, true, false]),
            (
                "a source, live",
                SelectionArgs { sources: of("a"), only: Some(Only::Live), inferred: true },
                [false, false, false],
            ),
        ] {
            let taken = [&frozen, &live, &possible].map(|drift| args.takes_drift(drift));
            assert_eq!(taken, expected, "{name}");
        }
    }
}
