//! A cluster with one real node: kubelet, containerd, runc and kube-proxy.
//!
//! The control plane is a [`Cluster`] without fake nodes, so all that tests do on one they can do
//! here. The node runs in a machine made of namespaces, which the kernel takes away as a whole: it
//! changes no interface, rule or setting of the host, and reaches nothing but our API server.
//!
//! It needs root on Linux, and a distribution with apt. Suites mark their tests with
//! `#[cfg_attr(not(real_node), ignore = "…")]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Node as Object;
use kube::Api;
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use crate::binaries::built;
use crate::cluster::{Cluster, ClusterOptions, certificates, is_ready};
use crate::process::Process;
use crate::wait::eventually;

mod kubelet;
mod machine;
mod processes;
mod relay;
mod runtime;
mod slot;
pub mod witness;

pub use machine::tool;

use kubelet::{Access, Tokens};
use machine::Machine;
use relay::Relay;

/// The node's name in the API.
pub const NAME: &str = "node";

/// How long the node may take until it runs pods. It takes 4 s on 2 idle cores.
const READY: Duration = Duration::from_secs(90);

/// How long the kubelet may take to end.
const STOP: Duration = Duration::from_secs(30);

/// How a node shall be.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Fields of a [`KubeletConfiguration`] that differ from the defaults, as an object.
    ///
    /// [`KubeletConfiguration`]: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
    pub kubelet: Value,
    /// Where it lies; a new temporary folder when `None`. The folder must not exist, and is
    /// removed with the node.
    pub folder: Option<PathBuf>,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { kubelet: json!({}), folder: None }
    }
}

/// A running cluster with one real node. All of it ends when this value is dropped or when our
/// process ends, in whatever way.
#[derive(Debug)]
pub struct Node {
    /// `None` while it is stopped.
    kubelet: Mutex<Option<Process>>,
    options: NodeOptions,
    tokens: Tokens,
    server: SocketAddr,
    /// kube-proxy and the container runtime.
    others: Mutex<Vec<Process>>,
    _relay: Relay,
    cluster: Cluster,
    machine: Machine,
}

impl Node {
    /// The node that all tests of this process share, started by the first that asks. The kubelet
    /// is as it is by default.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Node> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(NodeOptions::default())).await
    }

    /// Starts a cluster with one node, and waits until the node can run pods.
    pub async fn start(options: NodeOptions) -> Result<Self> {
        // Also the control plane, which is in the same folder.
        tokio::task::spawn_blocking(|| built("control-plane/build.sh", &["node"])).await??;
        let machine = Machine::start(options.folder.clone()).await?;
        let tokens = Tokens::random()?;
        let (cluster, runtime) =
            tokio::try_join!(control_plane(&machine, &tokens), runtime::start(&machine))?;

        let server = server(&cluster)?;
        let ours = machine.slot().our_address();
        let server_for_node = SocketAddr::new(ours.parse()?, server.port());
        let relay = Relay::open(server_for_node, server)?;
        let access = access(&cluster, server_for_node, &tokens);
        let (kubelet, proxy) = tokio::try_join!(
            kubelet::start_kubelet(&machine, &cluster, &access, &options.kubelet),
            kubelet::start_proxy(&machine, &cluster, &access),
        )?;
        let node = Self {
            kubelet: Mutex::new(Some(kubelet)),
            options,
            tokens,
            server: server_for_node,
            others: Mutex::new(vec![proxy, runtime]),
            _relay: relay,
            cluster,
            machine,
        };
        node.ready().await.with_context(|| {
            let logs = ["kubelet", "kube-proxy", "containerd"];
            let ends = logs.map(|log| format!("--- {log}\n{}\n", node.machine.end_of_log(log)));
            format!("the node did not start\n{}", ends.concat())
        })?;
        Ok(node)
    }

    /// The cluster: its API server calls webhooks on 127.0.0.1, as that of every cluster does.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// SIGTERM for the kubelet; waits until it has ended. Containers go on running. For a node that
    /// is not shared: nothing starts or follows a change on it meanwhile.
    pub async fn stop_kubelet(&self) -> Result<()> {
        let Some(kubelet) = self.kubelet.lock().await.take() else {
            bail!("the kubelet does not run");
        };
        if let Some(code) = kubelet.exit_code() {
            bail!("the kubelet had ended by itself with exit code {code}\n{}", self.kubelet_log());
        }
        kubelet.stop(STOP).await.map(drop)
    }

    /// Starts the kubelet again.
    pub async fn start_kubelet(&self) -> Result<()> {
        let mut kubelet = self.kubelet.lock().await;
        ensure!(kubelet.is_none(), "the kubelet runs");
        let access = access(&self.cluster, self.server, &self.tokens);
        let started =
            kubelet::start_kubelet(&self.machine, &self.cluster, &access, &self.options.kubelet).await?;
        *kubelet = Some(started);
        Ok(())
    }

    /// Kills all that runs on the node at once, pods included. For a node that is not shared.
    pub async fn crash(&self) -> Result<()> {
        self.machine.kill_all().await?;
        self.others.lock().await.clear();
        *self.kubelet.lock().await = None;
        Ok(())
    }

    /// Starts the node again after a [crash](Self::crash), with what lies on its disk, and waits
    /// until it can run pods. They come back by themselves.
    pub async fn boot(&self) -> Result<()> {
        let access = access(&self.cluster, self.server, &self.tokens);
        let runtime = runtime::start(&self.machine).await?;
        let proxy = kubelet::start_proxy(&self.machine, &self.cluster, &access).await?;
        *self.others.lock().await = vec![proxy, runtime];
        self.start_kubelet().await?;
        self.ready().await
    }

    /// Puts the image in this archive among those that pods may use.
    pub async fn import(&self, archive: &Path) -> Result<()> {
        runtime::import(&self.machine, archive).await
    }

    /// The last lines that the kubelet has written.
    pub fn kubelet_log(&self) -> String {
        self.machine.end_of_log("kubelet")
    }

    /// Ends all that runs on the node, then the control plane, and waits until nothing is left.
    pub async fn stop(self) -> Result<()> {
        let (_, stopped) = tokio::join!(self.machine.stop(), self.cluster.stop());
        stopped
    }

    async fn ready(&self) -> Result<()> {
        let nodes = Api::<Object>::all(self.cluster.client().await?);
        eventually("the node is ready", READY, async || {
            let node = nodes.get(NAME).await?;
            ensure!(is_ready(&node), "{:?}", node.status.and_then(|status| status.conditions));
            Ok(())
        })
        .await
    }
}

