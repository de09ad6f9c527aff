//! The installation: the webhook of this project in the cluster, if there is one, and what it is made of.

pub(crate) mod found;
pub(crate) mod keeper;
pub(crate) mod object;
pub(crate) mod objects;
pub(crate) mod proof;
pub(crate) mod rendering;
pub(crate) mod values;

use clap::Args;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use serde::Serialize;

use crate::api::{ApiError, Resource, list_objects};
use crate::connection::ConnectionArgs;
use crate::scope::parse_namespace;

/// The label of everything that is installed.
pub(crate) const LABEL: &str = "app.kubernetes.io/name=kubectl-reload";

/// The value of that label, and the name of the Deployment.
pub(crate) const NAME: &str = "kubectl-reload";

/// The name of the webhook's registration.
pub(crate) const REGISTRATION_NAME: &str = "zz-kubectl-reload";

/// The Secret of the webhook's own certificates, unless its flags say otherwise.
pub(crate) const CERTIFICATES: &str = "kubectl-reload-certificates";

/// The label that says of which version something is.
const VERSION: &str = "app.kubernetes.io/version";

/// Where the webhook is installed.
#[derive(Debug, Clone, Args)]
pub(crate) struct InstallationArgs {
    /// Namespace of the kubectl-reload installation, which holds the hash key of Secrets.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_NAMESPACE",
        hide_env_values = true,
        value_parser = parse_namespace,
        default_value = "kubectl-reload",
        value_name = "NAMESPACE"
    )]
    pub(crate) install_namespace: String,
}

impl InstallationArgs {
    /// The namespace that `--namespace` names, to commands that are about nothing but the installation.
    pub(crate) fn place(&self, connection: &ConnectionArgs) -> String {
        let given = connection.namespace.as_ref().filter(|namespace| !namespace.is_empty());
        given.unwrap_or(&self.install_namespace).clone()
    }
}

/// Of which version the webhook is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookVersion {
    pub(crate) namespace: String,
    /// Without a leading `v`; `None` where neither a label nor the image says it.
    pub(crate) version: Option<String>,
    pub(crate) image: Option<String>,
}

/// The webhook's Deployment, by its label; `None` where it is not installed.
///
/// # Errors
/// When it cannot be looked for.
pub(crate) async fn deployment(client: &Client, namespace: &str) -> Result<Option<Deployment>, ApiError> {
    let resource =
        Resource { group: "/apis/apps/v1", plural: "deployments", namespace: Some(namespace), name: None };
    let found: Vec<Deployment> = list_objects(client, resource, &[("labelSelector", LABEL)]).await?;
    Ok(found.into_iter().next())
}

impl WebhookVersion {
    /// By the label that installations carry, else by the image's tag.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let template = &deployment.spec.template;
        let labels =
            [deployment.metadata.labels.as_ref(), template.metadata.as_ref().and_then(|m| m.labels.as_ref())];
        let label = labels.into_iter().flatten().find_map(|labels| labels.get(VERSION));
        let containers = template.spec.iter().flat_map(|spec| &spec.containers);
        let image = containers.filter_map(|container| container.image.clone()).next();
        let version = label.map(String::as_str).or_else(|| image.as_deref().and_then(tag));
        Self {
            namespace: deployment.metadata.namespace.clone().unwrap_or_default(),
            version: version.map(|version| version.strip_prefix('v').unwrap_or(version).to_owned()),
            image,
        }
    }
}

/// `1.2.3` of `registry:5000/kubectl-reload:1.2.3@sha256:…`; a tag that names no version is none.
fn tag(image: &str) -> Option<&str> {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let (_, tag) = image.rsplit_once('/').unwrap_or(("", image)).1.split_once(':')?;
    tag.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_label_or_the_tag_of_the_image_says_the_version() {
        let cases = [
            (json!({"app.kubernetes.io/version": "v0.2.0"}), "x:0.1.0", Some("0.2.0")),
            (json!({}), "registry:5000/kubectl-reload:v0.1.0@sha256:ab", Some("0.1.0")),
            (json!({}), "registry:5000/kubectl-reload", None),
            (json!({}), "kubectl-reload:latest", None),
        ];
        for (labels, image, version) in cases {
            let deployment = serde_json::from_value(json!({
                "metadata": {"name": "kubectl-reload", "namespace": "here", "labels": labels},
                "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "webhook", "image": image}]}}},
            }));
            assert_eq!(WebhookVersion::of(&deployment.unwrap()).version.as_deref(), version, "{image}");
        }
    }
}
