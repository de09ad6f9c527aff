//! What a workload was restarted for, kept on it: a drift that a restart does not end must not lead to
//! another one, and another.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use reload_core::annotation::RESTARTED_FOR;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::MANAGER;
use crate::annotations::OwnAnnotations;
use crate::api::{ApiError, get_metadata};
use crate::report::{Cause, WorkloadReport};
use crate::rollout::{api_resource, resource};
use crate::workload::WorkloadName;

/// A source that is written within this time of the start of the newest pods is taken to be written
/// by them.
const OWN_WRITE: SignedDuration = SignedDuration::from_mins(2);

/// The annotation `kubectl-reload.dev/restarted-for`, on the workload itself. It holds no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// When it was restarted.
    at: Timestamp,
    /// The sources that had drifted, in the versions that the restart was to pick up; empty for one
    /// that was gone.
    sources: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    annotations: OwnAnnotations,
}

impl Memory {
    /// Of a restart for these causes.
    pub(crate) fn of<'a>(causes: impl IntoIterator<Item = &'a Cause>, at: Timestamp) -> Self {
        let version = |cause: &Cause| cause.resource_version.clone().unwrap_or_default();
        let sources = causes.into_iter().map(|cause| (cause.source.to_string(), version(cause)));
        // Whole seconds, as those that pods are dated by.
        Self { at: Timestamp::from_second(at.as_second()).unwrap_or(at), sources: sources.collect() }
    }

    /// What stands on a workload of any kind that is known.
    ///
    /// # Errors
    /// When it cannot be read for another reason than a missing right.
    pub(crate) async fn fetch(client: &Client, workload: &WorkloadName) -> Result<Option<Self>, ApiError> {
        if workload.kind.resource().is_none() {
            return Ok(None);
        }
        match get_metadata::<Object>(client, resource(workload)).await {
            Ok(Object { metadata }) => Ok(metadata.annotations.get(RESTARTED_FOR).and_then(Self::parse)),
            Err(error) if error.is_forbidden() || error.is_not_found() => {
                tracing::warn!("what it was restarted for before is not known: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes it onto a workload of a kind that is known, beside its template.
    ///
    /// # Errors
    /// What the API server said.
    pub(crate) async fn keep(&self, client: &Client, workload: &WorkloadName) -> Result<(), ApiError> {
        if workload.kind.resource().is_none() {
            return Ok(());
        }
        let of_kind = api_resource(&workload.kind);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &workload.namespace, &of_kind);
        let patch = json!({"metadata": {"annotations": {RESTARTED_FOR: self.text()}}});
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = api.patch_metadata(&workload.name, &params, &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| ApiError::of(error, "patch", &resource(workload)))
    }

    /// As the annotation holds it; one that is not understood remembers nothing.
    pub(crate) fn parse(annotation: &str) -> Option<Self> {
        serde_json::from_str(annotation).ok()
    }

    /// The annotation's value.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Why another restart would be in vain, if so: what it was restarted for has drifted again, in
    /// the same version, or written by the new pods themselves.
    pub(crate) fn refusal(&self, report: &WorkloadReport) -> Option<String> {
        if report.newest_pod.is_none_or(|newest| newest < self.at) {
            return None;
        }
        let again = |cause: &&Cause| self.sources.contains_key(&cause.source.to_string());
        let mut others = report.causes.iter().filter(|cause| !again(cause));
        if others.next().is_some() {
            return None;
        }
        report.causes.iter().filter(again).find_map(|cause| {
            let source = &cause.source;
            let version = cause.resource_version.clone().unwrap_or_default();
            if self.sources.get(&source.to_string()) == Some(&version) {
                return Some(format!(
                    "its drift from {source} outlived the restart of {}: another would not end it; see which \
                     pods it is, and restart it all the same by --again",
                    self.at
                ));
            }
            let written = cause.since?;
            let own = report
                .newest_pod
                .is_some_and(|newest| written >= self.at && written.duration_since(newest) <= OWN_WRITE);
            own.then(|| {
                format!(
                    "{source} was written again right after the restart of {}, as by the workload itself: \
                     another would not end it; restart it all the same by --again",
                    self.at
                )
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use reload_core::source::SourceId;
    use reload_core::verdict::{Certainty, Verdict};

    use super::*;
    use crate::workload::Kind;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn report(causes: &[(&str, &str, i64)], newest_pod: i64) -> WorkloadReport {
        let cause = |(name, version, since): &(&str, &str, i64)| Cause {
            source: SourceId::config_map(*name),
            reason: "changed".to_owned(),
            changed: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
            would_not_start: false,
            since: Some(at(*since)),
            resource_version: Some((*version).to_owned()),
        };
        WorkloadReport {
            workload: WorkloadName {
                namespace: "shop".to_owned(),
                kind: Kind::Deployment,
                name: "web".to_owned(),
            },
            verdict: Verdict::Drifted,
            certainty: Certainty::Recorded,
            pods: 1,
            affected: 1,
            causes: causes.iter().map(cause).collect(),
            drifts: std::collections::BTreeSet::new(),
            problem: None,
            newest_pod: Some(at(newest_pod)),
        }
    }

    #[test]
    fn a_drift_that_a_restart_did_not_end_is_not_restarted_for_again() {
        let memory = Memory::of(&report(&[("a", "7", -9)], -99).causes, at(0));
        assert_eq!(Memory::parse(&memory.text()), Some(memory.clone()));
        for (name, causes, newest_pod, expected) in [
            ("the same version", &[("a", "7", -9)][..], 5, Some("outlived")),
            ("no pod is newer than the restart", &[("a", "7", -9)], -99, None),
            ("written right after it", &[("a", "8", 20)], 5, Some("written again")),
            ("written while it went on", &[("a", "8", 3)], 5, Some("written again")),
            ("written long after it", &[("a", "8", 500)], 5, None),
            ("another source", &[("b", "1", 20)], 5, None),
            ("another source as well", &[("a", "8", 20), ("b", "1", 20)], 5, None),
        ] {
            let refusal = memory.refusal(&report(causes, newest_pod));
            match expected {
                None => assert_eq!(refusal, None, "{name}"),
                Some(words) => assert!(refusal.as_ref().is_some_and(|why| why.contains(words)), "{name}"),
            }
        }
        for text in ["", "{}", "[]", "{\"at\":1}", "\u{0}"] {
            assert_eq!(Memory::parse(text), None, "{text:?}");
        }
    }
}
