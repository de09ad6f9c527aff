//! The webhook's registration: as it is installed, but for its name, its address and its namespaces.

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::{Api, Patch, PostParams};
use serde_json::{Value, json};

use super::{Webhook, WebhookOptions, applied};
use crate::helm::{installed_manifests, of_kind};

impl Webhook {
    /// The CAs in the registration.
    pub async fn bundle(&self) -> Result<ByteString> {
        let webhooks = self.registration().await?.webhooks;
        let webhook = webhooks.into_iter().flatten().next();
        webhook
            .and_then(|webhook| webhook.client_config.ca_bundle)
            .context("the registration has no caBundle")
    }

    /// Trusts these CAs from now on, as PEM.
    pub async fn set_bundle(&self, bundle: &str) -> Result<()> {
        let mut registration = self.registration().await?;
        for webhook in registration.webhooks.iter_mut().flatten() {
            webhook.client_config.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
        }
        let params = PostParams::default();
        self.registrations().replace(&self.options.registration, &params, &registration).await?;
        Ok(())
    }

    /// The registration as it is in the cluster.
    pub async fn registration(&self) -> Result<MutatingWebhookConfiguration> {
        Ok(self.registrations().get(&self.options.registration).await?)
    }

    pub(super) fn registrations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    pub(super) async fn register(&self) -> Result<()> {
        let port = self.options.registered_port.unwrap_or(self.port.number());
        let manifest = registration(&self.options, port)?;
        self.registrations().patch(&self.options.registration, &applied(), &Patch::Apply(manifest)).await?;
        Ok(())
    }
}

/// As it is installed in a cluster, but for its name, its address and the choice of namespaces. The
/// `caBundle` is the webhook's own to set.
fn registration(options: &WebhookOptions, port: u16) -> Result<Value> {
    let mut manifest = of_kind(&installed_manifests()?, "MutatingWebhookConfiguration")?;
    manifest["metadata"]["name"] = json!(options.registration);
    let webhook = &mut manifest["webhooks"][0];
    webhook["name"] = json!(options.name());
    if let Some(seconds) = options.timeout_seconds {
        webhook["timeoutSeconds"] = json!(seconds);
    }
    webhook["clientConfig"] = json!({"url": format!("https://127.0.0.1:{port}/mutate")});
    if let Some(bundle) = &options.ca_bundle {
        webhook["clientConfig"]["caBundle"] = json!(ByteString(bundle.as_bytes().to_vec()));
    }
    webhook["namespaceSelector"] = json!({"matchExpressions": [{
        "key": "kubernetes.io/metadata.name",
        "operator": "In",
        "values": options.namespaces,
    }]});
    Ok(manifest)
}
