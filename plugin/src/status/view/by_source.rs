//! The same, source by source: what a change affects.

use std::collections::BTreeMap;

use reload_core::source::SourceId;

use super::View;
use crate::report::{Cause, WorkloadReport};

impl View<'_> {
    /// One row a source and workload; workloads for whose verdict no source speaks come last.
    pub(super) fn by_source(&self, reports: &[&WorkloadReport]) -> String {
        let mut sources: BTreeMap<(&str, &SourceId), Vec<(&WorkloadReport, &Cause)>> = BTreeMap::new();
        for report in reports {
            for cause in &report.causes {
                let source = (report.workload.namespace.as_str(), &cause.source);
                sources.entry(source).or_default().push((report, cause));
            }
        }
        let mut rows = Vec::new();
        for ((namespace, source), affected) in sources {
            for (position, (report, cause)) in affected.into_iter().enumerate() {
                let mut first = vec![source.to_string()];
                if self.namespace.is_none() {
                    first.insert(0, namespace.to_owned());
                }
                if position > 0 {
                    first.fill(String::new());
                }
                rows.push([first, self.cause(cause).to_vec(), self.workload(report)].concat());
            }
        }
        for report in reports.iter().filter(|report| report.causes.is_empty()) {
            let mut first = vec![String::new(); 3];
            if let Some(problem) = &report.problem {
                first[1].clone_from(problem);
            }
            if self.namespace.is_none() {
                first.insert(0, report.workload.namespace.clone());
            }
            rows.push([first, self.workload(report)].concat());
        }
        let mut headings = self.place();
        headings.extend(["SOURCE", "WHAT", "SINCE", "WORKLOAD"]);
        headings.extend(self.verdict_headings());
        self.render(&headings, &rows)
    }

    fn workload(&self, report: &WorkloadReport) -> Vec<String> {
        [vec![report.workload.to_string()], self.verdict(report)].concat()
    }
}
