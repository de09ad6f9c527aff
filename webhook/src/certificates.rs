//! The serving certificate: the webhook's own, or one in files.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum_server::tls_rustls::RustlsConfig;
use kube::Client;
use reload_certs::{Account, Event, FileCertificates, Name, Names, OwnCertificates, Serving, Settings};
use reload_core::source::SourceId;

use crate::args::parse_long;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::server_clock::ServerClock;

/// How long to wait between tries to obtain the first certificate.
const RETRY: Duration = Duration::from_secs(1);

/// Where the certificate comes from.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Certificates")]
pub(crate) struct CertificateArgs {
    /// Names and addresses on the serving certificate [default: the Service of the installation].
    #[arg(long = "hostname", env = "KUBECTL_RELOAD_HOSTNAME", value_delimiter = ',')]
    hostnames: Vec<Name>,

    /// Secret of the installation's namespace that keeps the CA and the serving certificate.
    #[arg(long, env = "KUBECTL_RELOAD_CERTIFICATES", default_value = "kubectl-reload-certificates", value_parser = parse_name)]
    certificates: String,

    /// MutatingWebhookConfiguration that is given the CA bundle.
    #[arg(long, env = "KUBECTL_RELOAD_REGISTRATION", default_value = "zz-kubectl-reload", value_parser = parse_name)]
    registration: String,

    /// Life of the CA, in hours; its successor is published and takes over before its end.
    #[arg(long, env = "KUBECTL_RELOAD_CA_LIFE", default_value = "87600h", value_parser = parse_long)]
    ca_life: Duration,

    /// Life of the serving certificate; it is renewed at two thirds of it.
    #[arg(long, env = "KUBECTL_RELOAD_CERTIFICATE_LIFE", default_value = "8760h", value_parser = parse_long)]
    certificate_life: Duration,

    /// How long two CAs are trusted, before and after the one takes over from the other.
    #[arg(long, env = "KUBECTL_RELOAD_CA_OVERLAP", default_value = "1h", value_parser = parse_long)]
    ca_overlap: Duration,

    /// PEM file of a certificate chain, serving certificate first, to serve with instead of an own CA,
    /// as cert-manager writes them; read again every ten seconds. Neither the Secret nor the
    /// registration is touched then.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_TLS_CERT_FILE",
        requires = "tls_private_key_file",
        conflicts_with_all = ["hostnames", "certificates", "registration", "ca_life", "certificate_life", "ca_overlap"]
    )]
    tls_cert_file: Option<PathBuf>,

    /// PEM file of its private key.
    #[arg(long, env = "KUBECTL_RELOAD_TLS_PRIVATE_KEY_FILE", requires = "tls_cert_file")]
    tls_private_key_file: Option<PathBuf>,
}

/// A name that an object can have: the API server asks the same of Secrets and of registrations.
fn parse_name(text: &str) -> Result<String, String> {
    match SourceId::secret(text).is_valid() {
        true => Ok(text.to_owned()),
        false => Err("write an object's name: lower-case letters, digits, - and .".to_owned()),
    }
}

/// Whatever keeps the certificate.
pub(crate) enum Certificates {
    /// A CA of the webhook's own.
    Own(Box<OwnCertificates>),
    /// Something else that writes files.
    Files(FileCertificates),
}

impl Certificates {
    /// # Errors
    /// Flags that do not go together.
    pub(crate) fn new(args: &CertificateArgs, client: &Client, namespace: &str) -> anyhow::Result<Self> {
        if let (Some(chain), Some(key)) = (&args.tls_cert_file, &args.tls_private_key_file) {
            return Ok(Self::Files(FileCertificates::new(chain, key)));
        }
        let names = match args.hostnames.is_empty() {
            true => vec![format!("kubectl-reload-webhook.{namespace}.svc").parse().context("--namespace")?],
            false => args.hostnames.clone(),
        };
        let names = Names::new(names).context("--hostname")?;
        let settings = Settings::new(args.ca_life, args.certificate_life, args.ca_overlap)
            .context("--ca-life, --certificate-life, --ca-overlap")?;
        let registration = Some(args.registration.clone());
        let own = OwnCertificates::new(client.clone(), namespace, &args.certificates, names, registration);
        let account = Account::new(client.clone(), namespace);
        Ok(Self::Own(Box::new(own.with_settings(settings).owned_by(account))))
    }

    /// The first certificate: of an own CA once there is one, of files at once.
    ///
    /// # Errors
    /// Files that cannot be served.
    pub(crate) async fn first(&self, clock: &ServerClock) -> anyhow::Result<Serving> {
        let own = match self {
            Self::Files(files) => return Ok(files.load(clock.now())?),
            Self::Own(own) => own,
        };
        loop {
            match own.ensure(clock.now()).await {
                Ok(serving) => return Ok(serving),
                Err(error) => {
                    tracing::error!("no certificate to serve yet: {:#}", anyhow::Error::new(error));
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Keeps what is served current. Never ends.
    pub(crate) async fn keep(self, first: Serving, served: Served, clock: Arc<ServerClock>) -> Infallible {
        let now = move || clock.now();
        match self {
            Self::Own(own) => own.run(first, now, move |event| served.take(event)).await,
            Self::Files(files) => files.run(first, now, move |event| served.take(event)).await,
        }
    }
}

/// Who is told of the certificate that is served.
pub(crate) struct Served {
    pub(crate) tls: RustlsConfig,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Served {
    /// Tells of a certificate, without serving it.
    pub(crate) fn tell(&self, serving: &Serving) {
        self.health.serves(serving.not_before, serving.not_after);
        let ca_not_after = serving.ca_not_after.map(jiff::Timestamp::as_second);
        self.metrics.set_certificate(serving.not_after.as_second(), ca_not_after);
    }

    fn take<E: std::error::Error + Send + Sync + 'static>(&self, event: Event<E>) {
        match event {
            Event::Changed(serving) => {
                tracing::info!(not_after = %serving.not_after, "serving a new certificate");
                self.tell(&serving);
                self.tls.reload_from_config(serving.config);
            }
            Event::Unchanged(serving) => self.tell(&serving),
            Event::Failed { error, retry_in } => {
                let error = anyhow::Error::new(error);
                tracing::error!(?retry_in, "{error:#}; the last certificate goes on being served");
            }
        }
    }
}
