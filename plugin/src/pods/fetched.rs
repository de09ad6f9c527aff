//! What verdicts look at in a pod, taken from it while it is parsed: in full, ten thousand of them would
//! fill the memory.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, PodSpec};
use reload_core::reference::{MAX_PAIRS, Reference, pairs, references};
use reload_core::verdict::{Run, Runs};
use serde::Deserialize;

use super::has_ended;
use crate::annotations::OwnAnnotations;
use crate::api::is_there;

/// A pod as it was fetched, without what nothing is kept of.
pub(crate) struct FetchedPod {
    pub(super) annotations: OwnAnnotations,
    pub(super) spec: Arc<Spec>,
    pub(super) runs: Runs,
    is_live: bool,
}

/// What is kept of a pod's spec.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Spec {
    /// In every container; none where there are too many.
    pub(super) references: Arc<[Reference]>,
    /// How much there is to look at for them.
    pub(super) pairs: usize,
    pub(super) containers: Box<[String]>,
}

/// The specs that were seen, each once: pods of one template have one.
#[derive(Default)]
pub(super) struct Specs(HashSet<Arc<Spec>>);

/// A pod as it comes.
#[derive(Deserialize)]
pub(super) struct InFull {
    metadata: Metadata,
    spec: Option<PodSpec>,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    #[serde(default, rename = "deletionTimestamp", deserialize_with = "is_there")]
    is_leaving: bool,
    #[serde(default)]
    annotations: OwnAnnotations,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    #[serde(default)]
    restart_count: i32,
    state: Option<ContainerState>,
}

impl InFull {
    /// Its uid, and what is kept of it.
    pub(super) fn kept(self, specs: &mut Specs) -> (String, FetchedPod) {
        let Self { metadata, spec, status } = self;
        let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
        let pod = FetchedPod {
            annotations: metadata.annotations,
            spec: specs.shared(Spec::of(&spec.unwrap_or_default())),
            runs: statuses.map(|status| (status.name.clone(), Run::from(status))).collect(),
            is_live: !metadata.is_leaving && !has_ended(status.phase.as_deref()),
        };
        (metadata.uid, pod)
    }
}

impl Spec {
    fn of(spec: &PodSpec) -> Self {
        let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
        let pairs = pairs(spec, 0);
        let references = match pairs > MAX_PAIRS {
            true => Vec::new(),
            false => references(spec, &BTreeSet::new()),
        };
        let containers = containers.map(|container| container.name.clone()).collect();
        Self { references: references.into(), pairs, containers }
    }
}

impl Specs {
    fn shared(&mut self, spec: Spec) -> Arc<Spec> {
        if let Some(known) = self.0.get(&spec) {
            return Arc::clone(known);
        }
        let spec = Arc::new(spec);
        self.0.insert(Arc::clone(&spec));
        spec
    }
}

impl FetchedPod {
    /// Whether it runs, or is about to.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live
    }

    /// What its spec refers to, in every container; nothing where that is too much.
    pub(crate) fn references(&self) -> &[Reference] {
        &self.spec.references
    }

    /// When the present run of a container started.
    pub(crate) fn started_at(&self, container: &str) -> Option<Timestamp> {
        self.runs.get(container).and_then(|run| run.started_at)
    }
}

impl From<&ContainerStatus> for Run {
    fn from(status: &ContainerStatus) -> Self {
        Self {
            started_at: status.state.as_ref().and_then(started_at),
            restarts: u32::try_from(status.restart_count).unwrap_or_default(),
        }
    }
}

fn started_at(state: &ContainerState) -> Option<Timestamp> {
    let running = state.running.as_ref().and_then(|running| running.started_at.as_ref());
    let ended = state.terminated.as_ref().and_then(|ended| ended.started_at.as_ref());
    running.or(ended).map(|time| time.0)
}
