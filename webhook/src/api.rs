//! The API server: live GETs of single sources, and whether it answers at all.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use reload_core::record::Unread;
use reload_core::source::{Source, SourceId};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::breaker::Outcome;
use crate::server_clock::ServerClock;

/// The largest answer that is read, in bytes. The API server keeps objects under 1.5 MiB; base64
/// and the copy in an annotation add to it.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Which cluster.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// Namespace of the installation: it holds the hash key and the certificates.
    #[arg(long, env = "KUBECTL_RELOAD_NAMESPACE", default_value = "kubectl-reload", value_parser = namespace)]
    pub(crate) namespace: String,

    /// Kubeconfig file; without it KUBECONFIG, ~/.kube/config or the pod's service account.
    #[arg(long, env = "KUBECTL_RELOAD_KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

fn namespace(text: &str) -> Result<String, String> {
    match is_namespace(text) {
        true => Ok(text.to_owned()),
        false => Err("a namespace has 1 to 63 lower-case letters, digits and inner hyphens".to_owned()),
    }
}

/// Whether this is a DNS label (RFC 1123), as a namespace's name has to be. Anything else has no
/// place in a path.
pub(crate) fn is_namespace(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A client of that cluster, which connects within `timeout` and repeats nothing by itself: its
/// default is to wait out 429 and 503, for minutes.
pub(crate) async fn client(args: &ClusterArgs, timeout: Duration) -> anyhow::Result<Client> {
    let mut config = match &args.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path)
                .with_context(|| format!("cannot read --kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .context("--kubeconfig")?
        }
        None => Config::infer().await.context(
            "no cluster to connect to: run in a pod with a service account, or name a kubeconfig file by --kubeconfig",
        )?,
    };
    config.connect_timeout = Some(timeout);
    config.default_retry = false;
    Client::try_from(config).context("cannot make a client of the kubeconfig")
}

/// A GET that brought no source, nor that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("no answer in time")]
    Timeout,
    #[error("the webhook's service account has no right to `get` it")]
    Forbidden,
    #[error("the API server has too much to do (429)")]
    TooManyRequests,
    #[error("the API server answered {0}")]
    Status(u16),
    #[error("the connection to the API server failed")]
    Connection,
    #[error("the answer is longer than any source")]
    TooLong,
    #[error("the answer is no such object")]
    Malformed,
}

impl ReadError {
    /// As records have it.
    pub(crate) fn unread(self) -> Unread {
        match self {
            Self::Timeout => Unread::Timeout,
            Self::Forbidden => Unread::Forbidden,
            Self::TooManyRequests => Unread::Overload,
            Self::Status(_) | Self::Connection | Self::TooLong | Self::Malformed => Unread::Error,
        }
    }

    /// As the breaker has it.
    fn outcome(self) -> Outcome {
        match self {
            Self::Timeout | Self::TooManyRequests | Self::Connection | Self::Status(500..) => {
                Outcome::Failed(self.unread())
            }
            Self::Forbidden | Self::Status(_) | Self::TooLong | Self::Malformed => Outcome::Answered,
        }
    }
}

/// Reads with the right `get` alone, and takes the time from the answers.
pub(crate) struct ApiServer {
    client: Client,
    clock: Arc<ServerClock>,
    timeout: Duration,
    answered: Mutex<Option<Instant>>,
}

impl ApiServer {
    /// No request takes longer than `timeout`.
    pub(crate) fn new(client: Client, clock: Arc<ServerClock>, timeout: Duration) -> Self {
        Self { client, clock, timeout, answered: Mutex::default() }
    }

    /// When it answered last, be it with an error.
    pub(crate) fn answered_at(&self) -> Option<Instant> {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The source as it is now, `None` where it does not exist.
    pub(crate) async fn get(&self, namespace: &str, source: &SourceId) -> Result<Option<Source>, ReadError> {
        let path = format!("/api/v1/namespaces/{namespace}/{}/{}", source.kind.plural(), source.name);
        let got = tokio::time::timeout(self.timeout, async {
            let response = self.send(&path).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(None),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(ReadError::Forbidden),
                StatusCode::TOO_MANY_REQUESTS => return Err(ReadError::TooManyRequests),
                status => return Err(ReadError::Status(status.as_u16())),
            }
            let json = read(response).await?;
            Source::parse(source.kind, &json).map(Some).map_err(|_| ReadError::Malformed)
        });
        got.await.unwrap_or(Err(ReadError::Timeout))
    }

    /// What a GET says of the API server: one that took more than two thirds of the longest that
    /// is waited counts as failed.
    pub(crate) fn outcome<T>(&self, got: &Result<T, ReadError>, took: Duration) -> Outcome {
        match got {
            Err(error) => error.outcome(),
            Ok(_) if took * 3 > self.timeout * 2 => Outcome::Failed(Unread::Timeout),
            Ok(_) => Outcome::Answered,
        }
    }

    /// A request that concerns no namespace, which every authenticated account may make.
    pub(crate) async fn ping(&self) -> Outcome {
        let start = Instant::now();
        let answer = tokio::time::timeout(self.timeout, self.send("/readyz")).await;
        let answer = match answer {
            Ok(Ok(response)) if response.status().is_server_error() => {
                Err(ReadError::Status(response.status().as_u16()))
            }
            Ok(Ok(response)) if response.status() == StatusCode::TOO_MANY_REQUESTS => {
                Err(ReadError::TooManyRequests)
            }
            Ok(answer) => answer.map(drop),
            Err(_) => Err(ReadError::Timeout),
        };
        self.outcome(&answer, start.elapsed())
    }

    /// Sends a GET, and once more where the connection failed: one from before, that the other side
    /// has closed meanwhile, fails at its next use.
    async fn send(&self, path: &str) -> Result<http::Response<Body>, ReadError> {
        let mut tries = 0;
        loop {
            let request = http::Request::get(path).body(Body::empty());
            let request = request.map_err(|_| ReadError::Malformed)?;
            // Not the client's typed GET: it prints an answer that it cannot parse.
            match self.client.send(request).await {
                Ok(response) => {
                    self.clock.observe(response.headers());
                    *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                    return Ok(response);
                }
                Err(error) if tries == 0 => tracing::debug!(%error, "the connection failed"),
                Err(error) => {
                    tracing::debug!(%error, "the connection failed again");
                    return Err(ReadError::Connection);
                }
            }
            tries += 1;
        }
    }
}

/// The body, wiped from memory when it is dropped, and so is each place that it outgrows.
async fn read(response: http::Response<Body>) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let told = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let capacity: usize = told.unwrap_or(8 * 1024).min(MAX_ANSWER);
    let mut json = Zeroizing::new(Vec::with_capacity(capacity));
    let mut body = Limited::new(response.into_body(), MAX_ANSWER);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => ReadError::TooLong,
            false => ReadError::Connection,
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if json.capacity() < json.len() + data.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((json.len() + data.len()) * 2));
            larger.extend_from_slice(&json);
            json = larger;
        }
        json.extend_from_slice(&data);
    }
    Ok(json)
}
