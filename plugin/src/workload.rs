//! Workloads: the top controllers of pods.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::{OwnerReference, text};

/// Kind of a workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Job,
    CronJob,
    /// Argo's (`rollouts.argoproj.io`), which stands where a Deployment would.
    Rollout,
    /// A pod without a controller.
    Pod,
    /// Any other controller, by its kind and group: `CloneSet.apps.kruise.io`.
    Other(String),
}

impl Kind {
    /// By the name of a resource, as kubectl takes it: `deploy`, `deployments.apps`,
    /// `deployment.v1.apps`. Of other controllers, the one name that they are shown by, with its group.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (plain, group) = match name.split_once('.') {
            Some((plain, group)) => (plain, Some(without_version(group))),
            None => (name.as_str(), None),
        };
        let (kind, own_group) = match plain {
            "deployment" | "deployments" | "deploy" => (Self::Deployment, "apps"),
            "statefulset" | "statefulsets" | "sts" => (Self::StatefulSet, "apps"),
            "daemonset" | "daemonsets" | "ds" => (Self::DaemonSet, "apps"),
            "replicaset" | "replicasets" | "rs" => (Self::ReplicaSet, "apps"),
            "job" | "jobs" => (Self::Job, "batch"),
            "cronjob" | "cronjobs" | "cj" => (Self::CronJob, "batch"),
            "rollout" | "rollouts" | "ro" => (Self::Rollout, "argoproj.io"),
            "pod" | "pods" | "po" => (Self::Pod, ""),
            "replicationcontroller" | "replicationcontrollers" | "rc" => {
                (Self::Other("replicationcontroller".to_owned()), "")
            }
            "node" | "nodes" | "no" => (Self::Other("node".to_owned()), ""),
            _ => return group.map(|_| Self::Other(name.clone())),
        };
        match group {
            Some(group) if group != own_group => Some(Self::Other(name)),
            _ => Some(kind),
        }
    }

    /// Whether both are one kind: names of others are written in any case.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(one), Self::Other(other)) => one.eq_ignore_ascii_case(other),
            _ => self == other,
        }
    }

    /// By an owner reference. Other groups have kinds of the same names, which are others.
    fn of_owner(api_version: &str, kind: &str) -> Self {
        match (api_version, kind) {
            ("apps/v1", "Deployment") => Self::Deployment,
            ("apps/v1", "StatefulSet") => Self::StatefulSet,
            ("apps/v1", "DaemonSet") => Self::DaemonSet,
            ("apps/v1", "ReplicaSet") => Self::ReplicaSet,
            ("batch/v1", "Job") => Self::Job,
            ("batch/v1", "CronJob") => Self::CronJob,
            ("argoproj.io/v1alpha1", "Rollout") => Self::Rollout,
            _ => match api_version.split_once('/') {
                Some((group, _)) => Self::Other(format!("{kind}.{group}")),
                None => Self::Other(kind.to_owned()),
            },
        }
    }

    /// The kind's name, as manifests have it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Rollout => "Rollout",
            Self::Pod => "Pod",
            Self::Other(kind) => kind,
        }
    }

    /// The singular name, as kubectl prints it.
    pub(crate) fn singular(&self) -> String {
        match self {
            Self::Deployment => "deployment".to_owned(),
            Self::StatefulSet => "statefulset".to_owned(),
            Self::DaemonSet => "daemonset".to_owned(),
            Self::ReplicaSet => "replicaset".to_owned(),
            Self::Job => "job".to_owned(),
            Self::CronJob => "cronjob".to_owned(),
            Self::Rollout => "rollout.argoproj.io".to_owned(),
            Self::Pod => "pod".to_owned(),
            Self::Other(kind) => kind.to_ascii_lowercase(),
        }
    }

    /// Whether it can be restarted by a field of its own.
    pub(crate) fn is_rollable(&self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::Rollout)
    }

    /// The group and plural name of its resource, of the kinds that are known.
    pub(crate) fn resource(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Deployment => Some(("/apis/apps/v1", "deployments")),
            Self::StatefulSet => Some(("/apis/apps/v1", "statefulsets")),
            Self::DaemonSet => Some(("/apis/apps/v1", "daemonsets")),
            Self::ReplicaSet => Some(("/apis/apps/v1", "replicasets")),
            Self::Job => Some(("/apis/batch/v1", "jobs")),
            Self::CronJob => Some(("/apis/batch/v1", "cronjobs")),
            Self::Rollout => Some(("/apis/argoproj.io/v1alpha1", "rollouts")),
            Self::Pod => Some(("/api/v1", "pods")),
            Self::Other(_) => None,
        }
    }
}

/// `apps` of `v1.apps`.
fn without_version(group: &str) -> &str {
    match group.split_once('.') {
        Some((version, group)) if is_version(version) => group,
        _ if is_version(group) => "",
        _ => group,
    }
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A workload by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WorkloadName {
    pub(crate) namespace: String,
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.singular(), self.name)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// An entry of `metadata.ownerReferences`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    api_version: String,
    kind: String,
    name: String,
    pub(crate) uid: String,
    #[serde(default)]
    controller: bool,
}

impl Owner {
    /// The controlling one of these.
    pub(crate) fn of(references: Vec<OwnerReference>) -> Option<Self> {
        let controller = references.into_iter().find(|reference| reference.controller)?;
        let OwnerReference { api_version, kind, name, uid, controller } = controller;
        let [api_version, kind, name, uid] =
            [api_version, kind, name, uid].map(|bytes| text(&bytes).into_owned());
        Some(Self { api_version, kind, name, uid, controller })
    }

    /// The controlling one of them.
    pub(crate) fn controller<'de, D: Deserializer<'de>>(owners: D) -> Result<Option<Self>, D::Error> {
        let owners = Vec::<Self>::deserialize(owners)?;
        Ok(owners.into_iter().find(|owner| owner.controller))
    }

    pub(crate) fn workload(&self, namespace: &str) -> WorkloadName {
        Self::workload_of(&self.api_version, &self.kind, &self.name, namespace)
    }

    /// The workload that an owner reference names.
    pub(crate) fn workload_of(api_version: &str, kind: &str, name: &str, namespace: &str) -> WorkloadName {
        WorkloadName {
            namespace: namespace.to_owned(),
            kind: Kind::of_owner(api_version, kind),
            name: name.to_owned(),
        }
    }
}
