//! A real Kubernetes control plane with fake nodes, as local processes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::fs;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::binaries::Binaries;
use crate::guard::Guardian;
use crate::kubectl::Kubectl;
use crate::metrics::Metrics;
use crate::wait::eventually;

mod account;
mod kwok;

use kwok::Kwok;
pub(crate) use kwok::certificates;

/// How long a control plane may take to answer. It takes 4 s on 2 idle cores.
const START: Duration = Duration::from_secs(120);

/// How a cluster shall be.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The context in its kubeconfig is `kwok-NAME`.
    pub name: String,
    /// The version of its API server, `1.33`, where that is not the present one. It then has no
    /// controllers and no scheduler, which must not be newer: nobody makes ServiceAccounts, and pods are
    /// made by hand for a node.
    pub kubernetes: Option<String>,
    /// How many fake nodes it has. With none, nobody plays a node.
    pub nodes: usize,
    /// Addresses of its API server beyond 127.0.0.1: its certificate is valid for them, too.
    pub addresses: Vec<String>,
    /// Flags of its components, as `component=flag=value`.
    pub flags: Vec<String>,
    /// Where it lies; a new temporary folder when `None`. The folder must not exist, and is
    /// removed with the cluster.
    pub folder: Option<PathBuf>,
}

impl ClusterOptions {
    /// For so many pods: as many nodes as take them, and controllers that make them as fast as they can.
    pub fn of_pods(pods: usize) -> Self {
        // A node takes 110.
        let mut options = Self { nodes: pods.div_ceil(100), ..Self::default() };
        options.flags.retain(|flag| !flag.contains("kube-api-qps") && !flag.contains("kube-api-burst"));
        let faster =
            ["kube-controller-manager=kube-api-qps=2000", "kube-controller-manager=kube-api-burst=4000"];
        options.flags.extend(faster.map(str::to_owned));
        options
    }
}

impl Default for ClusterOptions {
    fn default() -> Self {
        let flags = [
            // The controllers' own limits shape how fast pods appear, and tests wait for pods.
            "kube-controller-manager=kube-api-qps=200",
            "kube-controller-manager=kube-api-burst=400",
            // Nothing has to survive a power cut.
            "etcd=unsafe-no-fsync=true",
            // Nobody uses it, and without it the API server wants a network interface.
            "kube-apiserver=advertise-address=192.0.2.1",
        ];
        Self {
            name: "kubectl-reload".to_owned(),
            kubernetes: None,
            nodes: 3,
            addresses: Vec::new(),
            flags: flags.map(str::to_owned).to_vec(),
            folder: None,
        }
    }
}

/// A running control plane. Stopped when dropped or when our process ends, in whatever way, unless
/// it is [kept](Self::keep).
#[derive(Debug)]
pub struct Cluster {
    kwok: Kwok,
    /// `None` for one that was kept and opened again.
    guardian: Option<Guardian>,
}

