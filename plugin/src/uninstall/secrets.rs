//! The Secrets that the webhook has made. They belong to its account and go with it; one that nobody owns,
//! as a hash key that was kept, goes only when it is named. Nothing of their content is read.

use std::fmt;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::Request;
use kube::{Api, Client};
use reload_core::hash_key::HashKey;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use zeroize::Zeroizing;

use crate::api::{ApiError, Resource, get_metadata};
use crate::installation::CERTIFICATES;
use crate::installation::objects::MANAGER;

/// One of them that nobody owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnSecret {
    pub(super) name: &'static str,
    pub(super) uid: String,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    deletion_timestamp: Option<String>,
    #[serde(default)]
    owner_references: Vec<IgnoredAny>,
}

/// As kubectl names it: `secret/kubectl-reload-hash-key`.
impl fmt::Display for OwnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret/{}", self.name)
    }
}

impl OwnSecret {
    /// Deletes the one that was seen; what is gone is no error.
    pub(super) async fn delete(
        &self,
        client: &Client,
        namespace: &str,
        dry_run: bool,
    ) -> Result<(), ApiError> {
        let uid = Some(self.uid.clone());
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let params = DeleteParams { dry_run, preconditions, ..DeleteParams::default() };
        let request = Request::new(format!("/api/v1/namespaces/{namespace}/secrets"));
        let request = request.delete(self.name, &params).map_err(kube::Error::BuildRequest);
        // The answer may be the Secret, and a typed call prints what it cannot parse.
        let answer = async { client.request_text(request?).await.map(Zeroizing::new).map(drop) };
        match answer.await {
            Ok(()) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(ApiError::of(error, "delete", &resource(namespace, self.name))),
        }
    }
}

/// Those that nobody owns.
///
/// # Errors
/// When they cannot be looked at.
pub(super) async fn ownerless(client: &Client, namespace: &str) -> Result<Vec<OwnSecret>, ApiError> {
    let mut found = Vec::new();
    for name in [CERTIFICATES, HashKey::SECRET_NAME] {
        match get_metadata::<Item>(client, resource(namespace, name)).await {
            Ok(Item { metadata }) => {
                if metadata.owner_references.is_empty() && metadata.deletion_timestamp.is_none() {
                    found.push(OwnSecret { name, uid: metadata.uid });
                }
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Takes its owner from the hash key; says whether there is one.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn keep(client: &Client, namespace: &str, dry_run: bool) -> Result<bool, ApiError> {
    let name = HashKey::SECRET_NAME;
    let params = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"metadata": {"ownerReferences": null}}));
    match api(client, namespace).patch_metadata(name, &params, &patch).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(ApiError::of(error, "patch", &resource(namespace, name))),
    }
}

fn api(client: &Client, namespace: &str) -> Api<Secret> {
    Api::namespaced(client.clone(), namespace)
}

fn resource<'a>(namespace: &'a str, name: &'a str) -> Resource<'a> {
    Resource { group: "/api/v1", plural: "secrets", namespace: Some(namespace), name: Some(name) }
}
