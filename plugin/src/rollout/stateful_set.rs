//! StatefulSets, as far as a restart goes: their pods have ordinals, and are replaced from the last one on.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use kube::Client;

use super::{Counts, Rollable};
use crate::api::{ApiError, Resource, list_objects};
use crate::pods::is_live;
use crate::table::age;

/// A pod that has not been ready for so long is taken to be broken, not to start.
const BROKEN: SignedDuration = SignedDuration::from_mins(1);

/// A partition: pods below it keep their revision, whatever becomes of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    /// As the StatefulSet has it.
    number: i32,
    /// The lowest ordinal that a rollout reaches.
    reached_from: i32,
}

impl Partition {
    pub(super) fn of(object: &StatefulSet) -> Option<Self> {
        let strategy = object.spec.update_strategy.as_ref();
        let number = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition);
        let number = number.filter(|number| *number > 0)?;
        let start = object.spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
        Some(Self { number, reached_from: start.saturating_add(number) })
    }

    /// Whether a rollout replaces the pod of this name.
    pub(crate) fn reaches(self, pod: &str) -> bool {
        ordinal(pod).is_some_and(|ordinal| ordinal >= self.reached_from)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its pods below partition {} keep their revision: lower the partition, or replace them by --strategy \
             evict",
            self.number
        )
    }
}

fn ordinal(pod: &str) -> Option<i32> {
    pod.rsplit_once('-').and_then(|(_, ordinal)| ordinal.parse().ok())
}

/// As `kubectl rollout status` counts: pods below a partition need not be new.
pub(super) fn counts(object: &StatefulSet) -> Counts {
    let wanted = object.spec.replicas.unwrap_or(1);
    let Some(status) = &object.status else { return (0, wanted, None) };
    let kept = Partition::of(object).map_or(0, |partition| partition.number.min(wanted));
    let same = status.current_revision == status.update_revision;
    let updated = match same {
        true => wanted,
        false => status.updated_replicas.unwrap_or(0).min(wanted - kept) + kept,
    };
    let ready = status.ready_replicas.unwrap_or(0);
    (updated.min(ready), wanted, None)
}

/// A broken pod of a StatefulSet that replaces none of its pods before that one is ready
/// (<https://github.com/kubernetes/kubernetes/issues/67250>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokenPod {
    pub(crate) name: String,
    unready_for: SignedDuration,
}

/// What helps where a restart does not.
pub(crate) const PAST_BROKEN_POD: &str =
    "delete that pod, or replace the drifted ones up to it by --strategy evict";

impl fmt::Display for BrokenPod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its pod {} has not been ready for {}, and a StatefulSet whose pods are managed in order replaces none \
             before it is",
            self.name,
            age(self.unready_for.as_secs())
        )
    }
}

impl BrokenPod {
    /// Finds the one that a restart of this workload would not get past, if there is one.
    ///
    /// # Errors
    /// When its pods cannot be listed.
    pub(crate) async fn find(
        client: &Client,
        rollable: &Rollable,
        now: Timestamp,
    ) -> Result<Option<Self>, ApiError> {
        let Rollable::StatefulSet(object) = rollable else { return Ok(None) };
        let ready = object.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
        let in_order = object.spec.pod_management_policy.as_deref() != Some("Parallel");
        if !in_order || ready >= object.spec.replicas.unwrap_or(1) {
            return Ok(None);
        }
        let labels = object.spec.selector.match_labels.iter().flatten();
        let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
        let namespace = object.metadata.namespace.as_deref();
        let resource = Resource { group: "/api/v1", plural: "pods", namespace, name: None };
        let mut pods: Vec<Pod> =
            list_objects(client, resource, &[("labelSelector", labels.join(",").as_str())]).await?;
        pods.retain(|pod| {
            let owners = pod.metadata.owner_references.iter().flatten();
            owners.into_iter().any(|owner| Some(&owner.uid) == object.metadata.uid.as_ref())
        });
        Ok(Self::among(&pods, now))
    }

    /// Whether a pod of this name would not be made anew before this one is ready: its controller goes by
    /// ordinals.
    pub(crate) fn blocks(&self, pod: &str) -> bool {
        ordinal(pod) > ordinal(&self.name)
    }

    /// The first of them in order.
    fn among(pods: &[Pod], now: Timestamp) -> Option<Self> {
        let broken = pods.iter().filter(|pod| is_live(pod)).filter_map(|pod| {
            let name = pod.metadata.name.clone()?;
            let unready_for = now.duration_since(unready_since(pod)?);
            (unready_for >= BROKEN).then_some(Self { name, unready_for })
        });
        broken.min_by_key(|pod| ordinal(&pod.name))
    }
}

/// Since when a pod has not been ready; `None` where it is.
fn unready_since(pod: &Pod) -> Option<Timestamp> {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready: Option<&PodCondition> = conditions.find(|condition| condition.type_ == "Ready");
    match ready {
        Some(ready) if ready.status == "True" => None,
        Some(PodCondition { last_transition_time: Some(since), .. }) => Some(since.0),
        _ => pod.metadata.creation_timestamp.as_ref().map(|created| created.0),
    }
}

#[cfg(test)]
mod tests;
