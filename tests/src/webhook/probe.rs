//! Does a webhook do its work? Asked as the API server would, from outside.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::RECORD;

/// Fails unless a new pod of the namespace would get a record. Nothing is made: it is a dry run.
pub(super) async fn records(client: &Client, namespace: &str) -> Result<()> {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"generateName": "probe-"},
        "spec": {"containers": [{
            "name": "probe",
            "image": "none",
            "envFrom": [{"configMapRef": {"name": "probe", "optional": true}}],
        }]},
    }))?;
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let dry_run = PostParams { dry_run: true, field_manager: None };
    let made = pods.create(&dry_run, &pod).await?;
    ensure!(made.annotations().contains_key(RECORD), "a new pod in {namespace} gets no record");
    Ok(())
}
