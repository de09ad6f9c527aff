//! Pods in full, of those that metadata did not settle.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, Pod, PodSpec};
use kube::Client;
use reload_core::options::{Carrier, InvalidOption, Live, Options};
use reload_core::record::{PodIdentity, Record};
use reload_core::reference::{MAX_PAIRS, Reference, extra_references, pairs, references};
use reload_core::source::SourceId;
use reload_core::verdict::{self, Run, Unrecorded};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::annotations::OwnAnnotations;
use crate::api::{ApiError, Resource, get_object, is_there, list_objects};
use crate::inventory::{Inventory, NOT_ENDED, PodMetadata};

/// From this many pods of a namespace on, one list is cheaper than a GET each.
const LIST_FROM: usize = 8;

/// GETs under way at once.
pub(crate) const PARALLEL: usize = 16;

/// What verdicts look at in a pod, taken from it while it is parsed: in full, ten thousand of them would
/// fill the memory.
#[derive(Debug, Deserialize)]
#[serde(from = "InFull")]
pub(crate) struct FetchedPod {
    uid: String,
    annotations: OwnAnnotations,
    /// Those of its spec, in every container; none where there are too many.
    pub(crate) references: Vec<Reference>,
    /// How much there is to look at for them.
    pairs: usize,
    containers: Vec<String>,
    runs: BTreeMap<String, Run>,
    is_live: bool,
}

#[derive(Deserialize)]
struct InFull {
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

impl From<InFull> for FetchedPod {
    fn from(pod: InFull) -> Self {
        let InFull { metadata, spec, status } = pod;
        let spec = spec.unwrap_or_default();
        let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
        let pairs = pairs(&spec, 0);
        let references = match pairs > MAX_PAIRS {
            true => Vec::new(),
            false => references(&spec, &BTreeSet::new()),
        };
        let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
        Self {
            uid: metadata.uid,
            annotations: metadata.annotations,
            references,
            pairs,
            containers: containers.map(|container| container.name.clone()).collect(),
            runs: statuses.map(|status| (status.name.clone(), Run::from(status))).collect(),
            is_live: !metadata.is_leaving && !has_ended(status.phase.as_deref()),
        }
    }
}

/// A request for pods in full.
enum Request<'a> {
    List(Option<&'a str>),
    Get(&'a PodMetadata),
}

impl Request<'_> {
    async fn send(self, client: &Client) -> Result<Vec<FetchedPod>, ApiError> {
        match self {
            Self::List(namespace) => {
                let resource = Resource { group: "/api/v1", plural: "pods", namespace, name: None };
                list_objects(client, resource, &NOT_ENDED).await
            }
            Self::Get(PodMetadata { namespace, name, .. }) => match get(client, namespace, name).await {
                // Whoever may list pods sees as much of them.
                Err(error) if error.is_forbidden() => {
                    let listed = Box::pin(Self::List(Some(namespace)).send(client)).await;
                    listed.map_err(|_| error)
                }
                pod => Ok(pod?.into_iter().collect()),
            },
        }
    }
}

/// As few requests as do: one list where most pods of all namespaces are wanted, else one for each
/// namespace of which many are.
fn requests<'a>(inventory: &Inventory, wanted: &[&'a PodMetadata]) -> Vec<Request<'a>> {
    let most = wanted.len() >= LIST_FROM && wanted.len() * 2 >= inventory.pods.len();
    if most && inventory.namespace.is_none() {
        return vec![Request::List(None)];
    }
    let mut by_namespace: BTreeMap<&str, Vec<&PodMetadata>> = BTreeMap::new();
    for pod in wanted {
        by_namespace.entry(&pod.namespace).or_default().push(pod);
    }
    let of = |(namespace, pods): (_, Vec<_>)| match pods.len() >= LIST_FROM {
        true => vec![Request::List(Some(namespace))],
        false => pods.into_iter().map(Request::Get).collect(),
    };
    by_namespace.into_iter().flat_map(of).collect()
}

/// These pods in full, by uid; one that is gone meanwhile is left out.
pub(crate) async fn fetch(
    client: &Client,
    inventory: &Inventory,
    wanted: &[&PodMetadata],
) -> Result<HashMap<String, FetchedPod>, ApiError> {
    let uids: HashSet<&str> = wanted.iter().map(|pod| pod.uid()).collect();
    let requests = futures::stream::iter(requests(inventory, wanted));
    let mut answers = requests.map(|request| request.send(client)).buffer_unordered(PARALLEL);
    let mut fetched = HashMap::with_capacity(wanted.len());
    while let Some(pods) = answers.try_next().await? {
        let pods = pods.into_iter().filter(|pod| uids.contains(pod.uid.as_str()));
        fetched.extend(pods.map(|pod| (pod.uid.clone(), pod)));
    }
    Ok(fetched)
}

