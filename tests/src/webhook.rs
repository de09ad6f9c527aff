//! The admission webhook as a local process that the cluster's API server calls.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use reload_core::record::Record;
use serde_json::json;

use crate::cluster::Cluster;
use crate::metrics::Metrics;
use crate::port::Port;
use crate::process::{Process, Streams};
use crate::wait::eventually;

mod caller;
mod probe;
mod registration;
mod usage;
mod wire;

pub use caller::{Answer, Caller, review};
pub use wire::Wire;

/// The annotation that holds a pod's record.
pub const RECORD: &str = "kubectl-reload.dev/record";

/// A pod's record.
///
/// # Errors
/// When it has none, or a broken one.
pub fn record(pod: &Pod) -> Result<Record> {
    let text = pod.annotations().get(RECORD).with_context(|| format!("{} has no record", pod.name_any()))?;
    Ok(Record::parse(text)?)
}

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
    /// Its environment beyond our own.
    pub env: Vec<(String, String)>,
    /// How it reaches the API server, and with whose rights; as the administrator when `None`.
    pub kubeconfig: Option<PathBuf>,
    /// The port that the API server calls, where that is not its own: a balancer's before several
    /// replicas, all of which are installed with the same options.
    pub registered_port: Option<u16>,
    /// How long the API server waits for it, in seconds, where that is not as it is installed: a
    /// machine that runs all suites at once lets a process wait for seconds itself.
    pub timeout_seconds: Option<u32>,
    /// The CAs that the API server shall trust, as PEM, where the webhook does not set them itself.
    pub ca_bundle: Option<String>,
}

impl WebhookOptions {
    /// As a user installs it, for the pods of these namespaces.
    pub fn installed(namespaces: &[&str]) -> Self {
        Self {
            namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
            install_namespace: "kubectl-reload".to_owned(),
            registration: "zz-kubectl-reload".to_owned(),
            flags: Vec::new(),
            env: Vec::new(),
            kubeconfig: None,
            registered_port: None,
            timeout_seconds: None,
            ca_bundle: None,
        }
    }

    /// One of many on the same cluster, for the pods of this namespace, and as patient as a machine asks
    /// for that runs many suites at once.
    pub fn beside_others(namespace: &str) -> Self {
        Self {
            install_namespace: format!("kubectl-reload-{namespace}"),
            registration: format!("zz-kubectl-reload-{namespace}"),
            flags: vec!["--deadline=4s".to_owned()],
            timeout_seconds: Some(5),
            ..Self::installed(&[namespace])
        }
    }

    /// What the API server calls it in its metrics, which know no registrations.
    fn name(&self) -> String {
        format!("record.{}.dev", self.registration.trim_start_matches("zz-"))
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
        Self::install_at(cluster, options, Port::claim()?).await
    }

    /// The same, on a port that is known before.
    pub async fn install_at(cluster: &Cluster, options: WebhookOptions, port: Port) -> Result<Self> {
        let webhook = Self {
            port,
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
        self.start_process().await?;
        self.recording().await
    }

    /// Starts the process and waits for nothing.
    pub async fn start_process(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the webhook runs");
        self.process = Some(Process::spawn(&self.command(), &Streams::into_file(&self.log)).await?);
        Ok(())
    }

    /// Waits until the process is ready and pods are recorded, be it by another replica.
    pub async fn recording(&self) -> Result<()> {
        let process = self.process.as_ref().context("the webhook does not run")?;
        let recording = tokio::select! {
            recording = self.records() => recording,
            code = process.ended() => Err(anyhow!("it ended with exit code {code}")),
        };
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

    /// The port on which this replica listens.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process id, while it runs.
    pub fn id(&self) -> Result<u32> {
        let process = self.process.as_ref().filter(|process| process.exit_code().is_none());
        process.and_then(Process::id).context("the webhook does not run")
    }

    /// The body of `GET PATH` (`/readyz`, `/metrics`) over TLS, trusting the CA that the API server
    /// trusts, too.
    pub async fn get(&self, path: &str) -> Result<String> {
        self.caller().await?.get(path).await
    }

    /// What it counts.
    pub async fn metrics(&self) -> Result<Metrics> {
        Ok(Metrics::new(self.get("/metrics").await?))
    }

    /// A client of this replica that trusts the CAs that the API server trusts now.
    pub async fn caller(&self) -> Result<Caller> {
        Caller::trusting(self.port.number(), &self.bundle().await?).await
    }

    /// The name under which the API server counts its calls of this webhook.
    pub fn name(&self) -> String {
        self.options.name()
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

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port.number()))
            .args(default_flag(&self.options.flags, "--shutdown-delay", "0s"))
            .args(["--namespace", &self.options.install_namespace])
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(self.own_certificates())
            .args(&self.options.flags)
            .envs(self.options.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What a webhook with certificates of others has no flags for.
    fn own_certificates(&self) -> Vec<&str> {
        match self.options.flags.iter().any(|flag| flag.starts_with("--tls-cert-file")) {
            true => Vec::new(),
            false => vec!["--hostname", "127.0.0.1", "--registration", &self.options.registration],
        }
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

/// A flag and its value, unless the flag is given otherwise.
fn default_flag<'a>(given: &[String], flag: &'a str, value: &'a str) -> Vec<&'a str> {
    if given.iter().any(|given| given == flag) { Vec::new() } else { vec![flag, value] }
}

fn applied() -> PatchParams {
    PatchParams::apply("reload-tests").force()
}
