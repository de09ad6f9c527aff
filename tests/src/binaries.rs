//! Where the binaries are: the control plane's, and the workspace's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

const API_SERVER: &str = "kube-apiserver";

/// The folders that hold the binaries.
#[derive(Clone, Debug)]
pub struct Binaries {
    control_plane: PathBuf,
    /// In a folder of its own where it is of another version.
    api_server: PathBuf,
    version: String,
}

impl Binaries {
    /// Finds the control plane, and builds it first where it is not in the cache: then this takes
    /// minutes, with progress on stderr.
    pub fn locate() -> Result<Self> {
        Self::of_kubernetes(None)
    }

    /// The same with the API server of another Kubernetes version (`1.33`).
    pub fn of_kubernetes(version: Option<&str>) -> Result<Self> {
        let control_plane = built("control-plane/build.sh", &[])?;
        let folder = match version {
            Some(version) => built_with("control-plane/build.sh", &[], &[("KUBERNETES", version)])?,
            None => control_plane.clone(),
        };
        let api_server = folder.join(API_SERVER);
        let version = version_of(&api_server)?;
        Ok(Self { control_plane, api_server, version })
    }

    /// A binary of the control plane: `kube-apiserver`, `kubectl`, `kwokctl`, …
    pub fn control_plane(&self, name: &str) -> PathBuf {
        if name == API_SERVER { self.api_server.clone() } else { self.control_plane.join(name) }
    }

    /// The Kubernetes version of the API server, `v1.36.3`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The workspace's kubectl plugin.
    pub fn plugin(&self) -> Result<PathBuf> {
        own("kubectl-reload")
    }

    /// The workspace's admission webhook.
    pub fn webhook(&self) -> Result<PathBuf> {
        own("kubectl-reload-webhook")
    }
}

/// The image, as an archive, and as the chart names it. Its binaries are static ones, which are built
/// first where they have changed.
pub async fn image() -> Result<PathBuf> {
    tokio::task::spawn_blocking(|| built("../deploy/image.sh", &["dev"])).await?
}

/// A program that checks what is deployed and released, `promtool` or `actionlint`; it is built first
/// where it is not in the cache: then this takes minutes.
pub async fn checker(name: &'static str) -> Result<PathBuf> {
    let folder = tokio::task::spawn_blocking(move || built("control-plane/build.sh", &[name])).await??;
    Ok(folder.join(name))
}

/// The folder with the CustomResourceDefinitions of what the chart makes for others: cert-manager, the
/// Prometheus Operator.
pub async fn custom_resources() -> Result<PathBuf> {
    tokio::task::spawn_blocking(|| built("crds.sh", &[])).await?
}

/// The path that a script of these tests names, which builds first what it lacks.
pub(crate) fn built(script: &str, arguments: &[&str]) -> Result<PathBuf> {
    built_with(script, arguments, &[])
}

fn built_with(script: &str, arguments: &[&str], env: &[(&str, &str)]) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let run = Command::new(&script)
        .args(arguments)
        // Not the user's.
        .env_remove("KUBERNETES")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !run.status.success() {
        bail!("{} failed: the lines above say what to do", script.display());
    }
    Ok(PathBuf::from(String::from_utf8(run.stdout)?.trim_end()))
}

/// `Kubernetes v1.36.3` is what an API server says of itself.
fn version_of(server: &Path) -> Result<String> {
    let run = Command::new(server)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}", server.display()))?;
    let text = String::from_utf8(run.stdout)?;
    let version = text.split_whitespace().last().unwrap_or_default();
    if !version.starts_with('v') {
        bail!("{} --version says {text:?}", server.display());
    }
    Ok(version.to_owned())
}

/// Cargo puts a test into `target/<profile>/deps` and a binary into `target/<profile>`.
fn own(name: &str) -> Result<PathBuf> {
    let executable = std::env::current_exe().context("cannot tell where this program lies")?;
    executable
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not built beside {}: run `make build`", executable.display()))
}
