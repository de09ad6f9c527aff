//! Pods in full, of those that metadata did not settle.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::Client;
use reload_core::options::{Carrier, InvalidOption, Live, Options};
use reload_core::record::{PodIdentity, Record};
use reload_core::reference::references;
use reload_core::source::SourceId;
use reload_core::verdict::{self, Run, Unrecorded};

use crate::api::{ApiError, Resource, get_object, list_objects};

/// From this many pods of a namespace on, one list is cheaper than a GET each.
const LIST_FROM: usize = 8;

/// GETs under way at once.
pub(crate) const PARALLEL: usize = 16;

/// Fetches pods by namespace and name; one that is gone meanwhile is left out.
pub(crate) async fn fetch(
    client: &Client,
    wanted: BTreeMap<&str, Vec<&str>>,
) -> Result<BTreeMap<(String, String), Pod>, ApiError> {
    let mut pods = BTreeMap::new();
    let mut singles = Vec::new();
    for (namespace, names) in wanted {
        if names.len() < LIST_FROM {
            singles.extend(names.into_iter().map(|name| (namespace, name)));
            continue;
        }
        let resource = Resource { group: "/api/v1", plural: "pods", namespace: Some(namespace), name: None };
        let of_namespace: Vec<Pod> = list_objects(client, resource, &[]).await?;
        pods.extend(of_namespace.into_iter().filter_map(|pod| {
            let name = pod.metadata.name.clone().filter(|name| names.contains(&name.as_str()))?;
            Some(((namespace.to_owned(), name), pod))
        }));
    }
    let fetched: Vec<Option<Pod>> =
        futures::stream::iter(singles.iter().map(|(namespace, name)| get(client, namespace, name)))
            .buffered(PARALLEL)
            .try_collect()
            .await?;
    for ((namespace, name), pod) in singles.into_iter().zip(fetched) {
        pods.extend(pod.map(|pod| ((namespace.to_owned(), name.to_owned()), pod)));
    }
    Ok(pods)
}

async fn get(client: &Client, namespace: &str, name: &str) -> Result<Option<Pod>, ApiError> {
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
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// A pod as verdicts look at it, and whether none is wanted.
pub(crate) struct Extracted {
    pub(crate) pod: verdict::Pod,
    pub(crate) ignored: bool,
}

/// Takes from a pod what verdicts look at, by the options in its annotations and around it.
///
/// # Errors
/// An annotation that is not understood.
pub(crate) fn extract(
    pod: &Pod,
    identity: PodIdentity,
    record: Result<Record, Unrecorded>,
    around: &Options,
    mut ignore: impl FnMut(&SourceId) -> bool,
) -> Result<Extracted, InvalidOption> {
    let object = format!("pod/{} in namespace {}", identity.name, identity.namespace);
    let options =
        Options::parse(Carrier::Pod, &object, pod.metadata.annotations.iter().flatten())?.within(around);
    let mut found = pod.spec.as_ref().map(|spec| references(spec, &options.extra)).unwrap_or_default();
    found.retain(|reference| !options.exclude.contains(&reference.source) && !ignore(&reference.source));
    let rereads = options.live == Some(Live::Reread);
    let (runs, doubts) = (runs(pod), BTreeMap::new());
    let pod = verdict::Pod { identity, references: found, runs, record, rereads, doubts };
    Ok(Extracted { pod, ignored: options.ignore == Some(true) })
}

fn runs(pod: &Pod) -> BTreeMap<String, Run> {
    let Some(status) = &pod.status else { return BTreeMap::new() };
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    statuses.map(|status| (status.name.clone(), run(status))).collect()
}

fn run(status: &ContainerStatus) -> Run {
    Run {
        started_at: status.state.as_ref().and_then(started_at),
        restarts: u32::try_from(status.restart_count).unwrap_or_default(),
    }
}

fn started_at(state: &ContainerState) -> Option<Timestamp> {
    let running = state.running.as_ref().and_then(|running| running.started_at.as_ref());
    let ended = state.terminated.as_ref().and_then(|ended| ended.started_at.as_ref());
    running.or(ended).map(|time| time.0)
}
