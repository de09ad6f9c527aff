//! What a workload was restarted for, kept on it: a drift that a restart does not end must not lead to
//! another one, and another.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::discovery::ApiGroup;
use kube::{Api, Client};
use reload_core::annotation::RESTARTED_FOR;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::MANAGER;
use super::people::is_of_people;
use crate::annotations::OwnAnnotations;
use crate::api::{ApiError, Resource, get_metadata};
use crate::report::{Cause, WorkloadReport};
use crate::rollout::{api_resource, resource};
use crate::workload::{Kind, WorkloadName};

/// A source that is written within this time after the newest pod was made is taken to be written by it,
/// unless people write by that field manager.
const OWN_WRITE: SignedDuration = SignedDuration::from_mins(2);

/// A pod may write by kubectl, too: so often in a row a source may be written again right after a restart
/// for it, by whomever, before that counts as its own.
const MOST_REWRITTEN: u32 = 5;

/// No write counts that came later after a restart than this.
const AFTER_RESTART: SignedDuration = SignedDuration::from_hours(1);

/// How long after a restart its rollout may be going on, where the newest pod does not tell.
const DURING_ROLLOUT: SignedDuration = SignedDuration::from_mins(5);

/// The annotation `kubectl-reload.dev/restarted-for`, on the workload itself. It holds no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// When it was restarted.
    at: Timestamp,
    /// The sources that had drifted, in the versions that the restart was to pick up; empty for one
    /// that was gone.
    sources: BTreeMap<String, String>,
    /// How often in a row they had been written again right after a restart for them, where they had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rewritten: BTreeMap<String, u32>,
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
    /// Of a restart for what these reports tell, and of the one before it.
    pub(crate) fn of<'a>(
        reports: impl IntoIterator<Item = &'a WorkloadReport>,
        at: Timestamp,
        before: Option<&Self>,
    ) -> Self {
        // Whole seconds, as those that pods are dated by.
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let mut memory = Self { at, sources: BTreeMap::new(), rewritten: BTreeMap::new() };
        for report in reports {
            for cause in &report.causes {
                let source = cause.source.to_string();
                let rewritten = before.map_or(0, |before| before.times_rewritten(cause, report.newest_pod));
                if rewritten > 0 {
                    memory.rewritten.insert(source.clone(), rewritten);
                }
                memory.sources.insert(source, cause.resource_version.clone().unwrap_or_default());
            }
        }
        memory
    }

    /// What stands on a workload.
    ///
    /// # Errors
    /// When it cannot be read for another reason than a missing right.
    pub(crate) async fn fetch(client: &Client, workload: &WorkloadName) -> Result<Option<Self>, ApiError> {
        let get = async || {
            let (group, of_kind) = served(client, workload).await?;
            get_metadata::<Object>(client, subject(workload, &group, &of_kind)).await
        };
        match get().await {
            Ok(Object { metadata }) => Ok(metadata.annotations.get(RESTARTED_FOR).and_then(Self::parse)),
            Err(error) if error.is_forbidden() || error.is_not_found() => {
                tracing::warn!("what it was restarted for before is not known: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes it onto a workload, beside its template.
    ///
    /// # Errors
    /// What the API server said.
    pub(crate) async fn keep(&self, client: &Client, workload: &WorkloadName) -> Result<(), ApiError> {
        let (group, of_kind) = served(client, workload).await?;
        subject(workload, &group, &of_kind).ensure_addressable("patch")?;
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &workload.namespace, &of_kind);
        let patch = json!({"metadata": {"annotations": {RESTARTED_FOR: self.text()}}});
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = api.patch_metadata(&workload.name, &params, &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| ApiError::of(error, "patch", &subject(workload, &group, &of_kind)))
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
        let newest = report.newest_pod.filter(|newest| *newest >= self.at)?;
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
            let when = match self.times_rewritten(cause, Some(newest)) {
                times if times >= MOST_REWRITTEN => {
                    format!("each of the last {times} restarts")
                }
                _ if is_own_write(cause, newest) => format!("the restart of {}", self.at),
                _ => return None,
            };
            Some(format!(
                "{source} was written again right after {when}, as by the workload itself: another would not \
                 end it; restart it all the same by --again"
            ))
        })
    }

    /// How often in a row a source was written again soon after a restart for it, this one included: not
    /// at all where it was not.
    fn times_rewritten(&self, cause: &Cause, newest_pod: Option<Timestamp>) -> u32 {
        let source = cause.source.to_string();
        let soon = |written: Timestamp| {
            let after_restart = written.duration_since(self.at);
            let after_pod = newest_pod.map(|newest| written.duration_since(newest));
            let by_new_pod =
                after_pod.is_some_and(|after| (SignedDuration::ZERO..=OWN_WRITE).contains(&after));
            // A newer pod may have come of scaling: then a write counts only where the rollout may have
            // been going on.
            let most = if by_new_pod { AFTER_RESTART } else { DURING_ROLLOUT };
            (SignedDuration::ZERO..=most).contains(&after_restart)
                && after_pod.is_some_and(|after| after <= OWN_WRITE)
        };
        match self.sources.contains_key(&source) && cause.since.is_some_and(soon) {
            true => self.rewritten.get(&source).copied().unwrap_or_default().saturating_add(1),
            false => 0,
        }
    }
}

