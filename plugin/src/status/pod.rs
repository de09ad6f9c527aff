//! Pods one by one.

use std::collections::BTreeMap;

use reload_core::verdict::{Certainty, Verdict};
use serde::Serialize;

use crate::report::{Cause, WorkloadReport, causes_of};
use crate::survey::SurveyedPod;
use crate::workload::{Kind, WorkloadName};

/// A pod, its verdict, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodReport {
    pub(super) namespace: String,
    pub(super) name: String,
    #[serde(serialize_with = "by_name")]
    pub(super) workload: WorkloadName,
    pub(super) verdict: Verdict,
    pub(super) certainty: Certainty,
    /// What makes the verdict, sources in order.
    pub(super) causes: Vec<Cause>,
    /// What kept it from being judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

fn by_name<S: serde::Serializer>(workload: &WorkloadName, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Named<'a> {
        kind: &'a Kind,
        name: &'a str,
    }
    Named { kind: &workload.kind, name: &workload.name }.serialize(serializer)
}

impl PodReport {
    /// Of all of them, as their workloads stand here, and by name.
    pub(super) fn of(mut pods: Vec<SurveyedPod>, reports: &[WorkloadReport]) -> Vec<Self> {
        let places: BTreeMap<&WorkloadName, usize> =
            reports.iter().enumerate().map(|(place, report)| (&report.workload, place)).collect();
        let place = |pod: &SurveyedPod| places.get(&pod.workload).copied();
        pods.sort_by(|a, b| (place(a), &a.metadata.name).cmp(&(place(b), &b.metadata.name)));
        let report = |pod: SurveyedPod| Self {
            namespace: pod.workload.namespace.clone(),
            causes: causes_of(&pod),
            problem: pod.problem.as_ref().map(ToString::to_string),
            name: pod.metadata.name.clone(),
            workload: pod.workload,
            verdict: pod.verdict,
            certainty: pod.certainty,
        };
        pods.into_iter().map(report).collect()
    }

    /// Whether it is to be looked at.
    pub(super) fn needs_attention(&self) -> bool {
        !matches!(self.verdict, Verdict::Current | Verdict::Ignored)
    }
}
