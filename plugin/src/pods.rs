//! Pods in full, of those that metadata did not settle.

mod extract;
mod fetched;

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use serde::de::DeserializeOwned;

use crate::api::{ApiError, Resource, get_object, list_objects_kept};
use crate::inventory::{Inventory, NOT_ENDED, PodMetadata};
pub(crate) use extract::{Unjudged, extract};
pub(crate) use fetched::FetchedPod;
use fetched::{InFull, Specs};

/// From this many pods of a namespace on, one list is cheaper than a GET each.
const LIST_FROM: usize = 8;

/// GETs under way at once.
pub(crate) const PARALLEL: usize = 16;

/// A request for pods in full.
enum Request<'a> {
    List(Option<&'a str>),
    Get(&'a PodMetadata),
}

impl Request<'_> {
    /// Those of it, by uid.
    async fn send(self, client: &Client) -> Result<Vec<(String, FetchedPod)>, ApiError> {
        match self {
            Self::List(namespace) => {
                let resource = Resource { group: "/api/v1", plural: "pods", namespace, name: None };
                let mut specs = Specs::default();
                list_objects_kept(client, resource, &NOT_ENDED, move |pod: InFull| pod.kept(&mut specs)).await
            }
            Self::Get(PodMetadata { namespace, name, .. }) => match get(client, namespace, name).await {
                // Whoever may list pods sees as much of them.
                Err(error) if error.is_forbidden() => {
                    let listed = Box::pin(Self::List(Some(namespace)).send(client)).await;
                    listed.map_err(|_| error)
                }
                pod => Ok(pod?.map(|pod: InFull| pod.kept(&mut Specs::default())).into_iter().collect()),
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
        fetched.extend(pods.into_iter().filter(|(uid, _)| uids.contains(uid.as_str())));
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
