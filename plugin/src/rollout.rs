//! Rollouts: how far a workload is with replacing its pods, by the rules of `kubectl rollout
//! status`.

mod argo;
mod stateful_set;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::core::ApiResource;
use kube::{Api, Client};
use reload_core::annotation::RESTARTED_FOR;

use crate::api::{ApiError, Resource};
use crate::inventory::{Inventory, Revision};
use crate::restart::{Memory, RESTARTED_AT};
use crate::table::age;
use crate::workload::{Kind, WorkloadName};
use argo::ArgoRollout;
pub(crate) use stateful_set::{BrokenPod, PAST_BROKEN_POD, Partition};

/// How long a rollout may go without a new pod: the default of a Deployment's
/// `progressDeadlineSeconds`.
const DEADLINE: SignedDuration = SignedDuration::from_mins(10);

const STUCK: &str = "rollout stuck: it made no progress within its deadline: mend its new pods";

/// A workload that can be rolled.
pub(crate) enum Rollable {
    Deployment(Box<Deployment>),
    StatefulSet(Box<StatefulSet>),
    DaemonSet(Box<DaemonSet>),
    Argo(Box<ArgoRollout>),
}

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Every pod is of the newest revision and available.
    Complete,
    /// So many of so many pods are.
    Underway { done: i32, wanted: i32 },
    /// It will not get any further by itself.
    Stuck(String),
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Underway { done, wanted } => write!(f, "{done} of {wanted} pods up to date and available"),
            Self::Stuck(why) => f.write_str(why),
        }
    }
}