impl Cluster {
    /// The cluster that all tests of this process share, started by the first that asks.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(ClusterOptions::default())).await
    }

    /// Starts a control plane and waits until it can run pods.
    pub async fn start(options: ClusterOptions) -> Result<Self> {
        let version = options.kubernetes.clone();
        let locate = move || Binaries::of_kubernetes(version.as_deref());
        let binaries = tokio::task::spawn_blocking(locate).await??;
        let folder = options.folder.clone().unwrap_or_else(temporary_folder);
        // The guardian and the cluster's own files name it, too.
        let folder = std::path::absolute(folder)?;
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).await?;
        }
        fs::create_dir(&folder)
            .await
            .with_context(|| format!("cannot make the cluster's folder {}", folder.display()))?;
        let kwok = Kwok::new(folder, &options, binaries)?;
        let guardian = kwok.create()?;
        let cluster = Self { kwok, guardian: Some(guardian) };
        match cluster.ready(&options).await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                let logs = cluster.kwok.logs();
                Err(error.context(format!("the cluster did not start\n{logs}")))
            }
        }
    }

    /// A cluster that an earlier process has kept in this folder.
    pub async fn reopen(folder: &Path) -> Result<Self> {
        let binaries = tokio::task::spawn_blocking(Binaries::locate).await??;
        let folder = &std::path::absolute(folder)?;
        let cluster = Self { kwok: Kwok::existing(folder, binaries)?, guardian: None };
        ensure!(cluster.marker().exists(), "no cluster is kept in {}", folder.display());
        Ok(cluster)
    }

    /// Leaves the cluster running when this process ends, until the file that this returns is
    /// removed, or until it is [reopened](Self::reopen) and stopped.
    pub async fn keep(&self) -> Result<PathBuf> {
        let marker = self.marker();
        fs::write(&marker, "The cluster runs for as long as this file exists.\n").await?;
        if let Some(guardian) = &self.guardian {
            guardian.keep(&marker)?;
        }
        Ok(marker)
    }

    /// Ends all of the cluster's processes and removes its folder.
    pub async fn stop(mut self) -> Result<()> {
        let marker = self.marker();
        if marker.exists() {
            fs::remove_file(&marker).await?;
        }
        if let Some(guardian) = self.guardian.take() {
            guardian.close().await;
            return Ok(());
        }
        let folder = self.folder();
        let torn_down = eventually("the cluster is gone", Duration::from_secs(60), async || {
            ensure!(!folder.exists(), "{} is there", folder.display());
            Ok(())
        });
        if torn_down.await.is_err() {
            // Its guardian has died, say when the machine was restarted.
            self.kwok.run(&["delete", "cluster"]).await?;
            fs::remove_dir_all(folder).await?;
        }
        Ok(())
    }

    /// The cluster's own folder, which is removed with it: a place for logs.
    pub fn folder(&self) -> &Path {
        self.kwok.folder()
    }

    /// As long as this file exists, the guardians of a kept cluster hold still.
    pub(crate) fn marker(&self) -> PathBuf {
        self.folder().join("kept")
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kwok.kubeconfig()
    }

    /// The binaries that it runs.
    pub fn binaries(&self) -> &Binaries {
        self.kwok.binaries()
    }

    /// All that one of its components (`kube-apiserver`) has logged.
    pub fn log(&self, component: &str) -> String {
        self.kwok.log_of(component)
    }

    /// kubectl of the cluster's version, with the plugin on its PATH.
    pub fn kubectl(&self) -> Kubectl<'_> {
        Kubectl::new(self)
    }

    /// A new client with the administrator's rights. Every test needs its own: a client dies with
    /// the runtime in which it was made.
    pub async fn client(&self) -> Result<Client> {
        install_crypto_provider();
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        Ok(Client::try_from(config)?)
    }

    /// What its API server counts.
    pub async fn metrics(&self) -> Result<Metrics> {
        let request = http::Request::get("/metrics").body(Vec::new())?;
        Ok(Metrics::new(self.client().await?.request_text(request).await?))
    }

    async fn ready(&self, options: &ClusterOptions) -> Result<()> {
        let guardian = self.guardian.as_ref().context("the cluster is kept")?;
        let code = timeout(START, guardian.started())
            .await
            .with_context(|| format!("kwokctl still runs after {START:?}"))??;
        if code != 0 {
            bail!("kwokctl ended with exit code {code}");
        }
        if options.nodes > 0 {
            let nodes = options.nodes.to_string();
            let scale = ["scale", "node", "--replicas", &nodes];
            self.kwok.run(&scale).await?;
        }

        let client = self.client().await?;
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
        let nodes = Api::<Node>::all(client);
        let controlled = options.kubernetes.is_none();
        eventually("pods can run", START, async || {
            if controlled {
                accounts.get("default").await?;
            }
            let nodes = nodes.list(&Default::default()).await?.items;
            // A controller takes away the taint of a node that was not ready.
            let ready = |node: &&Node| if controlled { is_ready(node) } else { says_ready(node) };
            let ready = nodes.iter().filter(ready).count();
            ensure!(ready == options.nodes, "{ready} of {} nodes are ready", options.nodes);
            Ok(())
        })
        .await
    }
}

/// Installs the one provider of TLS, unless that has been done.
pub fn install_crypto_provider() {
    // An error says that one is installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub(crate) fn is_ready(node: &Node) -> bool {
    says_ready(node) && !node.spec.iter().any(|spec| spec.taints.is_some())
}

fn says_ready(node: &Node) -> bool {
    let status = node.status.iter();
    let mut conditions = status.flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Names that no other process uses, and no other cluster of this one.
pub(crate) fn temporary_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = jiff::Timestamp::now().as_millisecond();
    let process = std::process::id();
    std::env::temp_dir().join(format!("kubectl-reload-{process}-{count}-{now}"))
}
