//! Another mutating webhook, as a sidecar injector is one: it adds a container that uses a ConfigMap.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Result, ensure};
use axum::routing::post;
use axum::{Json, Router};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::install_crypto_provider;
use crate::namespace::Namespace;
use crate::wait::eventually;

/// Adds a container `sidecar` to new pods. Ends when dropped, and with the runtime in which it was
/// started; its registration is removed by [`uninstall`](Self::uninstall).
pub struct Injector {
    client: Client,
    registration: String,
    handle: Handle<SocketAddr>,
}

impl Injector {
    /// Registers one for the pods of a namespace and waits until it is called. Webhooks are called in
    /// the order of their registrations' names.
    pub async fn start(ns: &Namespace<'_>, registration: &str, config_map: &str) -> Result<Self> {
        install_crypto_provider();
        let certificate = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = certificate.signing_key.serialize_pem();
        let tls = RustlsConfig::from_pem(certificate.cert.pem().into(), key.into()).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let config_map = config_map.to_owned();
        let mutate = async move |Json(review): Json<Value>| Json(answer(&review, &config_map));
        let router = Router::new().route("/", post(mutate));
        let handle = Handle::new();
        let server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle.clone());
        tokio::spawn(server.serve(router.into_make_service()));

        let client = ns.client();
        let mut manifest = manifest(registration, ns.name(), port)?;
        for webhook in manifest.webhooks.iter_mut().flatten() {
            webhook.client_config.ca_bundle = Some(ByteString(certificate.cert.pem().into_bytes()));
        }
        let registrations = Api::<MutatingWebhookConfiguration>::all(client.clone());
        registrations.create(&PostParams::default(), &manifest).await?;
        let injector = Self { client, registration: registration.to_owned(), handle };
        injector.is_called(ns).await?;
        Ok(injector)
    }

    /// Removes its registration.
    pub async fn uninstall(self) -> Result<()> {
        let registrations = Api::<MutatingWebhookConfiguration>::all(self.client.clone());
        registrations.delete(&self.registration, &DeleteParams::default()).await?;
        Ok(())
    }

    async fn is_called(&self, ns: &Namespace<'_>) -> Result<()> {
        let pods = ns.api::<k8s_openapi::api::core::v1::Pod>();
        let pod = serde_json::from_value(json!({
            "metadata": {"generateName": "probe-"},
            "spec": {"containers": [{"name": "probe", "image": "none"}]},
        }))?;
        let dry_run = PostParams { dry_run: true, field_manager: None };
        eventually("the injector is called", std::time::Duration::from_secs(30), async || {
            let made = pods.create(&dry_run, &pod).await?;
            let containers = made.spec.map_or(0, |spec| spec.containers.len());
            ensure!(containers == 2, "{containers} containers");
            Ok(())
        })
        .await
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

fn manifest(registration: &str, namespace: &str, port: u16) -> Result<MutatingWebhookConfiguration> {
    Ok(serde_json::from_value(json!({
        "metadata": {"name": registration},
        "webhooks": [{
            "name": format!("{registration}.example.com"),
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": format!("https://127.0.0.1:{port}/")},
            "failurePolicy": "Ignore",
            "sideEffects": "None",
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
            }],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        }],
    }))?)
}

/// The sidecar, unless the pod has it.
fn answer(review: &Value, config_map: &str) -> Value {
    let request = &review["request"];
    let mut response = json!({"uid": request["uid"], "allowed": true});
    let containers = request["object"]["spec"]["containers"].as_array().into_iter().flatten();
    if !containers.into_iter().any(|container| container["name"] == "sidecar") {
        let sidecar = json!({
            "name": "sidecar",
            "image": "none",
            "envFrom": [{"configMapRef": {"name": config_map, "optional": true}}],
        });
        let patch = json!([{"op": "add", "path": "/spec/containers/-", "value": sidecar}]);
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(BASE64_STANDARD.encode(patch.to_string()));
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}
