//! The hash key, which belongs to the webhook's account and goes with it, unless it is to be kept.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use reload_core::hash_key::HashKey;
use serde_json::json;

use crate::api::{ApiError, Resource};
use crate::installation::objects::MANAGER;

/// Takes its owner from it; says whether there is one. Nothing of its content is read.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn keep(client: &Client, namespace: &str, dry_run: bool) -> Result<bool, ApiError> {
    let name = HashKey::SECRET_NAME;
    let resource =
        Resource { group: "/api/v1", plural: "secrets", namespace: Some(namespace), name: Some(name) };
    let params = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"metadata": {"ownerReferences": null}}));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    match secrets.patch_metadata(name, &params, &patch).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(ApiError::of(error, "patch", &resource)),
    }
}
