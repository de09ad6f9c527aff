//! The connection to a cluster, by kubectl's own flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kube::config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// kubectl's flags that choose the cluster and who asks.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct ConnectionArgs {
    /// Kubeconfig file to use [default: $KUBECONFIG, then ~/.kube/config].
    #[arg(long)]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one].
    #[arg(long)]
    context: Option<String>,

    /// Cluster of the kubeconfig [default: the context's].
    #[arg(long)]
    cluster: Option<String>,

    /// User of the kubeconfig [default: the context's].
    #[arg(long)]
    user: Option<String>,

    /// User to impersonate.
    #[arg(long = "as", value_name = "USER")]
    impersonate: Option<String>,

    /// Group to impersonate; may be given more than once.
    #[arg(long = "as-group", value_name = "GROUP")]
    impersonate_groups: Vec<String>,

    /// How long a single request may take, as 30s; 0 for as long as it takes.
    #[arg(long, default_value = "0", value_parser = parse_timeout)]
    request_timeout: Timeout,
}

/// A time limit; zero is none.
#[derive(Debug, Clone, Copy, Default)]
struct Timeout(Option<Duration>);

fn parse_timeout(text: &str) -> Result<Timeout, String> {
    let text = if text.chars().all(|c| c.is_ascii_digit()) { format!("{text}s") } else { text.to_owned() };
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "write a number and a unit, as 30s or 2m".to_owned())?;
    let duration = Duration::try_from(duration).map_err(|_| "must not be negative".to_owned())?;
    Ok(Timeout((!duration.is_zero()).then_some(duration)))
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// No file, or one that does not fit.
    #[error(
        "cannot use the kubeconfig: {0}. Check --kubeconfig, $KUBECONFIG and --context with: kubectl config view"
    )]
    Kubeconfig(#[source] KubeconfigError),
    /// Neither a kubeconfig nor a service account.
    #[error("no cluster to connect to ({}): name a kubeconfig file by --kubeconfig or $KUBECONFIG", cause(.0))]
    Nothing(#[source] Box<InferConfigError>),
    /// It cannot be made a client of.
    #[error("cannot make a connection of the kubeconfig: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// What is wrong with the kubeconfig; that there is no service account goes without saying.
fn cause(error: &InferConfigError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// A cluster, and the namespace that the kubeconfig's context names.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl ConnectionArgs {
    /// Reads the kubeconfig and makes a client; nothing is sent yet.
    pub(crate) async fn connect(&self) -> Result<Connection, ConnectionError> {
        let mut config = self.config().await?;
        if let Some(user) = &self.impersonate {
            config.auth_info.impersonate = Some(user.clone());
        }
        if !self.impersonate_groups.is_empty() {
            config.auth_info.impersonate_groups = Some(self.impersonate_groups.clone());
        }
        if let Some(limit) = self.request_timeout.0 {
            config.connect_timeout = Some(limit);
            config.read_timeout = Some(limit);
        }
        let namespace = config.default_namespace.clone();
        let client = Client::try_from(config).map_err(|error| ConnectionError::Client(Box::new(error)))?;
        Ok(Connection { client, namespace })
    }

    async fn config(&self) -> Result<Config, ConnectionError> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
        };
        let chosen = self.context.is_some() || self.cluster.is_some() || self.user.is_some();
        let result = match &self.kubeconfig {
            Some(path) => match Kubeconfig::read_from(path) {
                Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
                Err(error) => Err(error),
            },
            None if chosen => Config::from_kubeconfig(&options).await,
            // As kubectl does: the kubeconfig, then the pod's service account.
            None => {
                return Config::infer().await.map_err(|error| ConnectionError::Nothing(Box::new(error)));
            }
        };
        result.map_err(ConnectionError::Kubeconfig)
    }
}
