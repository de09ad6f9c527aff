//! The document for programs.

use serde::Serialize;

use super::pod::PodReport;
use crate::document::API_VERSION;
use crate::report::WorkloadReport;
use crate::workload::Kind;

/// The JSON and YAML output. Its schema is versioned: fields are added, never changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    workloads: Vec<Entry<'a>>,
    /// Where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<&'a [PodReport]>,
}

#[derive(Serialize)]
struct Entry<'a> {
    namespace: &'a str,
    kind: &'a Kind,
    name: &'a str,
    #[serde(flatten)]
    report: &'a WorkloadReport,
}

impl<'a> Document<'a> {
    pub(super) fn of(reports: &'a [WorkloadReport], pods: Option<&'a [PodReport]>) -> Self {
        let entry = |report: &'a WorkloadReport| Entry {
            namespace: &report.workload.namespace,
            kind: &report.workload.kind,
            name: &report.workload.name,
            report,
        };
        let workloads = reports.iter().map(entry).collect();
        Self { api_version: API_VERSION, kind: "Status", workloads, pods }
    }
}
