//! A cluster for installations. Its nodes are fake and run no image: the webhook is a local process that
//! stands in for its pods, with their account and their flags, and the API server reaches it through its
//! Service by a proxy, as that of a managed cluster reaches the network of pods.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use reload_tests::helm::RELEASE;
use reload_tests::port::Port;
use reload_tests::process::{Process, Streams};
use reload_tests::{Cluster, ClusterOptions, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// How long controllers and the webhook may take for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A cluster has one installation.
static ONE: Mutex<()> = Mutex::const_new(());

/// Where the webhook listens, to which each Service leads.
static SERVED: AtomicU16 = AtomicU16::new(0);

/// The cluster of this suite, for one test, with nothing of ours in it.
pub(crate) async fn cluster() -> Result<(&'static Cluster, MutexGuard<'static, ()>)> {
    static SHARED: OnceCell<Cluster> = OnceCell::const_new();
    let one = ONE.lock().await;
    let cluster = SHARED.get_or_try_init(start).await?;
    clear(cluster).await?;
    Ok((cluster, one))
}

async fn start() -> Result<Cluster> {
    let process = std::process::id();
    let folder = std::env::temp_dir().join(format!("kubectl-reload-install-{process}"));
    let socket = folder.join("egress.sock");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("egress-{process}.json"));
    let transport = json!({"uds": {"udsName": socket}});
    let connection = json!({"proxyProtocol": "HTTPConnect", "transport": transport});
    let configuration = json!({
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    });
    std::fs::write(&file, configuration.to_string())?;
    let mut options = ClusterOptions { folder: Some(folder), ..ClusterOptions::default() };
    options.flags.push(format!("kube-apiserver=egress-selector-config-file={}", file.display()));
    let cluster = Cluster::start(options).await?;
    std::fs::remove_file(file)?;
    open(socket)?;
    Ok(cluster)
}

/// What another test has left when it failed.
async fn clear(cluster: &Cluster) -> Result<()> {
    let kubectl = cluster.kubectl();
    let label = format!("app.kubernetes.io/name={RELEASE}");
    let kinds = "mutatingwebhookconfigurations,clusterroles,clusterrolebindings,flowschemas,\
                 prioritylevelconfigurations,namespaces";
    kubectl.run(&["delete", kinds, "-l", &label, "--ignore-not-found"]).await?;
    kubectl.run(&["delete", "namespace", RELEASE, "--ignore-not-found"]).await?;
    let namespaces = Api::<Namespace>::all(cluster.client().await?);
    eventually("the namespaces of other tests are gone", LIMIT, async || {
        let namespaces = namespaces.list(&ListParams::default()).await?;
        let names = namespaces.iter().map(ResourceExt::name_any);
        let others: Vec<String> =
            names.filter(|name| name != "default" && !name.starts_with("kube-")).collect();
        ensure!(others.is_empty(), "{others:?}");
        Ok(())
    })
    .await
}

/// Gives a user a ClusterRole with these rules, which has their name.
pub(crate) async fn grant(cluster: &Cluster, user: &str, rules: Value) -> Result<()> {
    let (group, labels) = ("rbac.authorization.k8s.io", json!({"kubectl-reload-test": "grant"}));
    let version = format!("{group}/v1");
    let metadata = json!({"name": user, "labels": labels});
    let role = json!({"apiVersion": version, "kind": "ClusterRole", "metadata": metadata, "rules": rules});
    let binding = json!({"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}]});
    cluster.kubectl().apply(&[role, binding]).await
}

/// Takes all of that back.
pub(crate) async fn take_back(cluster: &Cluster) -> Result<()> {
    let label = "kubectl-reload-test=grant";
    cluster.kubectl().run(&["delete", "clusterroles,clusterrolebindings", "-l", label]).await.map(drop)
}

/// Proxies connections (HTTP CONNECT) until the process ends, in whatever runtime tests are.
fn open(socket: PathBuf) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let listener = std::os::unix::net::UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    thread::Builder::new().name("egress".to_owned()).spawn(move || {
        runtime.block_on(async {
            let listener = UnixListener::from_std(listener)?;
            loop {
                let (from, _) = listener.accept().await?;
                tokio::spawn(proxy(from));
            }
            #[expect(unreachable_code, reason = "it says what the block gives")]
            std::io::Result::Ok(())
        })
    })?;
    Ok(())
}

async fn proxy(from: UnixStream) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = String::new();
    // The request's head alone: the rest comes once it is answered.
    while from.read_line(&mut line).await? > 2 && !line.ends_with("\r\n\r\n") {}
    match TcpStream::connect((Ipv4Addr::LOCALHOST, SERVED.load(Ordering::Relaxed))).await {
        Ok(mut to) => {
            from.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            copy_bidirectional(&mut from, &mut to).await.map(drop)
        }
        Err(_) => from.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await,
    }
}

/// The webhook, as one of its pods would run it. Ends when dropped.
pub(crate) struct Server {
    _process: Process,
    _port: Port,
}

impl Server {
    /// Waits until the webhook is installed in this namespace, and runs it.
    pub(crate) async fn start(cluster: &Cluster, namespace: &str) -> Result<Self> {
        Self::start_as(cluster, namespace, None).await
    }

    /// The same, with another account than that of its pods.
    pub(crate) async fn start_as(cluster: &Cluster, namespace: &str, account: Option<&str>) -> Result<Self> {
        let deployments = Api::<Deployment>::namespaced(cluster.client().await?, namespace);
        let deployment =
            eventually("it is installed", LIMIT, async || Ok(deployments.get(RELEASE).await?)).await?;
        let pod = deployment.spec.template.spec.context("no pod")?;
        let account = account.map(str::to_owned).or(pod.service_account_name).context("no account")?;
        let arguments = pod.containers.into_iter().next().and_then(|container| container.args);
        let port = Port::claim()?;
        let listen = format!("--listen=127.0.0.1:{}", port.number());
        let arguments = arguments.context("no arguments")?.into_iter();
        let mut command = Command::new(cluster.binaries().webhook()?);
        command
            .args(arguments.filter(|argument| !argument.starts_with("--listen=")))
            .args([&listen, "--shutdown-delay=0s", "--kubeconfig"])
            .arg(cluster.account_kubeconfig(namespace, &account).await?);
        let log = cluster.folder().join("webhook.log");
        let process = Process::spawn(&command, &Streams::into_file(&log)).await?;
        SERVED.store(port.number(), Ordering::Relaxed);
        Ok(Self { _process: process, _port: port })
    }
}

/// Installs with these arguments, the webhook being there as soon as it may; gives what was written.
pub(crate) async fn install(cluster: &Cluster, arguments: &[&str]) -> Result<(reload_tests::Output, Server)> {
    let namespace = arguments.iter().skip_while(|argument| **argument != "-n").nth(1);
    let arguments = [&["install", "--yes", "--timeout=60s"], arguments].concat();
    let kubectl = cluster.kubectl();
    let (output, server) = tokio::join!(
        kubectl.reload(&arguments),
        Server::start(cluster, namespace.copied().unwrap_or(RELEASE))
    );
    let (output, server) = (output?.success()?, server?);
    ensure!(output.stdout.contains("came back with a record"), "{output}");
    Ok((output, server))
}
