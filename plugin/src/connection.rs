//! The connection to a cluster, by kubectl's own flags.

mod credentials;
mod kubeconfig;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kube::config::{InClusterError, KubeConfigOptions};
use kube::{Client, Config};

pub(crate) use credentials::auth_cause;
use kubeconfig::Files;

use crate::scope::parse_namespace;

/// kubectl's flags that choose the cluster and who asks; before or after the command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct ConnectionArgs {
    /// Namespace to look at [default: the context's].
    #[arg(short, long, global = true, value_parser = parse_namespace)]
    pub(crate) namespace: Option<String>,

    /// Kubeconfig file to use [default: the files of $KUBECONFIG, then ~/.kube/config].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one].
    #[arg(long, global = true)]
    pub(crate) context: Option<String>,

    /// Cluster of the kubeconfig [default: the context's].
    #[arg(long, global = true)]
    cluster: Option<String>,

    /// User of the kubeconfig [default: the context's].
    #[arg(long, global = true)]
    user: Option<String>,

    /// User to impersonate.
    #[arg(long = "as", global = true, value_name = "USER")]
    impersonate: Option<String>,

    /// Group to impersonate; may be given more than once.
    #[arg(long = "as-group", global = true, value_name = "GROUP", requires = "impersonate")]
    impersonate_groups: Vec<String>,

    /// Uid to impersonate.
    #[arg(long = "as-uid", global = true, value_name = "UID", requires = "impersonate")]
    impersonate_uid: Option<String>,

    /// How long a single request may take, as 30s; 0 for as long as it takes.
    #[arg(long, global = true, default_value = "0", value_parser = parse_timeout)]
    request_timeout: Timeout,

    /// Address of the API server [default: the kubeconfig's].
    #[arg(short, long, global = true, value_name = "URL", value_parser = parse_server)]
    server: Option<http::Uri>,

    /// Bearer token to log in with, in place of the kubeconfig's credentials.
    #[arg(long, global = true, hide_env_values = true)]
    token: Option<Token>,

    /// File of the certificate authority of the API server.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "insecure_skip_tls_verify")]
    certificate_authority: Option<PathBuf>,

    /// Name to check the certificate of the API server for [default: its host].
    #[arg(long, global = true, value_name = "NAME")]
    tls_server_name: Option<String>,

    /// Do not check the certificate of the API server: anyone may pose as it.
    #[arg(long, global = true)]
    insecure_skip_tls_verify: bool,

    /// Do not ask for compressed answers; it is not asked for them anyway where the API server is on
    /// this machine.
    #[arg(long, global = true)]
    disable_compression: bool,
}

/// A token, which is never shown.
#[derive(Clone)]
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
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

