//! The webhook's Deployment, as far as the checks look at it.

use k8s_openapi::api::apps::v1::Deployment;

use crate::installation::{CERTIFICATES, WebhookVersion};

/// The webhook's Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployed {
    pub(super) name: String,
    pub(super) desired: i32,
    pub(super) ready: i32,
    pub(super) version: Option<String>,
    /// The Secret of its certificates; `None` where they come as files of something else.
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
        let value = |flag: &str| arguments.iter().find_map(|text| text.strip_prefix(flag));
        let certificates = match value("--tls-cert-file=") {
            // One that the webhook has made itself may be there still.
            Some(file) => mounted_secret(deployment, file),
            None => Some(value("--certificates=").unwrap_or(CERTIFICATES).to_owned()),
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

/// The Secret that is mounted in the folder of a file.
fn mounted_secret(deployment: &Deployment, file: &str) -> Option<String> {
    let spec = deployment.spec.template.spec.as_ref()?;
    let (folder, _) = file.rsplit_once('/')?;
    let mounts = spec.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
    let name = &mounts.into_iter().find(|mount| mount.mount_path.trim_end_matches('/') == folder)?.name;
    let volume = spec.volumes.iter().flatten().find(|volume| volume.name == *name)?;
    volume.secret.as_ref()?.secret_name.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_secret_of_its_certificates_is_the_one_that_it_serves_with() {
        let own = json!(["--certificates=made"]);
        let files = json!(["--certificates=made", "--tls-cert-file=/tls/tls.crt"]);
        let mounted = json!([{"name": "a", "secret": {"secretName": "b"}}, {"name": "tls", "secret": {"secretName": "served"}}]);
        for (arguments, volumes, expected) in [
            (own.clone(), json!(null), Some("made")),
            (own, mounted.clone(), Some("made")),
            (files.clone(), mounted, Some("served")),
            (files, json!(null), None),
            (json!([]), json!(null), Some("kubectl-reload-certificates")),
        ] {
            let mounts = json!([{"name": "a", "mountPath": "/a"}, {"name": "tls", "mountPath": "/tls/"}]);
            let containers = json!([{"name": "webhook", "args": arguments, "volumeMounts": mounts}]);
            let deployment = json!({"metadata": {}, "spec": {"selector": {},
                "template": {"spec": {"containers": containers, "volumes": volumes}}}});
            let deployed = Deployed::of(&serde_json::from_value(deployment).unwrap());
            assert_eq!(deployed.certificates.as_deref(), expected, "{containers}");
        }
    }
}
