//! Helm as a user runs it, and the project's own chart.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::binaries::built;
use crate::cluster::Cluster;
use crate::kubectl::Output;

/// The name of the release, and of the namespace, that the README installs.
pub const RELEASE: &str = "kubectl-reload";

/// What the chart gives by default, as it lies in the checkout.
const MANIFESTS: &str = include_str!("../../deploy/install.yaml");

/// Helm, with a cluster or without one.
#[derive(Clone, Debug)]
pub struct Helm {
    binary: PathBuf,
    /// A place for its caches.
    home: PathBuf,
    kubeconfig: PathBuf,
}

impl Helm {
    /// For this cluster, as its administrator. Built first where it is not in the cache: then this
    /// takes two minutes, with progress on stderr.
    pub async fn new(cluster: &Cluster) -> Result<Self> {
        Self::with(cluster.folder().join("helm"), cluster.kubeconfig()).await
    }

    /// To lint and to render.
    pub async fn without_cluster() -> Result<Self> {
        Self::with(PathBuf::from("/nonexistent"), PathBuf::from("/dev/null")).await
    }

    async fn with(home: PathBuf, kubeconfig: PathBuf) -> Result<Self> {
        let folder = tokio::task::spawn_blocking(|| built("control-plane/build.sh", &["helm"])).await??;
        Ok(Self { binary: folder.join("helm"), home, kubeconfig })
    }

    /// Where it lies, for a PATH.
    pub fn folder(&self) -> Option<&Path> {
        self.binary.parent()
    }

    /// Runs a command and gives what it wrote, whether it succeeds or not.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .env("KUBECONFIG", &self.kubeconfig)
            // Not the user's.
            .env("HOME", &self.home)
            .env("HELM_CACHE_HOME", self.home.join("cache"))
            .env("HELM_CONFIG_HOME", self.home.join("config"))
            .env("HELM_DATA_HOME", self.home.join("data"));
        let run = tokio::task::spawn_blocking(move || command.output()).await?.context("cannot run Helm")?;
        Ok(Output {
            command: format!("helm {}", arguments.join(" ")),
            code: run.status.code().unwrap_or(-1),
            stdout: String::from_utf8(run.stdout)?,
            stderr: String::from_utf8(run.stderr)?,
        })
    }

    /// `helm COMMAND kubectl-reload CHART -n NAMESPACE --set …`, which has to succeed: `install`,
    /// `upgrade`, `template`. Gives its stdout.
    pub async fn release(&self, command: &[&str], namespace: &str, values: &[&str]) -> Result<String> {
        let chart = chart();
        let chart = chart.to_string_lossy();
        let sets = values.iter().flat_map(|&value| ["--set", value]);
        let arguments = command.iter().copied().chain([RELEASE, &chart, "-n", namespace]).chain(sets);
        let arguments: Vec<&str> = arguments.collect();
        Ok(self.output(&arguments).await?.success()?.stdout)
    }

    /// The manifests that the chart installs in this namespace with these values (`secrets=false`).
    pub async fn manifests(&self, namespace: &str, values: &[&str]) -> Result<Vec<Value>> {
        documents(&self.release(&["template", "--no-hooks"], namespace, values).await?)
    }

    /// The manifests of `helm test`.
    pub async fn tests(&self, namespace: &str) -> Result<Vec<Value>> {
        let mut manifests = documents(&self.release(&["template"], namespace, &[]).await?)?;
        manifests.retain(|manifest| !manifest["metadata"]["annotations"]["helm.sh/hook"].is_null());
        Ok(manifests)
    }
}

/// The folder of the project's chart.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/chart")
}

/// `deploy/install.yaml` as it is in the checkout, which has to be what the chart gives.
pub fn installed_manifests() -> Result<Vec<Value>> {
    documents(MANIFESTS)
}

/// The same, as text.
pub fn install_yaml() -> &'static str {
    MANIFESTS
}

/// What `make manifests` makes of the chart: `install.yaml`, `README.md`.
pub async fn made(file: &str) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/manifests.sh");
    let mut command = Command::new(script);
    command.arg(file).stdin(Stdio::null()).stderr(Stdio::inherit());
    let run = tokio::task::spawn_blocking(move || command.output()).await??;
    anyhow::ensure!(run.status.success(), "deploy/manifests.sh failed");
    Ok(String::from_utf8(run.stdout)?)
}

/// What `kubectl kustomize deploy` gives.
pub async fn kustomized() -> Result<String> {
    let folder = tokio::task::spawn_blocking(|| built("control-plane/build.sh", &[])).await??;
    let mut command = Command::new(folder.join("kubectl"));
    command.arg("kustomize").arg(chart().join("..")).stdin(Stdio::null()).stderr(Stdio::inherit());
    let run = tokio::task::spawn_blocking(move || command.output()).await??;
    anyhow::ensure!(run.status.success(), "kubectl kustomize failed");
    Ok(String::from_utf8(run.stdout)?)
}

/// The one manifest of this kind.
pub fn of_kind(manifests: &[Value], kind: &str) -> Result<Value> {
    let found = manifests.iter().find(|manifest| manifest["kind"] == kind);
    found.cloned().with_context(|| format!("no {kind} among the manifests"))
}

/// The documents of a YAML stream.
pub fn documents(text: &str) -> Result<Vec<Value>> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    documents.retain(|document| !document.is_null());
    Ok(documents)
}
