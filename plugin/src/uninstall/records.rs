//! The records on pods, which stay when the webhook goes, unless they are to go, too.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use reload_core::annotation::RECORD;
use serde::Deserialize;
use serde_json::json;

use crate::annotations::OwnAnnotations;
use crate::api::{ApiError, Resource, list_metadata};
use crate::installation::objects::MANAGER;
use crate::pods::PARALLEL;

/// A pod with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedPod {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
}

/// A pod, of which nothing is kept but its name where it has a record: there may be many.
#[derive(Deserialize)]
#[serde(from = "Item")]
struct MaybeRecorded(Option<RecordedPod>);

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
    name: String,
    uid: String,
    #[serde(default)]
    annotations: OwnAnnotations,
}

impl From<Item> for MaybeRecorded {
    fn from(Item { metadata }: Item) -> Self {
        let Metadata { namespace, name, uid, annotations } = metadata;
        Self(annotations.get(RECORD).is_some().then_some(RecordedPod { namespace, name, uid }))
    }
}

/// How many records are off, and what hindered the others.
#[derive(Debug, Default)]
pub(super) struct Purged {
    pub(super) pods: usize,
    pub(super) failed: Vec<ApiError>,
}

/// `records of 3 pods`
pub(super) fn records_of(pods: usize) -> String {
    match pods {
        1 => "the record of 1 pod".to_owned(),
        pods => format!("records of {pods} pods"),
    }
}

/// That so many pods keep their record, and what hindered the first.
pub(super) fn kept_by(pods: usize, first: &ApiError) -> String {
    match pods {
        1 => format!("1 pod keeps its record: {first}"),
        pods => format!("{pods} pods keep their record: {first}"),
    }
}

/// All pods with a record.
///
/// # Errors
/// When they cannot be listed.
pub(super) async fn recorded(client: &Client) -> Result<Vec<RecordedPod>, ApiError> {
    let all = list_metadata::<MaybeRecorded>(client, resource(None, None), &[]).await?;
    Ok(all.into_iter().filter_map(|MaybeRecorded(pod)| pod).collect())
}

/// Takes the records off these pods; one that is gone meanwhile has none.
pub(super) async fn purge(client: &Client, pods: Vec<RecordedPod>, dry_run: bool) -> Purged {
    let taken = futures::stream::iter(pods).map(async |pod| take_off(client, &pod, dry_run).await);
    let mut taken = taken.buffer_unordered(PARALLEL);
    let mut purged = Purged::default();
    while let Some(result) = taken.next().await {
        match result {
            Ok(()) => purged.pods += 1,
            Err(error) => purged.failed.push(error),
        }
    }
    purged
}

async fn take_off(client: &Client, pod: &RecordedPod, dry_run: bool) -> Result<(), ApiError> {
    let RecordedPod { namespace, name, uid } = pod;
    let metadata = json!({"uid": uid, "annotations": {RECORD: null}});
    let params = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    match pods.patch_metadata(name, &params, &Patch::Merge(json!({"metadata": metadata}))).await {
        Ok(_) => Ok(()),
        // Another one has its name now.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(error) => Err(ApiError::of(error, "patch", &resource(Some(namespace), Some(name)))),
    }
}

fn resource<'a>(namespace: Option<&'a str>, name: Option<&'a str>) -> Resource<'a> {
    Resource { group: "/api/v1", plural: "pods", namespace, name }
}
