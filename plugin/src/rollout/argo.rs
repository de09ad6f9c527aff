//! Argo Rollouts, as far as a restart goes: `spec.restartAt` has the controller evict every pod that
//! is older, in all ReplicaSets, and then say so in `status.restartedAt`. Templates and revisions stay.

use std::borrow::Cow;

use jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::core::ApiResource;
use serde::{Deserialize, Serialize};

use super::Counts;

/// A `Rollout` of `argoproj.io/v1alpha1`.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct ArgoRollout {
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: Spec,
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    replicas: Option<i32>,
    /// In RFC 3339.
    pub(super) restart_at: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// The generation as a text; a hash before version 1.0.
    observed_generation: Option<String>,
    phase: Option<String>,
    message: Option<String>,
    /// The `restartAt` for which every pod has been restarted.
    restarted_at: Option<String>,
    replicas: Option<i32>,
    updated_replicas: Option<i32>,
    available_replicas: Option<i32>,
    /// The revision that it is at or on the way to.
    pub(super) current_pod_hash: Option<String>,
}

impl ArgoRollout {
    /// Whether its controller has seen its last change.
    pub(super) fn is_observed(&self) -> bool {
        let Some(observed) = &self.status.observed_generation else { return false };
        // An old controller's hash tells nothing.
        observed.parse().map_or(true, |observed: i64| Some(observed) >= self.metadata.generation)
    }

    /// Whether pods from before its last restart may be left.
    pub(super) fn is_restarting(&self) -> bool {
        let asked = self.restart_at();
        asked.is_some() && asked > time(self.status.restarted_at.as_deref())
    }

    /// Pods from before this time are to be replaced.
    pub(super) fn restart_at(&self) -> Option<Timestamp> {
        time(self.spec.restart_at.as_deref())
    }

    /// Pods that are done, pods that are wanted, and why it is stuck. An update that is paused at a
    /// step of its own counts as done where its pods are available.
    pub(super) fn counts(&self) -> Counts {
        let wanted = self.spec.replicas.unwrap_or(1);
        let Status { phase, message, replicas, updated_replicas, available_replicas, .. } = &self.status;
        let available = available_replicas.unwrap_or(0).min(wanted);
        match phase.as_deref() {
            Some("Healthy") => (wanted, wanted, None),
            Some("Degraded") => {
                let why = message.as_deref().unwrap_or("it is degraded");
                (available, wanted, Some(format!("rollout stuck: {why}: mend its new pods")))
            }
            Some("Paused") => (available, wanted, None),
            _ => {
                let updated = updated_replicas.unwrap_or(0);
                let old = replicas.unwrap_or(0) - updated;
                let done = available.min(updated);
                (if old > 0 { done.min(wanted - 1) } else { done }, wanted, None)
            }
        }
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text.and_then(|text| text.parse().ok())
}

impl kube::Resource for ArgoRollout {
    type DynamicType = ApiResource;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Progress, Rollable};
    use super::*;

    fn progress(status: Value) -> Progress {
        let spec = json!({"replicas": 3, "restartAt": "2030-01-01T00:00:00Z"});
        let object = json!({"metadata": {"generation": 2}, "spec": spec, "status": status});
        Rollable::Argo(Box::new(serde_json::from_value::<ArgoRollout>(object).unwrap())).progress()
    }

    #[test]
    fn a_rollout_is_complete_when_its_controller_has_restarted_every_pod_and_it_is_well() {
        let status = |generation: &str, restarted: &str, phase: &str| {
            progress(json!({"observedGeneration": generation, "restartedAt": restarted, "phase": phase,
                "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2}))
        };
        let underway = |done| Progress::Underway { done, wanted: 3 };
        let (before, at) = ("2029-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
        for (name, seen, expected) in [
            ("not seen yet", status("1", at, "Healthy"), underway(0)),
            ("old pods are left", status("2", before, "Healthy"), underway(0)),
            ("never restarted", progress(json!({"observedGeneration": "2"})), underway(0)),
            ("not available", status("2", at, "Progressing"), underway(2)),
            ("paused and not available", status("2", at, "Paused"), underway(2)),
            ("complete", status("2", at, "Healthy"), Progress::Complete),
            ("an old controller", status("5f79b", at, "Healthy"), Progress::Complete),
        ] {
            assert_eq!(seen, expected, "{name}");
        }
        let stuck = status("2", at, "Degraded");
        assert!(matches!(&stuck, Progress::Stuck(why) if why.contains("degraded")), "{stuck}");
    }
}
