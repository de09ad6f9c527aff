//! kubectl as a user runs it: a subprocess with a kubeconfig, and the plugin on its PATH.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::process::{Process, Streams};

/// No command of a test takes longer, unless it says so.
const LIMIT: Duration = Duration::from_secs(120);

/// kubectl for one cluster, with its default namespace and environment.
#[derive(Clone, Debug)]
pub struct Kubectl<'a> {
    cluster: &'a Cluster,
    namespace: Option<String>,
    kubeconfig: PathBuf,
    env: Vec<(String, String)>,
    limit: Duration,
}

/// What a command has written, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command, as one would type it.
    pub command: String,
    /// Its exit code; 128 and the signal's number after a signal.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Output {
    /// Itself if the command succeeded, and otherwise an error that shows what it wrote.
    pub fn success(self) -> Result<Self> {
        if self.code != 0 {
            bail!("{self}");
        }
        Ok(self)
    }

    /// stdout as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self}"))
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "`{command}` ended with exit code {code}\nstdout:\n{stdout}\nstderr:\n{stderr}")
    }
}

impl<'a> Kubectl<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, namespace: None, kubeconfig: cluster.kubeconfig(), env: Vec::new(), limit: LIMIT }
    }

    /// Every command gets `-n NAMESPACE`.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Every command uses this file, which may not exist, instead of the administrator's.
    pub fn kubeconfig(mut self, file: &Path) -> Self {
        file.clone_into(&mut self.kubeconfig);
        self
    }

    /// Every command has this variable in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Every command may take this long.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs a command and gives what it wrote, whether it succeeds or not.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        self.output_with_input(arguments, "").await
    }

    /// Runs a command that has to succeed, and gives its stdout.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        Ok(self.output(arguments).await?.success()?.stdout)
    }

    /// Runs `kubectl reload …`: kubectl finds the plugin on its PATH.
    pub async fn reload(&self, arguments: &[&str]) -> Result<Output> {
        self.cluster.binaries().plugin()?;
        self.output(&[&["reload"], arguments].concat()).await
    }

    /// `kubectl apply -f -`, client-side as people do it, with all manifests at once.
    pub async fn apply(&self, manifests: &[Value]) -> Result<()> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string();
        let arguments = ["apply", "-f", "-"];
        let output = self.output_with_input(&arguments, &list).await?;
        output.success().map(drop)
    }

    /// `kubectl get … -o json`, parsed.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        self.output(&arguments).await?.success()?.json()
    }

    /// Runs a command that reads this, and gives what it wrote, whether it succeeds or not.
    pub async fn output_with_input(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let streams = self.streams(input)?;
        let command = self.command(arguments)?;
        let words = arguments.join(" ");
        let process = Process::spawn(&command, &streams).await?;
        let code = match process.wait(self.limit).await {
            Ok(code) => code,
            Err(error) => {
                process.kill().await;
                let output = finished(words, -1, &streams)?;
                return Err(error.context(output));
            }
        };
        finished(words, code, &streams)
    }

    /// Another program, with kubectl and the plugin on its PATH and the cluster in its environment.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = Command::new(program);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            // Not the user's caches, nor a kuberc.
            .env("HOME", self.cluster.folder())
            .env("PATH", self.path()?)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// Its home: where the cluster lies.
    pub(crate) fn folder(&self) -> &Path {
        self.cluster.folder()
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.program(self.cluster.binaries().control_plane("kubectl"))?;
        command.args(arguments);
        if let Some(namespace) = &self.namespace {
            command.args(["-n", namespace]);
        }
        Ok(command)
    }

    /// A folder with kubectl and the plugin alone, before the PATH as it is: the folder in which
    /// cargo puts the plugin holds other programs that look like plugins.
    fn path(&self) -> Result<OsString> {
        let folder = self.cluster.folder().join("path");
        fs::create_dir_all(&folder)?;
        let binaries = self.cluster.binaries();
        let kubectl = ("kubectl", Some(binaries.control_plane("kubectl")));
        let plugin = ("kubectl-reload", binaries.plugin().ok());
        let completer = ("kubectl_complete-reload", binaries.plugin().ok());
        for (name, target) in [kubectl, plugin, completer] {
            let link = folder.join(name);
            if let Some(target) = target.filter(|_| !link.exists()) {
                // Another test may have made it meanwhile.
                let _ = symlink(target, link);
            }
        }
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = [folder].into_iter().chain(std::env::split_paths(&inherited));
        Ok(std::env::join_paths(folders)?)
    }

    fn streams(&self, input: &str) -> Result<Streams> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let folder = self.cluster.folder().join("kubectl");
        fs::create_dir_all(&folder)?;
        let file = |stream: &str| folder.join(format!("{process}-{count}-{stream}"));
        let streams = Streams { input: file("stdin"), stdout: file("stdout"), stderr: file("stderr") };
        fs::write(&streams.input, input)?;
        Ok(streams)
    }
}

fn finished(words: String, code: i32, streams: &Streams) -> Result<Output> {
    let read = |path: &Path| -> Result<String> {
        let bytes = fs::read(path).unwrap_or_default();
        Ok(String::from_utf8(bytes)?)
    };
    let output = Output {
        command: format!("kubectl {words}"),
        code,
        stdout: read(&streams.stdout)?,
        stderr: read(&streams.stderr)?,
    };
    for file in [&streams.input, &streams.stdout, &streams.stderr] {
        // The folder goes with the cluster in any case.
        let _ = fs::remove_file(file);
    }
    Ok(output)
}
