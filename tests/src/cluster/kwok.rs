//! kwokctl: one cluster in a folder of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::ClusterOptions;
use crate::binaries::Binaries;
use crate::guard::{CLUSTER, Guardian};
use crate::port::Port;

/// What kwokctl knows of the cluster: nothing comes from the user's home or environment.
#[derive(Debug)]
pub(super) struct Kwok {
    folder: PathBuf,
    name: String,
    binaries: Binaries,
    /// Ours until the cluster ends.
    ports: Vec<Port>,
}

/// Where a cluster's CA lies (`ca.crt`), and the administrator's certificate and key (`admin.crt`,
/// `admin.key`).
pub(crate) fn certificates(folder: &Path, name: &str) -> PathBuf {
    folder.join("clusters").join(name).join("pki")
}

impl Kwok {
    /// Writes the configuration of a new cluster into its folder.
    pub(super) fn new(folder: PathBuf, options: &ClusterOptions, binaries: Binaries) -> Result<Self> {
        let ports = (0..PORTS.len()).map(|_| Port::claim()).collect::<Result<Vec<_>>>()?;
        let kwok = Self { folder, name: options.name.clone(), binaries, ports };
        let text = serde_json::to_string_pretty(&kwok.configuration(options))?;
        fs::write(kwok.configuration_file(), text)?;
        Ok(kwok)
    }

    /// One that an earlier process has made in this folder.
    pub(super) fn existing(folder: &Path, binaries: Binaries) -> Result<Self> {
        let clusters = folder.join("clusters");
        let entry = fs::read_dir(&clusters)
            .ok()
            .and_then(|mut entries| entries.next())
            .with_context(|| format!("no cluster lies in {}", folder.display()))??;
        Ok(Self {
            folder: folder.to_owned(),
            name: entry.file_name().to_string_lossy().into_owned(),
            binaries,
            ports: Vec::new(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Begins to create the cluster under a guardian, which reports kwokctl's exit code.
    pub(super) fn create(&self) -> Result<Guardian> {
        let command = self.command(&["create", "cluster", "--wait", "120s"]);
        let paths = [self.log(), self.folder.clone(), PathBuf::from(&self.name)];
        let mut arguments: Vec<OsString> = paths.map(OsString::from).to_vec();
        arguments.push(command.get_program().to_owned());
        arguments.extend(command.get_args().map(OsString::from));
        arguments.extend(["--kubeconfig".into(), self.kubeconfig().into()]);
        Guardian::spawn(CLUSTER, arguments, &command)
    }

    /// Runs a short kwokctl command.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null());
        let run = tokio::task::spawn_blocking(move || command.output()).await??;
        if !run.status.success() {
            let words = arguments.join(" ");
            bail!("kwokctl {words}: {}", String::from_utf8_lossy(&run.stderr));
        }
        Ok(())
    }

    /// The ends of all logs of the control plane.
    pub(super) fn logs(&self) -> String {
        let components = self.components();
        let entries = fs::read_dir(components).into_iter().flatten().flatten();
        let mut text = String::new();
        for file in [self.log()].into_iter().chain(entries.map(|entry| entry.path())) {
            let log = fs::read_to_string(&file).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(10)..].join("\n");
            text += &format!("--- {}\n{end}\n", file.display());
        }
        text
    }

    /// What one of them has logged.
    pub(super) fn log_of(&self, component: &str) -> String {
        let log = fs::read(self.components().join(format!("{component}.log"))).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Where their logs lie.
    fn components(&self) -> PathBuf {
        self.folder.join("clusters").join(&self.name).join("logs")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("kwokctl.log")
    }

    fn configuration_file(&self) -> PathBuf {
        self.folder.join("kwokctl.json")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binaries.control_plane("kwokctl"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KWOK_") {
                command.env_remove(name);
            }
        }
        command
            .env("KWOK_WORKDIR", &self.folder)
            .args(arguments)
            .args(["--name", &self.name, "--config"])
            .arg(self.configuration_file());
        command
    }

    /// <https://kwok.sigs.k8s.io/docs/user/configuration/>: a `KwokctlConfiguration`.
    fn configuration(&self, wanted: &ClusterOptions) -> Value {
        let mut options = json!({
            "runtime": "binary",
            "bindAddress": "127.0.0.1",
            "kubeApiserverCertSANs": wanted.addresses,
            "kubeVersion": self.binaries.version(),
        });
        for (option, binary) in BINARIES {
            options[option] = json!(self.binaries.control_plane(binary));
        }
        for (option, port) in PORTS.iter().zip(&self.ports) {
            options[*option] = json!(port.number());
        }
        let mut disabled = Vec::new();
        if wanted.nodes == 0 {
            disabled.push("kwok-controller");
        }
        if wanted.kubernetes.is_some() {
            disabled.extend(["kube-controller-manager", "kube-scheduler"]);
        }
        options["disable"] = json!(disabled);
        json!({
            "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
            "kind": "KwokctlConfiguration",
            "options": options,
            "componentsPatches": patches(&wanted.flags),
        })
    }
}

/// `component=flag=value` as kwokctl's configuration has it. Its own `--extra-args` says the same,
/// but fails when a second component has two.
fn patches(flags: &[String]) -> Vec<Value> {
    let patch = |flag: &String| {
        let mut parts = flag.splitn(3, '=');
        let mut part = || parts.next().unwrap_or_default();
        json!({"name": part(), "extraArgs": [{"key": part(), "value": part()}]})
    };
    flags.iter().map(patch).collect()
}

const BINARIES: [(&str, &str); 6] = [
    ("etcdBinary", "etcd"),
    ("kubeApiserverBinary", "kube-apiserver"),
    ("kubeControllerManagerBinary", "kube-controller-manager"),
    ("kubeSchedulerBinary", "kube-scheduler"),
    ("kubectlBinary", "kubectl"),
    ("kwokControllerBinary", "kwok"),
];

const PORTS: [&str; 6] = [
    "etcdPort",
    "etcdPeerPort",
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
];
