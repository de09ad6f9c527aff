//! A webhook under the chart's account, on a cluster that writes down what accounts ask of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::flowcontrol::v1::FlowSchema;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use reload_tests::helm::{RELEASE, of_kind};
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::RECORD;
use reload_tests::{
    Authority, Cluster, ClusterOptions, Helm, MountedPair, Namespace, Output, Source, Webhook,
    WebhookOptions, Workload, eventually,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::grant::{Request, grants, requests, unused};

/// How long the audit log may lag, and the webhook take to mend its Secret.
const LIMIT: Duration = Duration::from_secs(30);

/// What the local process is told by the tests instead.
const OURS: [&str; 6] = [
    "--listen=",
    "--namespace=",
    "--registration=",
    "--tls-cert-file=",
    "--tls-private-key-file=",
    "--deadline=",
];

/// The registration has one name in a cluster, so that one webhook is installed at a time.
static ONE: Mutex<()> = Mutex::const_new(());

/// The cluster of this suite.
pub(crate) async fn cluster() -> Result<&'static Cluster> {
    static SHARED: OnceCell<Cluster> = OnceCell::const_new();
    SHARED.get_or_try_init(audited).await
}

async fn audited() -> Result<Cluster> {
    let mut options = ClusterOptions::default();
    let folder = std::env::temp_dir().join(format!("kubectl-reload-rights-{}", std::process::id()));
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/rights/audit-policy.yaml");
    for (flag, path) in [("audit-policy-file", policy), ("audit-log-path", log(&folder))] {
        options.flags.push(format!("kube-apiserver={flag}={}", path.display()));
    }
    options.folder = Some(folder);
    Cluster::start(options).await
}

fn log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}

/// A webhook that runs with the rights that the chart gives.
pub(crate) struct Installation<'a> {
    namespace: String,
    manifests: Vec<Value>,
    kubeconfig: PathBuf,
    cluster: &'a Cluster,
    webhook: Webhook,
    _one: MutexGuard<'static, ()>,
}

