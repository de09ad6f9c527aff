//! What is told of workloads, pods and the sources that they use: the document for programs, of which
//! the text for people is made too.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reload_core::record::By;
use reload_core::verdict::{Certainty, Finding, Pod, Recorded, Run, Seen, Unrecorded, Verdict, Version};
use serde::Serialize;

use super::restart::Restart;
use crate::document::API_VERSION;
use crate::report::WorkloadReport;
use crate::survey::SurveyedPod;
use crate::used_by::{Use, uses};
use crate::workload::Kind;

/// The JSON and YAML output. Its schema is versioned: fields are added, never changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    api_version: &'static str,
    kind: &'static str,
    pub(super) workloads: Vec<Explained>,
}

/// A workload and its pods, as far as they were asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explained {
    namespace: String,
    kind: Kind,
    name: String,
    /// `deployment/web in shop`.
    #[serde(skip)]
    pub(super) label: String,
    pub(super) verdict: Verdict,
    pub(super) certainty: Certainty,
    /// What keeps its rollout from going on, or a pod from being judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
    pub(super) pods: Vec<ExplainedPod>,
    pub(super) restart: Restart,
}

/// A pod.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExplainedPod {
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    pub(super) verdict: Verdict,
    pub(super) certainty: Certainty,
    /// What kept it from being judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
    /// Its record, if it has one to go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<RecordEntry>,
    /// Why it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unrecorded: Option<String>,
    pub(super) sources: Vec<SourceEntry>,
}

#[derive(Serialize)]
pub(super) struct RecordEntry {
    pub(super) at: Timestamp,
    pub(super) by: By,
}

/// One source, as it is used in one way.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SourceEntry {
    pub(super) source: String,
    pub(super) uses: Vec<Use>,
    pub(super) verdict: Verdict,
    pub(super) certainty: Certainty,
    pub(super) reason: String,
    pub(super) changed: BTreeSet<String>,
    pub(super) added: BTreeSet<String>,
    pub(super) removed: BTreeSet<String>,
    pub(super) recorded: Object,
    now: Object,
    containers: Vec<Container>,
    /// What the verdict rests on, a sentence each.
    pub(super) evidence: Vec<String>,
}

/// An object as it was recorded, or as it is now.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    /// `present`, `absent`, or `unknown`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    /// When any of its data was last written, and by which field manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    written_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_by: Option<String>,
    /// Why nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    /// When its present run began; `null` while it waits.
    started_at: Option<Timestamp>,
    restarts: u32,
}

impl Document {
    pub(super) fn of(workloads: Vec<Explained>) -> Self {
        Self { api_version: API_VERSION, kind: "Explain", workloads }
    }
}

impl Explained {
    pub(super) fn of(report: &WorkloadReport, pods: &[&SurveyedPod], restart: Restart) -> Self {
        let workload = &report.workload;
        let mut pods: Vec<&SurveyedPod> = pods.to_vec();
        pods.sort_by_key(|pod| (pod.metadata.created_at(), &pod.metadata.name));
        Self {
            namespace: workload.namespace.clone(),
            kind: workload.kind.clone(),
            name: workload.name.clone(),
            label: format!("{workload} in {}", workload.namespace),
            verdict: report.verdict,
            certainty: report.certainty,
            problem: report.problem.clone(),
            pods: pods.into_iter().map(ExplainedPod::of).collect(),
            restart,
        }
    }
}

impl ExplainedPod {
    fn of(pod: &SurveyedPod) -> Self {
        let record = pod.grounds.as_ref().map(|judged| &judged.record);
        Self {
            name: pod.metadata.name.clone(),
            created_at: pod.metadata.created_at(),
            verdict: pod.verdict,
            certainty: pod.certainty,
            problem: pod.problem.as_ref().map(ToString::to_string),
            record: record
                .and_then(|record| record.as_ref().ok())
                .map(|record| RecordEntry { at: record.at, by: record.by }),
            unrecorded: record
                .and_then(|record| record.as_ref().err())
                .map(|unrecorded| why(unrecorded, pod.findings.is_empty())),
            sources: pod
                .findings
                .iter()
                .map(|finding| SourceEntry::of(finding, pod.grounds.as_deref()))
                .collect(),
        }
    }
}

