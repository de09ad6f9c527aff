//! Jobs that CronJobs made: their pods are the CronJobs'.

use std::collections::HashMap;
use std::sync::Arc;

use kube::Client;
use serde::Deserialize;

use super::{PodMetadata, Uid};
use crate::api::{ApiError, Resource, list_metadata};
use crate::workload::{Kind, Owner};

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: Uid,
    #[serde(default, rename = "ownerReferences", deserialize_with = "Owner::controller")]
    controller: Option<Owner>,
}

/// The controllers of the Jobs of these pods; nothing is asked where no pod is a Job's. Whoever may not
/// list Jobs sees those instead of CronJobs, and is told why.
///
/// # Errors
/// When they cannot be listed for another reason than a missing right.
pub(super) async fn owners(
    client: &Client,
    namespace: Option<&str>,
    pods: &[Arc<PodMetadata>],
) -> Result<(HashMap<Uid, Owner>, Option<ApiError>), ApiError> {
    let is_of_job = |pod: &Arc<PodMetadata>| {
        pod.controller.as_ref().is_some_and(|owner| owner.workload(&pod.namespace).kind == Kind::Job)
    };
    if !pods.iter().any(is_of_job) {
        return Ok((HashMap::new(), None));
    }
    let resource = Resource { group: "/apis/batch/v1", plural: "jobs", namespace, name: None };
    let jobs: Vec<Item> = match list_metadata(client, resource, &[]).await {
        Err(error) if error.is_forbidden() => {
            tracing::warn!("CronJobs are shown as Jobs: {error}");
            return Ok((HashMap::new(), Some(error)));
        }
        jobs => jobs?,
    };
    let owner = |Item { metadata: Metadata { uid, controller } }| Some((uid, controller?));
    Ok((jobs.into_iter().filter_map(owner).collect(), None))
}
