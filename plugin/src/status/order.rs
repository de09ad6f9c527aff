//! In which order workloads are shown.

use std::cmp::Reverse;

use clap::ValueEnum;
use jiff::Timestamp;

use crate::report::WorkloadReport;

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Order {
    /// By namespace, kind and name.
    Name,
    /// The worst first.
    Verdict,
    /// The oldest drift first; what has no time comes last.
    Since,
    /// The most affected pods first.
    Pods,
}

impl Order {
    /// Sorts; equal ones stay in order of their names.
    pub(super) fn sort(self, reports: &mut [WorkloadReport]) {
        match self {
            Self::Name => reports.sort_by(|a, b| a.workload.cmp(&b.workload)),
            Self::Verdict => reports.sort_by_key(|report| Reverse((report.verdict, report.certainty))),
            Self::Since => reports.sort_by_key(|report| report.since().unwrap_or(Timestamp::MAX)),
            Self::Pods => reports.sort_by_key(|report| Reverse((report.affected, report.pods))),
        }
    }
}