/// Why a pod has no record, and what that can come from.
fn why(unrecorded: &Unrecorded, idle: bool) -> String {
    match unrecorded {
        Unrecorded::None if idle => "it has no record, and needs none".to_owned(),
        Unrecorded::None => "it has no record: it was made before the webhook was installed, while it was \
                             down, or where it does not look; see kubectl reload doctor"
            .to_owned(),
        why => why.to_string(),
    }
}

impl SourceEntry {
    fn of(finding: &Finding, judged: Option<&Pod>) -> Self {
        let references = judged.iter().flat_map(|judged| judged.references.iter());
        let of_finding = references
            .filter(|reference| reference.source == finding.source && reference.mode == finding.mode);
        let evidence = &finding.evidence;
        let sentences = evidence.to_string();
        let mut sentences: Vec<String> = sentences.lines().map(str::to_owned).collect();
        // The lag, which explains the sentences that compare times, stays behind them.
        let last = sentences.pop();
        let written = match &evidence.now {
            Some(Seen::Present { written, .. }) => written.as_ref().map(|(at, _)| *at),
            _ => None,
        };
        sentences.extend(evidence.runs.iter().filter_map(|run| compared(written?, run)));
        sentences.extend(last);
        let container = |(name, run): &(String, Run)| Container {
            name: name.clone(),
            started_at: run.started_at,
            restarts: run.restarts,
        };
        Self {
            source: finding.source.to_string(),
            uses: uses(of_finding),
            verdict: finding.verdict,
            certainty: finding.certainty,
            reason: finding.words(),
            changed: finding.changes.changed.clone(),
            added: finding.changes.added.clone(),
            removed: finding.changes.removed.clone(),
            recorded: evidence.recorded.as_ref().map(Object::recorded).unwrap_or_default(),
            now: evidence.now.as_ref().map(Object::now).unwrap_or_default(),
            containers: evidence.runs.iter().map(container).collect(),
            evidence: sentences,
        }
    }
}

/// The last write against a container's start.
fn compared(written: Timestamp, (container, run): &(String, Run)) -> Option<String> {
    let seconds = written.duration_since(run.started_at?).as_secs();
    Some(match seconds {
        0 => format!("The last write came in the second in which container {container} started."),
        1.. => format!("The last write came {seconds} s after container {container} had started."),
        _ => format!("The last write came {} s before container {container} started.", -seconds),
    })
}

impl Default for Object {
    fn default() -> Self {
        Self {
            state: "unknown",
            uid: None,
            resource_version: None,
            created_at: None,
            written_at: None,
            written_by: None,
            why: None,
        }
    }
}

impl Object {
    fn recorded(recorded: &Result<Recorded, String>) -> Self {
        match recorded.as_ref().map(|recorded| &recorded.version) {
            Err(why) => Self::unknown(why.clone()),
            Ok(Err(why)) => Self::unknown(format!("it could not be read: {why}")),
            Ok(Ok(None)) => Self { state: "absent", ..Self::default() },
            Ok(Ok(Some(version))) => Self::present(version),
        }
    }

    fn now(seen: &Seen) -> Self {
        match seen {
            Seen::Absent => Self { state: "absent", ..Self::default() },
            Seen::NotReadable(why) => Self::unknown(why.clone()),
            Seen::Present { version, created_at, written } => Self {
                created_at: Some(*created_at),
                written_at: written.as_ref().map(|(at, _)| *at),
                written_by: written.as_ref().map(|(_, manager)| manager.clone()),
                ..Self::present(version)
            },
        }
    }

    fn present(Version { uid, resource_version }: &Version) -> Self {
        Self {
            state: "present",
            uid: Some(uid.clone()),
            resource_version: Some(resource_version.clone()),
            ..Self::default()
        }
    }

    fn unknown(why: String) -> Self {
        Self { why: Some(why), ..Self::default() }
    }
}
