//! The admission webhook as a local process that the cluster's API server calls.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::helm::{installed_manifests, of_kind};
use crate::port::Port;
use crate::process::{Process, Streams};
use crate::wait::eventually;

mod probe;

/// The annotation that holds a pod's record.
pub const RECORD: &str = "kubectl-reload.dev/record";

/// How long the webhook may take until it records pods.
const READY: Duration = Duration::from_secs(30);

/// How long it may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(40);

/// How a webhook shall be installed and run.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// The namespaces whose pods it sees. Each webhook of a cluster has its own.
    pub namespaces: Vec<String>,
    /// Where its Secrets lie; made when it does not exist.
    pub install_namespace: String,
    /// The name of its `MutatingWebhookConfiguration`.
    pub registration: String,
    /// Flags beyond those that every webhook needs.
    pub flags: Vec<String>,
    /// Whose rights it has; the administrator's when `None`.
    pub kubeconfig: Option<PathBuf>,
    /// Its environment beyond our own.
    pub env: Vec<(String, String)>,
}

impl WebhookOptions {
    /// As a user installs it, for the pods of these namespaces.
    pub fn installed(namespaces: &[&str]) -> Self {
        Self {
            namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
            install_namespace: "kubectl-reload".to_owned(),
            registration: "zz-kubectl-reload".to_owned(),
            flags: Vec::new(),
            kubeconfig: None,
            env: Vec::new(),
        }
    }

    /// One of many on the same cluster, for the pods of this namespace.
    pub fn beside_others(namespace: &str) -> Self {
        Self {
            install_namespace: format!("kubectl-reload-{namespace}"),
            registration: format!("zz-kubectl-reload-{namespace}"),
            ..Self::installed(&[namespace])
        }
    }
}

/// An installed webhook, running or not. Its process ends when this value is dropped or when our
/// process ends, in whatever way, unless it is [kept](Self::keep).
pub struct Webhook {
    options: WebhookOptions,
    port: Port,
    binary: PathBuf,
    kubeconfig: PathBuf,
    log: PathBuf,
    marker: PathBuf,
    client: Client,
    process: Option<Process>,
}

impl Webhook {
    /// Installs a webhook, starts it, and waits until it records pods.
    pub async fn start(cluster: &Cluster, options: WebhookOptions) -> Result<Self> {
        let mut webhook = Self::install(cluster, options).await?;
        webhook.restart().await?;
        Ok(webhook)
    }

    /// Installs a webhook without starting it: pods are made as during an outage.
    pub async fn install(cluster: &Cluster, options: WebhookOptions) -> Result<Self> {
        let webhook = Self {
            port: Port::claim()?,
            binary: cluster.binaries().webhook()?,
            kubeconfig: options.kubeconfig.clone().unwrap_or_else(|| cluster.kubeconfig()),
            log: cluster.folder().join(format!("{}.log", options.registration)),
            marker: cluster.marker(),
            client: cluster.client().await?,
            process: None,
            options,
        };
        webhook.prepare_namespace().await?;
        webhook.register().await?;
        Ok(webhook)
    }

    /// Starts the process again, on the same port, and waits until it records pods. One that still
    /// runs is stopped before.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        let process = Process::spawn(&self.command(), &Streams::into_file(&self.log)).await?;
        let recording = tokio::select! {
            recording = self.records() => recording,
            code = process.ended() => Err(anyhow!("it ended with exit code {code}")),
        };
        self.process = Some(process);
        recording.with_context(|| {
            let log = self.log();
            format!("the webhook does not record; its log:\n{log}")
        })
    }

    /// SIGTERM; waits until the process has drained and ended, which it has to do with exit code 0.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(process) = self.process.take() else {
            return Ok(());
        };
        if let Some(code) = process.exit_code() {
            bail!("the webhook had ended by itself with exit code {code}; its log:\n{}", self.log());
        }
        let code = process.stop(DRAIN).await?;
        ensure!(code == 0, "the webhook ended with exit code {code} on SIGTERM; its log:\n{}", self.log());
        Ok(())
    }

    /// SIGKILL; waits until the process is gone.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Stops the webhook and removes its registration; its namespace and Secrets stay.
    pub async fn uninstall(mut self) -> Result<()> {
        self.stop().await?;
        self.registrations().delete(&self.options.registration, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Leaves the process running when ours ends, as long as the cluster is
    /// [kept](Cluster::keep), which has to be done before.
    pub fn keep(&self) -> Result<()> {
        let process = self.process.as_ref().context("the webhook does not run")?;
        process.keep(&self.marker)
    }

    /// All that it has written since it was installed.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How it was installed.
    pub fn options(&self) -> &WebhookOptions {
        &self.options
    }

    /// The body of `GET PATH` (`/readyz`, `/metrics`) over TLS, trusting the CA that the API server
    /// trusts, too.
    pub async fn get(&self, path: &str) -> Result<String> {
        let registration = self.registration().await?;
        probe::get(self.port.number(), &registration, path).await
    }

    /// The registration as it is in the cluster.
    pub async fn registration(&self) -> Result<MutatingWebhookConfiguration> {
        Ok(self.registrations().get(&self.options.registration).await?)
    }

    fn registrations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    async fn prepare_namespace(&self) -> Result<()> {
        let name = &self.options.install_namespace;
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name},
        });
        Api::<Namespace>::all(self.client.clone()).patch(name, &applied(), &Patch::Apply(manifest)).await?;
        Ok(())
    }

    async fn register(&self) -> Result<()> {
        let manifest = registration(&self.options, self.port.number())?;
        self.registrations().patch(&self.options.registration, &applied(), &Patch::Apply(manifest)).await?;
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port.number()))
            .args(["--hostname", "127.0.0.1", "--shutdown-delay", "0s"])
            .args(["--namespace", &self.options.install_namespace])
            .args(["--registration", &self.options.registration])
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(&self.options.flags)
            .envs(self.options.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Waits until a pod that the API server would make comes back with a record.
    async fn records(&self) -> Result<()> {
        eventually("the webhook records pods", READY, async || {
            self.get("/readyz").await.context("GET /readyz")?;
            for namespace in &self.options.namespaces {
                probe::records(&self.client, namespace).await?;
            }
            Ok(())
        })
        .await
    }
}

fn applied() -> PatchParams {
    PatchParams::apply("reload-tests").force()
}

/// As it is installed in a cluster, but for its name, its address and the choice of namespaces. The
/// `caBundle` is the webhook's own to set.
fn registration(options: &WebhookOptions, port: u16) -> Result<Value> {
    let mut manifest = of_kind(&installed_manifests()?, "MutatingWebhookConfiguration")?;
    manifest["metadata"]["name"] = json!(options.registration);
    let webhook = &mut manifest["webhooks"][0];
    webhook["clientConfig"] = json!({"url": format!("https://127.0.0.1:{port}/mutate")});
    webhook["namespaceSelector"] = json!({"matchExpressions": [{
        "key": "kubernetes.io/metadata.name",
        "operator": "In",
        "values": options.namespaces,
    }]});
    Ok(manifest)
}