/// Why a workload cannot be looked at or rolled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RolloutError {
    /// Its kind has no rollouts.
    #[error("{0} is no Deployment, StatefulSet, DaemonSet or Rollout: restart it by what made it")]
    Kind(String),
    /// The API server said no.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Rollable {
    /// Reads a workload.
    pub(crate) async fn get(client: &Client, workload: &WorkloadName) -> Result<Self, RolloutError> {
        let WorkloadName { namespace, kind, name } = workload;
        if kind.is_rollable() {
            resource(workload).ensure_addressable("get")?;
        }
        let (client, failed) = (client.clone(), |error| ApiError::of(error, "get", &resource(workload)));
        Ok(match kind {
            Kind::Deployment => Self::Deployment(Box::new(
                Api::namespaced(client, namespace).get(name).await.map_err(failed)?,
            )),
            Kind::StatefulSet => Self::StatefulSet(Box::new(
                Api::namespaced(client, namespace).get(name).await.map_err(failed)?,
            )),
            Kind::DaemonSet => {
                Self::DaemonSet(Box::new(Api::namespaced(client, namespace).get(name).await.map_err(failed)?))
            }
            Kind::Rollout => Self::Argo(Box::new(
                Api::namespaced_with(client, namespace, &api_resource(kind))
                    .get(name)
                    .await
                    .map_err(failed)?,
            )),
            _ => return Err(RolloutError::Kind(workload.to_string())),
        })
    }

    pub(crate) fn uid(&self) -> Option<&str> {
        self.metadata().uid.as_deref()
    }

    pub(crate) fn resource_version(&self) -> Option<&str> {
        self.metadata().resource_version.as_deref()
    }

    pub(crate) fn generation(&self) -> Option<i64> {
        self.metadata().generation
    }

    /// When it was last restarted, as the annotation on its template says, or a Rollout's own field.
    pub(crate) fn restarted_at(&self) -> Option<&str> {
        let template = match self {
            Self::Argo(object) => return object.spec.restart_at.as_deref(),
            Self::Deployment(object) => &object.spec.template,
            Self::StatefulSet(object) => &object.spec.template,
            Self::DaemonSet(object) => &object.spec.template,
        };
        let annotations = template.metadata.as_ref()?.annotations.as_ref()?;
        annotations.get(RESTARTED_AT).map(String::as_str)
    }

    /// What it was last restarted for by sync.
    pub(crate) fn restarted_for(&self) -> Option<Memory> {
        self.metadata().annotations.as_ref()?.get(RESTARTED_FOR).and_then(|text| Memory::parse(text))
    }

    fn metadata(&self) -> &kube::api::ObjectMeta {
        match self {
            Self::Deployment(object) => &object.metadata,
            Self::StatefulSet(object) => &object.metadata,
            Self::DaemonSet(object) => &object.metadata,
            Self::Argo(object) => &object.metadata,
        }
    }

    /// Why a changed template would not replace the pods by itself, if so.
    pub(crate) fn held(&self) -> Option<String> {
        let on_delete = |kind: Option<&String>| {
            kind.is_some_and(|kind| kind == "OnDelete")
                .then(|| "its update strategy is OnDelete: replace its pods by --strategy evict".to_owned())
        };
        match self {
            Self::Deployment(object) => (object.spec.paused == Some(true))
                .then(|| "it is paused: resume it with kubectl rollout resume".to_owned()),
            Self::StatefulSet(object) => {
                let strategy = object.spec.update_strategy.as_ref();
                on_delete(strategy.and_then(|strategy| strategy.type_.as_ref()))
            }
            Self::DaemonSet(object) => {
                let strategy = object.spec.update_strategy.as_ref();
                on_delete(strategy.and_then(|strategy| strategy.type_.as_ref()))
            }
            // A restart recreates its pods whatever step its update is at, paused or not.
            Self::Argo(_) => None,
        }
    }

    /// What a changed template would not replace, of a StatefulSet with a partition.
    pub(crate) fn partition(&self) -> Option<Partition> {
        match self {
            Self::StatefulSet(object) => Partition::of(object),
            Self::Deployment(_) | Self::DaemonSet(_) | Self::Argo(_) => None,
        }
    }

    /// Whether its controller has seen its last change: until then all its pods are old.
    pub(crate) fn is_observed(&self) -> bool {
        let observed = match self {
            Self::Deployment(object) => object.status.as_ref().and_then(|status| status.observed_generation),
            Self::StatefulSet(object) => object.status.as_ref().and_then(|status| status.observed_generation),
            Self::DaemonSet(object) => object.status.as_ref().and_then(|status| status.observed_generation),
            Self::Argo(object) => return object.is_observed() && !object.is_restarting(),
        };
        observed >= self.metadata().generation
    }

    /// How far its rollout is, where only a Deployment knows by itself that it is stuck: of the others one
    /// goes no further that has made its last new pod long ago, and was not changed since; nor does one that
    /// has made none long after it was changed, as when an old pod is broken or a quota is used up.
    pub(crate) fn progress_at(&self, now: Timestamp, last_new_pod: Option<Timestamp>) -> Progress {
        let progress = self.progress();
        let Progress::Underway { done, wanted } = progress else { return progress };
        let changed = match self {
            Self::Deployment(_) => return progress,
            _ => self.last_change(),
        };
        // Until the controller has seen the change, its pods are those from before.
        let begun = if changed.is_none() && !self.is_observed() { None } else { last_new_pod.max(changed) };
        let Some(ago) = begun.map(|begun| now.duration_since(begun)).filter(|ago| *ago > DEADLINE) else {
            return progress;
        };
        let ago = age(ago.as_secs());
        Progress::Stuck(match last_new_pod >= changed {
            true => format!(
                "rollout stuck: its newest pod was made {ago} ago, and {done} of {wanted} are healthy: mend its new pods"
            ),
            false => format!(
                "rollout stuck: it was changed {ago} ago, and no new pod has been made since: see its events with \
                 kubectl describe"
            ),
        })
    }

    /// When what it asks for was last changed, its status, scale and labels aside. A Rollout may be told to
    /// restart later on.
    fn last_change(&self) -> Option<Timestamp> {
        let writes = self.metadata().managed_fields.iter().flatten();
        let asks = |write: &&ManagedFieldsEntry| {
            let of_spec = |fields: &FieldsV1| fields.0.get("f:spec").is_some();
            write.subresource.is_none() && write.fields_v1.as_ref().is_some_and(of_spec)
        };
        let written = writes.filter(asks).filter_map(|write| Some(write.time.as_ref()?.0)).max();
        let told = match self {
            Self::Argo(object) => object.restart_at(),
            _ => None,
        };
        written.max(told)
    }

    /// How far its rollout is.
    pub(crate) fn progress(&self) -> Progress {
        let (done, wanted, stuck) = match self {
            Self::Deployment(object) => of_deployment(object),
            Self::StatefulSet(object) => stateful_set::counts(object),
            Self::DaemonSet(object) => of_daemon_set(object),
            Self::Argo(object) => object.counts(),
        };
        if !self.is_observed() {
            return Progress::Underway { done: 0, wanted };
        }
        match stuck {
            Some(why) => Progress::Stuck(why),
            None if done >= wanted => Progress::Complete,
            None => Progress::Underway { done, wanted },
        }
    }

    /// The revision that the workload is at or on the way to, as its pods are labelled; `None` where
    /// nothing tells.
    pub(crate) fn newest<'a>(&'a self, inventory: &'a Inventory) -> Option<&'a str> {
        match self {
            Self::Deployment(_) => inventory.newest_template_hash(self.uid()?),
            Self::StatefulSet(object) => object.status.as_ref()?.update_revision.as_deref(),
            Self::DaemonSet(object) => {
                let annotations = object.metadata.annotations.as_ref()?;
                annotations.get("deprecated.daemonset.template.generation").map(String::as_str)
            }
            Self::Argo(object) => object.status.current_pod_hash.as_deref(),
        }
    }

    /// The revision of one of its pods, by the label that its controller goes by.
    pub(crate) fn revision_of<'a>(&self, pod: &'a Revision) -> Option<&'a str> {
        match self {
            Self::Deployment(_) => pod.template_hash.as_deref(),
            Self::StatefulSet(_) => pod.controller_hash.as_deref(),
            Self::DaemonSet(_) => pod.template_generation.as_deref(),
            Self::Argo(_) => pod.rollout_hash.as_deref(),
        }
    }
}

