//! The webhook's Deployment, as far as the checks look at it.

use k8s_openapi::api::apps::v1::Deployment;

use crate::installation::WebhookVersion;

/// The webhook's Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployed {
    pub(super) name: String,
    pub(super) desired: i32,
    pub(super) ready: i32,
    pub(super) version: Option<String>,
    /// The Secret of its certificates, where its flags name one, or mount one.
    pub(super) certificates: Option<String>,
    pub(super) image: Option<String>,
    /// Its ServiceAccount.
    pub(super) account: Option<String>,
    /// Whether it looks at Secrets, as its flags say.
    pub(super) secrets: bool,
}

impl Deployed {
    pub(super) fn of(deployment: &Deployment) -> Self {
        let containers = deployment.spec.template.spec.iter().flat_map(|pod| &pod.containers);
        let arguments: Vec<&String> =
            containers.flat_map(|container| container.args.iter().flatten()).collect();
        let version = WebhookVersion::of(deployment);
        let named = |text: &&String| text.strip_prefix("--certificates=").map(str::to_owned);
        // One from before, which the webhook has made itself, may be there still.
        let certificates = match arguments.iter().any(|text| text.starts_with("--tls-cert-file=")) {
            true => mounted_secret(deployment),
            false => arguments.iter().find_map(named),
        };
        Self {
            certificates,
            secrets: !arguments.iter().any(|text| *text == "--secrets=false"),
            image: version.image,
            account: deployment.spec.template.spec.as_ref().and_then(|pod| pod.service_account_name.clone()),
            name: deployment.metadata.name.clone().unwrap_or_default(),
            desired: deployment.spec.replicas.unwrap_or(1),
            ready: deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0),
            version: version.version,
        }
    }
}

/// The first Secret among the volumes of a Deployment's pods.
fn mounted_secret(deployment: &Deployment) -> Option<String> {
    let volumes = deployment.spec.template.spec.as_ref()?.volumes.as_ref()?;
    volumes.iter().find_map(|volume| volume.secret.as_ref()?.secret_name.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_secret_of_its_certificates_is_the_one_that_it_serves_with() {
        let own = json!(["--certificates=made"]);
        let files = json!(["--certificates=made", "--tls-cert-file=/tls/tls.crt"]);
        let mounted = json!([{"name": "a", "configMap": {"name": "b"}}, {"name": "tls", "secret": {"secretName": "served"}}]);
        for (arguments, volumes, expected) in [
            (own.clone(), json!(null), Some("made")),
            (own, mounted.clone(), Some("made")),
            (files.clone(), mounted, Some("served")),
            (files, json!(null), None),
            (json!([]), json!(null), None),
        ] {
            let containers = json!([{"name": "webhook", "args": arguments}]);
            let deployment = json!({"metadata": {}, "spec": {"selector": {},
                "template": {"spec": {"containers": containers, "volumes": volumes}}}});
            let deployed = Deployed::of(&serde_json::from_value(deployment).unwrap());
            assert_eq!(deployed.certificates.as_deref(), expected, "{containers}");
        }
    }
}
