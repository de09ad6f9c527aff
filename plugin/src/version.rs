//! `kubectl reload version`: of the plugin, of the webhook and of the cluster.

use std::process::ExitCode;

use clap::Args;
use reload_core::record::FORMAT;
use serde::{Deserialize, Serialize};

use crate::api::{ApiError, get_path};
use crate::connection::{Connection, ConnectionArgs};
use crate::document::{API_VERSION, Form};
use crate::installation::{InstallationArgs, WebhookVersion, deployment};
use crate::table::{emit, printable};

/// The oldest Kubernetes that is supported.
pub(crate) const OLDEST: (u32, u32) = (1, 33);

/// Of `v1.36.3`, of `v1.36.0-gke.1`.
pub(crate) fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    Some((digits(parts.next()?)?, digits(parts.next()?)?))
}

/// Prints the versions of this plugin, of the webhook and of the cluster.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload version
  kubectl reload version --client
  kubectl reload version -o yaml")]
pub(crate) struct VersionArgs {
    /// Only this plugin: no cluster is asked.
    #[arg(long)]
    client: bool,

    /// Form of the output [default: plain text].
    #[arg(short, long, value_enum)]
    output: Option<Form>,

    #[command(flatten)]
    installation: InstallationArgs,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    client: ClientVersion,
    #[serde(flatten)]
    cluster: Option<ClusterVersions>,
}

/// Of this plugin.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientVersion {
    version: &'static str,
    /// The format of records that it reads and the webhook of its version writes.
    record_format: u64,
    platform: String,
}

#[derive(Debug, Serialize)]
struct ClusterVersions {
    server: ServerVersion,
    /// `null` where it is not installed.
    webhook: Option<WebhookVersion>,
}

/// Of the API server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerVersion {
    pub(crate) git_version: String,
}

impl ServerVersion {
    /// Asks the API server.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn get(client: &kube::Client) -> Result<Self, ApiError> {
        let json = get_path(client, "/version").await?;
        serde_json::from_slice(&json).map_err(|_| ApiError::Malformed { what: "get /version".to_owned() })
    }
}

/// Runs the command.
pub(crate) async fn run(args: VersionArgs, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    let client = ClientVersion { version: env!("CARGO_PKG_VERSION"), record_format: FORMAT, platform };
    let (api_version, kind) = (API_VERSION, "Version");
    let mut document = Document { api_version, kind, client, cluster: None };
    let asked = match args.client {
        true => Ok(None),
        false => ask(&args.installation.install_namespace, connection).await.map(Some),
    };
    // What the plugin is can be told without a cluster.
    let failure = asked.map(|cluster| document.cluster = cluster).err();
    emit(&match args.output {
        Some(form) => form.write(&document)?,
        None => text(&document, &args.installation.install_namespace),
    })?;
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

async fn ask(namespace: &str, connection: &ConnectionArgs) -> anyhow::Result<ClusterVersions> {
    let Connection { client, .. } = connection.connect().await?;
    let (server, webhook) = tokio::join!(ServerVersion::get(&client), deployment(&client, namespace));
    Ok(ClusterVersions { server: server?, webhook: webhook?.as_ref().map(WebhookVersion::of) })
}

fn text(document: &Document, namespace: &str) -> String {
    let Document { client, cluster, .. } = document;
    let mut text = format!("Client Version: v{}\nRecord Format: {}\n", client.version, client.record_format);
    if let Some(ClusterVersions { server, webhook }) = cluster {
        let webhook = match webhook {
            None => format!("not installed in namespace {}", printable(namespace)),
            Some(WebhookVersion { version: Some(version), .. }) => format!("v{}", printable(version)),
            Some(WebhookVersion { version: None, .. }) => "unknown".to_owned(),
        };
        text += &format!("Webhook Version: {webhook}\nServer Version: {}\n", printable(&server.git_version));
    }
    text
}

#[cfg(test)]
mod tests;