/// Pods that are done, pods that are wanted, and why it is stuck.
type Counts = (i32, i32, Option<String>);

fn of_deployment(object: &Deployment) -> Counts {
    let wanted = object.spec.replicas.unwrap_or(1);
    let Some(status) = &object.status else { return (0, wanted, None) };
    let updated = status.updated_replicas.unwrap_or(0);
    let old = status.replicas.unwrap_or(0) - updated;
    let available = status.available_replicas.unwrap_or(0).min(updated);
    let progressing = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_.as_deref() == Some("Progressing"));
    let stuck = progressing
        .filter(|condition| condition.reason.as_deref() == Some("ProgressDeadlineExceeded"))
        .map(|_| STUCK.to_owned());
    let done = if old > 0 { available.min(wanted - 1) } else { available };
    (done, wanted, stuck)
}

fn of_daemon_set(object: &DaemonSet) -> Counts {
    let Some(status) = &object.status else { return (0, 0, None) };
    let updated = status.updated_number_scheduled.unwrap_or(0);
    let available = status.number_available.unwrap_or(0);
    (updated.min(available), status.desired_number_scheduled, None)
}

/// The kind as the client's untyped calls take it.
pub(crate) fn api_resource(kind: &Kind) -> ApiResource {
    let (path, plural) = kind.resource().unwrap_or_default();
    let api_version = path.trim_start_matches("/apis/").trim_start_matches("/api/");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.to_owned(),
        kind: kind.name().to_owned(),
        plural: plural.to_owned(),
    }
}

/// The workload as the subject of a request.
pub(crate) fn resource(workload: &WorkloadName) -> Resource<'_> {
    let (group, plural) = workload.kind.resource().unwrap_or(("", "workloads"));
    Resource { group, plural, namespace: Some(&workload.namespace), name: Some(&workload.name) }
}

#[cfg(test)]
mod tests;