/// A control plane for this machine: with the rights of nodes limited as they should be, and with
/// addresses that the machine can reach.
async fn control_plane(machine: &Machine, tokens: &Tokens) -> Result<Cluster> {
    let folder = machine.cluster_folder();
    let slot = machine.slot();
    let defaults = ClusterOptions::default();
    let certificates = certificates(&folder, &defaults.name);
    let server = [
        ("enable-admission-plugins", "NodeRestriction".to_owned()),
        ("advertise-address", slot.our_address()),
        ("service-cluster-ip-range", slot.services()),
        ("token-auth-file", tokens.file(machine)?.display().to_string()),
        // For logs and exec, which the API server asks of the kubelet.
        ("kubelet-client-certificate", certificates.join("admin.crt").display().to_string()),
        ("kubelet-client-key", certificates.join("admin.key").display().to_string()),
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
    ];
    let mut flags = defaults.flags.clone();
    flags.retain(|flag| !flag.contains("advertise-address"));
    flags.extend(server.map(|(flag, value)| format!("kube-apiserver={flag}={value}")));
    // The first address of the Services is the API server's.
    let service = slot.services().replace(".0/24", ".1");
    Cluster::start(ClusterOptions {
        nodes: 0,
        addresses: vec![slot.our_address(), service],
        flags,
        folder: Some(folder),
        ..defaults
    })
    .await
}

/// Where the API server listens.
fn server(cluster: &Cluster) -> Result<SocketAddr> {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
    let url = kubeconfig
        .clusters
        .iter()
        .find_map(|cluster| cluster.cluster.as_ref()?.server.clone())
        .context("the kubeconfig names no server")?;
    let port = url.rsplit(':').next().unwrap_or_default();
    let port = port.parse().with_context(|| format!("{url} has no port"))?;
    Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))
}

fn access<'a>(cluster: &Cluster, server: SocketAddr, tokens: &'a Tokens) -> Access<'a> {
    let name = ClusterOptions::default().name;
    let authority = certificates(cluster.folder(), &name).join("ca.crt");
    Access { server: format!("https://{server}"), authority, tokens }
}
