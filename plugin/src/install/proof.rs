//! The proof: a pod that is asked for and never made comes back with a record.

use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, PostParams};
use kube::core::{Selector, SelectorExt as _};
use kube::{Api, Client, ResourceExt as _};
use reload_core::annotation::RECORD;
use reload_core::record::Record;
use serde_json::json;

use crate::api::{ApiError, POLL, Resource};

/// How long the API server may take to heed what was just registered.
const PATIENCE: Duration = Duration::from_secs(30);

/// In so many namespaces it is tried at most.
const PLACES: usize = 5;

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// In this namespace.
    Recorded(String),
    /// In this namespace.
    Unrecorded(String),
    /// Why nowhere.
    Untried(Vec<String>),
}

/// Tries a pod in a namespace that the registration chooses, until it is recorded or time is up.
pub(super) async fn prove(
    client: &Client,
    registration: &MutatingWebhookConfiguration,
    image: &str,
    deadline: Instant,
) -> Proof {
    let pod = match pod(image) {
        Ok(pod) => pod,
        Err(error) => return Proof::Untried(vec![error.to_string()]),
    };
    // What is ready in the last moment is not told to have failed.
    let deadline = deadline.max(Instant::now() + POLL * 20).min(Instant::now() + PATIENCE);
    let mut refused = Vec::new();
    for namespace in places(client, registration).await {
        loop {
            match attempt(client, &namespace, &pod).await {
                Ok(true) => return Proof::Recorded(namespace),
                Ok(false) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Ok(false) => return Proof::Unrecorded(namespace),
                Err(error) => {
                    refused.push(error.to_string());
                    break;
                }
            }
        }
    }
    if refused.is_empty() {
        refused.push("the registration chooses no namespace".to_owned());
    }
    Proof::Untried(refused)
}

/// Whether the pod comes back with a record.
async fn attempt(client: &Client, namespace: &str, pod: &Pod) -> Result<bool, ApiError> {
    let resource = Resource { group: "/api/v1", plural: "pods", namespace: Some(namespace), name: None };
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let made = pods.create(&PostParams { dry_run: true, field_manager: None }, pod).await;
    let made = made.map_err(|error| ApiError::of(error, "create", &resource))?;
    Ok(made.annotations().get(RECORD).is_some_and(|record| Record::parse(record).is_ok()))
}

/// Namespaces whose pods are sent to the webhook: `default` before all others.
async fn places(client: &Client, registration: &MutatingWebhookConfiguration) -> Vec<String> {
    let Ok(namespaces) = Api::<Namespace>::all(client.clone()).list(&ListParams::default()).await else {
        return vec!["default".to_owned()];
    };
    let webhooks = registration.webhooks.as_deref().unwrap_or_default();
    let selectors = webhooks.iter().filter_map(|webhook| webhook.namespace_selector.clone());
    let selectors: Vec<Selector> =
        selectors.filter_map(|selector| Selector::try_from(selector).ok()).collect();
    let chosen = |namespace: &&Namespace| {
        let labels = namespace.labels();
        namespace.metadata.deletion_timestamp.is_none()
            && selectors.iter().all(|selector| selector.matches(labels))
    };
    let mut names: Vec<String> =
        namespaces.iter().filter(chosen).map(|namespace| namespace.name_any()).collect();
    names.sort_by_key(|name| (name != "default", name.clone()));
    names.truncate(PLACES);
    names
}

/// One that uses a source, keeps to Pod Security `restricted`, says what it needs, as quotas ask, and has
/// an image that the cluster takes, since the webhook runs by it.
fn pod(image: &str) -> Result<Pod, serde_json::Error> {
    let resources = json!({"cpu": "1m", "memory": "1Mi"});
    serde_json::from_value(json!({
        "metadata": {"generateName": "kubectl-reload-proof-"},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "proof",
                "image": image,
                "envFrom": [{"configMapRef": {"name": "kubectl-reload-proof", "optional": true}}],
                "resources": {"requests": resources, "limits": resources},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                },
            }],
        },
    }))
}