/// A pod, if it is there.
pub(crate) async fn get<T: DeserializeOwned>(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<T>, ApiError> {
    let resource =
        Resource { group: "/api/v1", plural: "pods", namespace: Some(namespace), name: Some(name) };
    match get_object(client, resource).await {
        Ok(json) => serde_json::from_slice(&json)
            .map(Some)
            .map_err(|_| ApiError::Malformed { what: format!("get pod {name} in namespace {namespace}") }),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a pod runs, or is about to.
pub(crate) fn is_live(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !has_ended(phase)
}

fn has_ended(phase: Option<&str>) -> bool {
    matches!(phase, Some("Succeeded" | "Failed"))
}

impl FetchedPod {
    /// Whether it runs, or is about to.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live
    }

    /// When the present run of a container started.
    pub(crate) fn started_at(&self, container: &str) -> Option<Timestamp> {
        self.runs.get(container).and_then(|run| run.started_at)
    }
}

/// What keeps a pod from being judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unjudged {
    /// An annotation that is not understood.
    #[error(transparent)]
    Option(#[from] InvalidOption),
    /// More than is looked at.
    #[error("too many references: its volumes, variables and `extra` sources are not looked at")]
    TooManyReferences,
}

/// A pod as verdicts look at it, and whether none is wanted.
pub(crate) struct Extracted {
    pub(crate) pod: verdict::Pod,
    pub(crate) ignored: bool,
}

/// Takes from a pod what verdicts look at, by the options in its annotations and around it.
///
/// # Errors
/// An annotation that is not understood, or more references than are looked at.
pub(crate) fn extract(
    pod: FetchedPod,
    identity: PodIdentity,
    record: Result<Record, Unrecorded>,
    around: &Options,
    mut ignore: impl FnMut(&SourceId) -> bool,
) -> Result<Extracted, Unjudged> {
    let object = format!("pod/{} in namespace {}", identity.name, identity.namespace);
    let options = Options::parse(Carrier::Pod, &object, &pod.annotations)?.within(around);
    let ignored = options.ignore == Some(true);
    let with_extra = pod.containers.len().saturating_mul(options.extra.len()).saturating_add(pod.pairs);
    if with_extra > MAX_PAIRS && !ignored {
        return Err(Unjudged::TooManyReferences);
    }
    let mut found = pod.references;
    if !ignored {
        found.extend(extra_references(&pod.containers, &options.extra));
    }
    found.retain(|reference| !options.exclude.contains(&reference.source) && !ignore(&reference.source));
    let rereads = options.live == Some(Live::Reread);
    let (runs, doubts) = (pod.runs, BTreeMap::new());
    let pod = verdict::Pod { identity, references: found, runs, record, rereads, doubts };
    Ok(Extracted { pod, ignored })
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn extracted(spec: Value, annotations: Value) -> Result<Extracted, Unjudged> {
        let metadata = json!({"uid": "u", "annotations": annotations});
        let pod: FetchedPod = serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
        let identity = PodIdentity {
            namespace: "x".to_owned(),
            name: "p".to_owned(),
            generate_name: None,
            controller: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        extract(pod, identity, Err(Unrecorded::None), &Options::default(), |_| false)
    }

    #[test]
    fn a_pod_with_millions_of_pairs_to_look_at_is_not_judged_and_told_why() {
        let many = |count: usize, of: fn(usize) -> Value| (0..count).map(of).collect::<Vec<_>>();
        let mounts = |count| many(count, |i| json!({"name": "v", "mountPath": format!("/m{i}")}));
        let items = many(3900, |i| json!({"key": format!("k{i}"), "path": "p"}));
        let mounting = |count| {
            json!({
                "containers": [{"name": "c", "volumeMounts": mounts(count)}],
                "volumes": [{"name": "v", "configMap": {"name": "m", "items": items}}],
            })
        };
        let containers = json!({"containers": many(500, |i| json!({"name": format!("c{i}")}))});
        let extra: Vec<_> = (0..1000).map(|i| format!("configmap/m{i}")).collect();
        let extra = json!({"kubectl-reload.dev/extra": extra.join(",")});
        let ignored = json!({"kubectl-reload.dev/extra": extra["kubectl-reload.dev/extra"],
            "kubectl-reload.dev/ignore": "true"});
        for (name, spec, annotations) in [
            ("mounts by items", mounting(4000), json!({})),
            ("containers by extra", containers.clone(), extra),
        ] {
            let Err(why) = extracted(spec, annotations) else { panic!("{name}: it is judged") };
            assert!(why.to_string().starts_with("too many references"), "{name}: {why}");
        }
        assert!(extracted(mounting(1), json!({})).is_ok());
        assert!(extracted(containers, ignored).is_ok_and(|pod| pod.ignored && pod.pod.references.is_empty()));
    }
}
