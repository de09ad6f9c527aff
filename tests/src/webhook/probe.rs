//! Does a webhook do its work? Asked as the API server would, from outside.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use serde_json::json;

use super::RECORD;

/// The body of `GET PATH`, over TLS that the registration's `caBundle` has to vouch for.
pub(super) async fn get(
    port: u16,
    registration: &MutatingWebhookConfiguration,
    path: &str,
) -> Result<String> {
    let webhook = registration.webhooks.iter().flatten().next();
    let authority = webhook
        .and_then(|webhook| webhook.client_config.ca_bundle.as_ref())
        .context("the registration has no caBundle")?;
    let kubeconfig: Kubeconfig = serde_json::from_value(json!({
        "current-context": "webhook",
        "contexts": [{"name": "webhook", "context": {"cluster": "webhook", "user": "nobody"}}],
        "clusters": [{"name": "webhook", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority-data": authority,
        }}],
        "users": [{"name": "nobody", "user": {}}],
    }))?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(Client::try_from(config)?.request_text(request).await?)
}

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