/// Where and how the API server serves a workload's kind; of a controller of others it has to be asked.
async fn served(client: &Client, workload: &WorkloadName) -> Result<(String, ApiResource), ApiError> {
    let Kind::Other(name) = &workload.kind else {
        let (group, _) = workload.kind.resource().unwrap_or_default();
        return Ok((group.to_owned(), api_resource(&workload.kind)));
    };
    let (kind, group) = name.split_once('.').unwrap_or((name, ApiGroup::CORE_GROUP));
    let unserved = || ApiError::NotFound { what: format!("find the API of {workload}") };
    let of_kind = match kube::discovery::group(client, group).await {
        // A kind may be served in another than the preferred version alone.
        Ok(group) => {
            let mut kinds = group.versions().flat_map(|version| group.versioned_resources(version));
            let found = kinds.find(|(of_kind, _)| of_kind.kind == *kind && !of_kind.plural.contains('/'));
            found.map(|(of_kind, _)| of_kind).ok_or_else(unserved)?
        }
        Err(kube::Error::Discovery(_)) => return Err(unserved()),
        Err(error) => return Err(ApiError::of(error, "get", &resource(workload))),
    };
    let root = if group == ApiGroup::CORE_GROUP { "/api" } else { "/apis" };
    Ok((format!("{root}/{}", of_kind.api_version), of_kind))
}

/// The workload as the subject of a request.
fn subject<'a>(workload: &'a WorkloadName, group: &'a str, of_kind: &'a ApiResource) -> Resource<'a> {
    Resource { group, plural: &of_kind.plural, ..resource(workload) }
}

/// Whether a source was written by the workload's newest pod: soon after it was made, since a change during
/// a rollout is nobody's own, and not as people write.
fn is_own_write(cause: &Cause, newest_pod: Timestamp) -> bool {
    let by_people = cause.written_by.as_deref().is_some_and(is_of_people);
    let after = |written: Timestamp| written.duration_since(newest_pod);
    !by_people
        && cause.since.is_some_and(|written| (SignedDuration::ZERO..=OWN_WRITE).contains(&after(written)))
}

#[cfg(test)]
mod tests {
    use reload_core::source::SourceId;
    use reload_core::verdict::{Certainty, Verdict};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    /// Of causes by source, version, time and manager of the last write.
    fn report(causes: &[(&str, &str, i64, &str)], newest_pod: i64) -> WorkloadReport {
        let cause = |(name, version, since, manager): &(&str, &str, i64, &str)| Cause {
            source: SourceId::config_map(*name),
            reason: "changed".to_owned(),
            changed: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
            would_not_start: false,
            since: Some(at(*since)),
            resource_version: Some((*version).to_owned()),
            written_by: Some((*manager).to_owned()),
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
            reached: None,
        }
    }

    #[test]
    fn a_drift_that_a_restart_did_not_end_is_not_restarted_for_again() {
        let memory = Memory::of([&report(&[("a", "7", -9, "web")], -99)], at(0), None);
        assert_eq!(Memory::parse(&memory.text()), Some(memory.clone()));
        for (name, causes, newest_pod, expected) in [
            ("the same version", &[("a", "7", -9, "kubectl")][..], 5, Some("outlived")),
            ("no pod is newer than the restart", &[("a", "7", -9, "web")], -99, None),
            ("written by its newest pod", &[("a", "8", 20, "web")], 5, Some("written again")),
            ("written by nobody knows whom", &[("a", "8", 20, "")], 5, Some("written again")),
            ("edited right after it", &[("a", "8", 20, "kubectl-edit")], 5, None),
            ("synced from Git right after it", &[("a", "8", 20, "argocd-controller")], 5, None),
            ("written while it went on", &[("a", "8", 3, "web")], 5, None),
            ("written long after it", &[("a", "8", 500, "web")], 5, None),
            ("written days before a node was drained", &[("a", "8", 500, "web")], 200_000, None),
            ("another source", &[("b", "1", 20, "web")], 5, None),
            ("another source as well", &[("a", "8", 20, "web"), ("b", "1", 20, "web")], 5, None),
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

    #[test]
    fn a_pod_that_writes_by_kubectl_is_not_restarted_in_circles_for_ever() {
        // Each restart makes a pod after 5 s, and 20 s or an hour later the source is written.
        let restarts = |pause: i64| {
            let mut memory = Memory::of([&report(&[("a", "0", -9, "kubectl")], -99)], at(0), None);
            (1..20).find(|round| {
                let (begun, version) = (round * 10_000, round.to_string());
                let written = [("a", version.as_str(), begun - 10_000 + pause, "kubectl-patch")];
                let drifted = report(&written, begun - 10_000 + 5);
                let refused = memory.refusal(&drifted).is_some();
                memory = Memory::of([&drifted], at(begun), Some(&memory));
                refused
            })
        };
        assert_eq!(restarts(25), Some(5));
        assert_eq!(restarts(3), Some(5), "while it goes on, each time");
        assert_eq!(restarts(3600), None);
    }
}
