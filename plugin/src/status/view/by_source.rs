//! The same, source by source: what a change affects.

use std::collections::BTreeMap;

use reload_core::source::SourceId;

use super::View;
use crate::report::{Cause, WorkloadReport};
use crate::status::Order;

/// What a source affects, and the place of the first of that.
type Affected<'a> = (usize, Vec<(&'a WorkloadReport, &'a Cause)>);

impl View<'_> {
    /// One row a source and workload; workloads for whose verdict no source speaks come last.
    pub(super) fn by_source(&self, reports: &[&WorkloadReport]) -> String {
        let mut sources: BTreeMap<(&str, &SourceId), Affected<'_>> = BTreeMap::new();
        for (place, report) in reports.iter().enumerate() {
            for cause in &report.causes {
                let source = (report.workload.namespace.as_str(), &cause.source);
                sources.entry(source).or_insert((place, Vec::new())).1.push((report, cause));
            }
        }
        let mut sources: Vec<_> = sources.into_iter().collect();
        if self.sort_by != Order::Name {
            sources.sort_by_key(|(_, (place, _))| *place);
        }
        let mut rows = Vec::new();
        for ((namespace, source), (_, affected)) in sources {
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