fn parse_server(text: &str) -> Result<http::Uri, String> {
    let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let uri = url.parse::<http::Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    uri.ok_or_else(|| "write an address as https://HOST:PORT".to_owned())
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// No file, or one that does not fit.
    #[error(
        "cannot use the kubeconfig: {0}. Check --kubeconfig, $KUBECONFIG and --context with: kubectl config view"
    )]
    Kubeconfig(String),
    /// Neither a kubeconfig nor a service account.
    #[error("no cluster to connect to ({0}): name a kubeconfig file by --kubeconfig or $KUBECONFIG")]
    Nothing(String),
    /// The service account's files are not as they should be.
    #[error("cannot use this pod's service account: {0}")]
    InCluster(#[source] InClusterError),
    /// A file that a flag names.
    #[error("cannot read {flag} {path}: {error}", path = .path.display())]
    File { flag: &'static str, path: PathBuf, error: std::io::Error },
    /// It cannot be made a client of.
    #[error("cannot make a connection of the kubeconfig: {}", credentials::client_cause(.0))]
    Client(#[source] Box<kube::Error>),
}

/// A cluster, and the namespace that a flag or the kubeconfig's context names.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl ConnectionArgs {
    /// Reads the kubeconfig and makes a client; nothing is sent yet.
    pub(crate) async fn connect(&self) -> Result<Connection, ConnectionError> {
        self.connect_with(|_| {}).await
    }

    /// The same, for requests whose refusal is an answer: the client would try those with 429 again
    /// and again, for minutes.
    pub(crate) async fn connect_without_retries(&self) -> Result<Connection, ConnectionError> {
        self.connect_with(|config| config.default_retry = false).await
    }

    async fn connect_with(&self, adjust: impl FnOnce(&mut Config)) -> Result<Connection, ConnectionError> {
        let mut config = self.config().await?;
        self.apply(&mut config)?;
        adjust(&mut config);
        let given = self.namespace.clone().filter(|namespace| !namespace.is_empty());
        // As kubectl takes a context of no namespace.
        let of_context = Some(config.default_namespace.clone()).filter(|namespace| !namespace.is_empty());
        let namespace = given.or(of_context).unwrap_or_else(|| "default".to_owned());
        let client = Client::try_from(config).map_err(|error| ConnectionError::Client(Box::new(error)))?;
        Ok(Connection { client, namespace })
    }

    /// The files that may say which clusters there are.
    pub(crate) fn files(&self) -> Files {
        Files::of(self.kubeconfig.as_deref())
    }

    /// As kubectl does: the kubeconfig where it names a cluster, then the pod's service account.
    async fn config(&self) -> Result<Config, ConnectionError> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
        };
        let chosen = self.kubeconfig.is_some() || self.context.is_some();
        let chosen = chosen || self.cluster.is_some() || self.user.is_some();
        let files = self.files();
        let kubeconfig = match files.read() {
            Ok(kubeconfig) => kubeconfig,
            Err(error) if chosen => return Err(ConnectionError::Kubeconfig(error.to_string())),
            Err(error) => return Err(ConnectionError::Nothing(error.to_string())),
        };
        let current = kubeconfig.current_context.as_ref().is_some_and(|context| !context.is_empty());
        if current || chosen {
            let kubeconfig = kubeconfig::complete(kubeconfig, &options, self.server.as_ref());
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            return config.map_err(|error| ConnectionError::Kubeconfig(kubeconfig::cause(&error)));
        }
        match Config::incluster() {
            Ok(config) => Ok(config),
            Err(InClusterError::ReadEnvironmentVariable(_)) => match &self.server {
                Some(server) => Ok(Config::new(server.clone())),
                None => Err(ConnectionError::Nothing(format!("no current context in {files}"))),
            },
            Err(error) => Err(ConnectionError::InCluster(error)),
        }
    }

    /// What is given by flags stands before what files say.
    fn apply(&self, config: &mut Config) -> Result<(), ConnectionError> {
        if let Some(server) = &self.server {
            config.cluster_url = server.clone();
        }
        if let Some(path) = &self.certificate_authority {
            // The client says nothing of a file that it cannot read.
            std::fs::File::open(path).map_err(|error| ConnectionError::File {
                flag: "--certificate-authority",
                path: path.clone(),
                error,
            })?;
            config.root_cert_file = Some(path.clone());
        }
        config.disable_compression |= self.disable_compression || is_here(&config.cluster_url);
        config.accept_invalid_certs |= self.insecure_skip_tls_verify;
        if let Some(name) = &self.tls_server_name {
            config.tls_server_name = Some(name.clone());
        }
        if let Some(Token(token)) = &self.token {
            credentials::use_token(&mut config.auth_info, token);
        }
        let auth = &mut config.auth_info;
        if let Some(user) = &self.impersonate {
            auth.impersonate = Some(user.clone());
        }
        if !self.impersonate_groups.is_empty() {
            auth.impersonate_groups = Some(self.impersonate_groups.clone());
        }
        if let Some(uid) = &self.impersonate_uid {
            auth.impersonate_uid = Some(uid.clone());
        }
        if let Some(limit) = self.request_timeout.0 {
            config.connect_timeout = Some(limit);
            config.read_timeout = Some(limit);
            // It counts from the request, and not from when its connection was last used.
            config.reset_reader_on_write = true;
        }
        Ok(())
    }
}

/// Whether an address is this machine's own: there compressing takes longer than sending.
fn is_here(url: &http::Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_host_and_may_lack_the_scheme() {
        for (text, url) in [
            ("127.0.0.1:6443", "https://127.0.0.1:6443/"),
            ("http://localhost:8080", "http://localhost:8080/"),
            ("https://api.example.com/k8s/c1", "https://api.example.com/k8s/c1"),
        ] {
            assert_eq!(parse_server(text).unwrap().to_string(), url, "{text}");
        }
        for text in ["", "https://", "a b"] {
            assert!(parse_server(text).unwrap_err().contains("https://HOST:PORT"), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        for (url, here) in [
            ("https://127.0.0.1:6443/", true),
            ("https://[::1]:6443/", true),
            ("https://localhost", true),
            ("https://10.0.0.1/", false),
            ("https://localhost.example.com/", false),
        ] {
            assert_eq!(is_here(&url.parse().unwrap()), here, "{url}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let args = ConnectionArgs { token: Some(Token("sesame".to_owned())), ..ConnectionArgs::default() };
        assert!(!format!("{args:?}").contains("sesame"));
    }
}