impl<'a> Installation<'a> {
    /// Installs what the chart gives with these values in a namespace of its own, but for the pods, and
    /// for what cert-manager would see: the webhook is a local process. When this returns, it has made
    /// its Secrets, has once mended one of them, and records pods of these namespaces.
    pub(crate) async fn start(name: &str, seen: &[&Namespace<'a>], values: &[&str]) -> Result<Self> {
        let one = ONE.lock().await;
        let cluster = seen.first().context("it sees no namespace")?.cluster();
        let values = [&["createNamespace=true"], values].concat();
        let manifests = Helm::new(cluster).await?.manifests(name, &values).await?;
        let elsewhere = |manifest: &&Value| {
            let kinds = ["Deployment", "MutatingWebhookConfiguration", "Certificate", "Issuer"];
            !kinds.iter().any(|kind| manifest["kind"] == *kind)
        };
        let (namespace, others): (Vec<_>, Vec<_>) =
            manifests.iter().filter(elsewhere).cloned().partition(|manifest| manifest["kind"] == "Namespace");
        cluster.kubectl().apply(&namespace).await?;
        cluster.kubectl().apply(&others).await?;

        let kubeconfig = cluster.account_kubeconfig(name, RELEASE).await?;
        let namespaces: Vec<_> = seen.iter().map(|ns| ns.name()).collect();
        let mut options = WebhookOptions {
            install_namespace: name.to_owned(),
            kubeconfig: Some(kubeconfig.clone()),
            flags: flags(&manifests)?,
            // Beside other suites.
            timeout_seconds: Some(5),
            ..WebhookOptions::installed(&namespaces)
        };
        options.flags.push("--deadline=4s".to_owned());
        let webhook = match values.contains(&"certificates.source=certManager") {
            true => {
                let authority = Authority::new(name)?;
                let mounted = MountedPair::new(cluster.folder().join(name), &authority.issue(30)?)?;
                options.flags.extend(mounted.flags());
                options.ca_bundle = Some(authority.pem());
                Webhook::start(cluster, options).await?
            }
            false => {
                let mut webhook = Webhook::start(cluster, options).await?;
                garble_certificates(cluster, name).await?;
                webhook.restart().await?;
                webhook
            }
        };
        Ok(Self { namespace: name.to_owned(), manifests, kubeconfig, cluster, webhook, _one: one })
    }

    /// Its Secrets go when its account goes, by whatever that is removed.
    pub(crate) async fn goes_with_its_account(self) -> Result<()> {
        let secrets = Api::<Secret>::namespaced(self.cluster.client().await?, &self.namespace);
        let names = async || -> Result<Vec<String>> {
            let secrets = secrets.list_metadata(&ListParams::default()).await?;
            Ok(secrets.iter().map(ResourceExt::name_any).collect())
        };
        assert_eq!(names().await?, ["kubectl-reload-certificates", "kubectl-reload-hash-key"]);
        self.webhook.uninstall().await?;
        self.cluster.kubectl().namespace(&self.namespace).run(&["delete", "serviceaccount", RELEASE]).await?;
        eventually("its Secrets are gone", LIMIT, async || {
            let left = names().await?;
            ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })
        .await
    }

    /// Asks the doctor as `helm test` does, with the rights that it has then. Gives what it says, and
    /// which of its rights it has not used.
    pub(crate) async fn doctor(&self) -> Result<(Output, Vec<String>)> {
        let tests = Helm::new(self.cluster).await?.tests(&self.namespace).await?;
        let pod = of_kind(&tests, "Pod")?;
        let others: Vec<Value> = tests.iter().filter(|manifest| manifest["kind"] != "Pod").cloned().collect();
        self.cluster.kubectl().apply(&others).await?;
        let arguments = pod.pointer("/spec/containers/0/args").and_then(Value::as_array);
        let arguments: Vec<&str> =
            arguments.context("the Pod has no arguments")?.iter().filter_map(Value::as_str).collect();
        let name = format!("{RELEASE}-doctor");
        let account = format!("system:serviceaccount:{}:{name}", self.namespace);
        let kubeconfig = self.cluster.account_kubeconfig(&self.namespace, &name).await?;
        let output = self.cluster.kubectl().kubeconfig(&kubeconfig).reload(&arguments).await?;
        let log = log(self.cluster.folder());
        let grants = grants(&others)?;
        let asked = eventually("it has asked for the pods", LIMIT, async || {
            let seen = requests(&log, &account)?;
            ensure!(seen.iter().any(|request| request.verb == "list"), "{} requests", seen.len());
            Ok(seen)
        })
        .await?;
        let unused = unused(&grants, &asked, "elsewhere").into_iter();
        Ok((output, unused.map(|grant| format!("{} {}", grant.verb, grant.resource)).collect()))
    }

    /// What a new pod that uses a ConfigMap and a Secret has recorded of them: `settings env`, with
    /// what it uses it for, or `login forbidden`.
    pub(crate) async fn records(&self, ns: &Namespace<'_>) -> Result<Vec<String>> {
        let sources = [config_map("settings", &[("colour", "red")]), secret("login", &[("user", "ada")])];
        ns.apply(sources).await?;
        let shop = Workload::deployment("shop").env("COLOUR", Source::config_map("settings"), "colour");
        ns.deploy([shop.env("USER", Source::secret("login"), "user")]).await?;
        let pods = ns.pods("deployment/shop").await?;
        let pod = pods.first().context("no pod")?;
        let record = pod.annotations().get(RECORD).context("the pod has no record")?;
        let record: Value = serde_json::from_str(record)?;
        let sources = record["sources"].as_array().into_iter().flatten();
        Ok(sources
            .map(|source| {
                let how = source["unread"].as_str().or(source.get("env").map(|_| "env"));
                format!("{} {}", source["name"].as_str().unwrap_or_default(), how.unwrap_or_default())
            })
            .collect())
    }

    /// Whether it may.
    pub(crate) async fn may(&self, verb: &str, resource: &str, namespace: &str) -> Result<bool> {
        let kubectl = self.cluster.kubectl().namespace(namespace);
        let account = format!("--as={}", self.account());
        let output = kubectl.output(&["auth", "can-i", verb, resource, &account]).await?;
        match output.stdout.trim() {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(anyhow::anyhow!("{output}")),
        }
    }

    /// Its requests are classified by the chart's FlowSchema.
    pub(crate) async fn uses_its_flow_schema(&self) -> Result<()> {
        let schema = Api::<FlowSchema>::all(self.cluster.client().await?).get(RELEASE).await?;
        let schema = schema.uid().context("no uid")?;
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        eventually("the FlowSchema is in force", LIMIT, async || {
            let request = http::Request::get("/version").body(kube::client::Body::empty())?;
            let response = client.send(request).await?;
            let seen = response.headers().get("x-kubernetes-pf-flowschema-uid");
            ensure!(seen.is_some_and(|seen| *seen == *schema), "{seen:?}, not {schema}");
            Ok(())
        })
        .await
    }

    /// Nothing that it asked was denied, and it has asked for all that it was granted.
    pub(crate) async fn uses_all_that_it_may(&self) -> Result<()> {
        let log = log(self.cluster.folder());
        let grants = grants(&self.manifests)?;
        ensure!(grants.len() > 3, "{} grants were found only", grants.len());
        let seen = eventually("each right has been used", LIMIT, async || {
            let seen = requests(&log, &self.account())?;
            let left = unused(&grants, &seen, &self.namespace);
            ensure!(left.is_empty(), "not used: take them out of the chart: {left:#?}");
            Ok(seen)
        })
        .await?;
        let denied: Vec<_> = seen.iter().filter(|request| request.is_denied()).map(line).collect();
        ensure!(denied.is_empty(), "denied: {denied:#?}");
        Ok(())
    }

    fn account(&self) -> String {
        format!("system:serviceaccount:{}:{RELEASE}", self.namespace)
    }
}

fn line(request: &Request) -> String {
    format!("{} {}", request.verb, request.uri)
}

/// The flags that the chart's Deployment gives.
fn flags(manifests: &[Value]) -> Result<Vec<String>> {
    let deployment = of_kind(manifests, "Deployment")?;
    let arguments = deployment.pointer("/spec/template/spec/containers/0/args");
    let arguments = arguments.and_then(Value::as_array).context("the Deployment has no arguments")?;
    let arguments = arguments.iter().filter_map(Value::as_str);
    let theirs = arguments.filter(|flag| !OURS.iter().any(|ours| flag.starts_with(ours)));
    Ok(theirs.map(str::to_owned).collect())
}

/// What it cannot read, the webhook has to make anew.
async fn garble_certificates(cluster: &Cluster, namespace: &str) -> Result<()> {
    let secrets = Api::<Secret>::namespaced(cluster.client().await?, namespace);
    let garbage = json!({"stringData": {"tls.crt": "garbage"}});
    let name = format!("{RELEASE}-certificates");
    secrets.patch(&name, &PatchParams::default(), &Patch::Merge(garbage)).await?;
    Ok(())
}
