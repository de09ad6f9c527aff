//! Golden outputs, in `snapshots/`.

use super::*;
use crate::golden::{HOSTILE, golden};

fn document(cluster: Option<ClusterVersions>) -> Document {
    let client = ClientVersion { version: "0.1.2", record_format: 1, platform: "linux/x86_64".to_owned() };
    Document { api_version: API_VERSION, kind: "Version", client, cluster }
}

/// With a webhook of that version, or none.
fn cluster(webhook: Option<Option<&str>>) -> Option<ClusterVersions> {
    let webhook = webhook.map(|version| WebhookVersion {
        namespace: "kubectl-reload".to_owned(),
        version: version.map(str::to_owned),
        image: Some(format!("registry.example.com/webhook:latest{HOSTILE}")),
    });
    Some(ClusterVersions { server: ServerVersion { git_version: format!("v1.36.3{HOSTILE}") }, webhook })
}

#[test]
fn every_view_is_as_it_was() {
    let installed = || document(cluster(Some(Some("0.1.0"))));
    let hostile = format!("0.1.0{HOSTILE}");
    for (name, text) in [
        ("client", text(&document(None), "kubectl-reload")),
        ("installed", text(&installed(), "kubectl-reload")),
        ("unknown", text(&document(cluster(Some(None))), "kubectl-reload")),
        ("hostile", text(&document(cluster(Some(Some(&hostile)))), "kubectl-reload")),
        ("not installed", text(&document(cluster(None)), &format!("tools{HOSTILE}"))),
        ("client json", Form::Json.write(&document(None)).unwrap()),
        ("json", Form::Json.write(&installed()).unwrap()),
        ("yaml", Form::Yaml.write(&document(cluster(None))).unwrap()),
    ] {
        golden!(name, text);
    }
}
