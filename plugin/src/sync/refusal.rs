//! What a restart must not be tried on, as far as a report tells.

use super::Strategy;
use crate::report::WorkloadReport;
use crate::workload::Kind;

/// Why a drifted workload is not restarted, as far as its report tells.
pub(crate) fn refusal(report: &WorkloadReport, strategy: Strategy) -> Option<String> {
    if let Some(cause) = report.obstacle() {
        let keys = match cause.removed.as_slice() {
            [] => String::new(),
            keys => format!(" lacks {}", keys.join(", ")),
        };
        return Some(match keys.is_empty() {
            true => {
                format!("{} does not exist, so it would not start again: bring it back first", cause.source)
            }
            false => format!("{}{keys}, so it would not start again: bring that back first", cause.source),
        });
    }
    if let Some(stuck) = &report.problem {
        return Some(stuck.clone());
    }
    match &report.workload.kind {
        Kind::Pod => Some("no controller would replace it: delete it and create it again".to_owned()),
        Kind::Job | Kind::CronJob => Some("a Job runs once: start a new one".to_owned()),
        kind if kind.is_rollable() || strategy == Strategy::Evict => None,
        kind => Some(format!(
            "{} cannot be restarted here: restart it by what made it, or replace its pods by --strategy evict",
            kind.singular()
        )),
    }
}
