//! The kubelet and kube-proxy of a machine: their configuration and credentials.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::NAME;
use super::machine::Machine;
use super::runtime::SOCKET;
use crate::cluster::Cluster;
use crate::process::Process;

/// Tokens by which the API server knows the node's programs.
#[derive(Debug)]
pub(super) struct Tokens {
    kubelet: String,
    proxy: String,
}

impl Tokens {
    /// Nobody can guess them.
    pub(super) fn random() -> Result<Self> {
        Ok(Self { kubelet: token()?, proxy: token()? })
    }

    /// A file for the API server's `--token-auth-file`. With these names and groups, the
    /// authorizers and NodeRestriction give the rights of a node:
    /// <https://kubernetes.io/docs/reference/access-authn-authz/node/>.
    pub(super) fn file(&self, machine: &Machine) -> Result<PathBuf> {
        let Self { kubelet, proxy } = self;
        let lines = format!(
            "{kubelet},system:node:{NAME},{NAME},system:nodes\n{proxy},system:kube-proxy,kube-proxy\n"
        );
        machine.file("tokens.csv", lines)
    }
}

/// Starts the kubelet, with these fields of its configuration besides what every one here needs.
pub(super) async fn start_kubelet(
    machine: &Machine,
    cluster: &Cluster,
    access: &Access<'_>,
    more: &Value,
) -> Result<Process> {
    let mut fields = configuration(machine, access);
    for (field, value) in more.as_object().into_iter().flatten() {
        fields[field] = value.clone();
    }
    let configuration = machine.file("kubelet.json", fields.to_string())?;
    let kubeconfig = access.kubeconfig(machine, "kubelet", &access.tokens.kubelet)?;
    let address = machine.slot().its_address();
    let mut command = Command::new(cluster.binaries().control_plane("kubelet"));
    command.arg("--config").arg(configuration).arg("--kubeconfig").arg(kubeconfig);
    command.args(["--hostname-override", NAME, "--node-ip", &address]);
    machine.spawn("kubelet", &mut command).await
}

/// Starts kube-proxy.
pub(super) async fn start_proxy(
    machine: &Machine,
    cluster: &Cluster,
    access: &Access<'_>,
) -> Result<Process> {
    let kubeconfig = access.kubeconfig(machine, "kube-proxy", &access.tokens.proxy)?;
    let address = machine.slot().its_address();
    let configuration = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": kubeconfig},
        "clusterCIDR": machine.slot().pods(),
        "bindAddress": address,
        // These limits are the whole host's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "nftables": {"minSyncPeriod": "0s"},
    });
    let configuration = machine.file("kube-proxy.json", configuration.to_string())?;
    let mut command = Command::new(cluster.binaries().control_plane("kube-proxy"));
    command.arg("--config").arg(configuration).args(["--hostname-override", NAME]);
    machine.spawn("kube-proxy", &mut command).await
}

/// How the node's programs reach the API server and trust it, and it them.
#[derive(Debug)]
pub(super) struct Access<'a> {
    /// The API server, as the machine sees it.
    pub(super) server: String,
    /// The cluster's CA.
    pub(super) authority: PathBuf,
    pub(super) tokens: &'a Tokens,
}

impl Access<'_> {
    fn kubeconfig(&self, machine: &Machine, name: &str, token: &str) -> Result<PathBuf> {
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": NAME,
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": name}}],
            "clusters": [{"name": NAME, "cluster": {
                "server": self.server,
                "certificate-authority": self.authority,
            }}],
            "users": [{"name": name, "user": {"token": token}}],
        });
        machine.file(&format!("{name}.kubeconfig"), kubeconfig.to_string())
    }
}

/// What is not given here is as the kubelet has it by default, above all how it follows changes of
/// ConfigMaps and Secrets.
fn configuration(machine: &Machine, access: &Access<'_>) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": machine.slot().its_address(),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": access.authority},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", machine.slot().name()),
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "failCgroupV1": false,
        "failSwapOn": false,
        "makeIPTablesUtilChains": false,
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        // A disk that is nearly full is no reason to evict: what the node writes lies in memory.
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
    })
}

fn token() -> Result<String> {
    let mut bytes = [0; 16];
    let mut source = File::open("/dev/urandom").context("no random numbers")?;
    source.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
