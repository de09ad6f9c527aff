//! The webhook's certificate: until when it holds, and whether the API server trusts it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A certificate as it lies in the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The end of its validity.
    pub(super) expires: Timestamp,
    /// Whether a client with the registration's bundle takes it: if not, why.
    pub(super) trusted: Result<(), String>,
}

impl Certificate {
    /// Reads a chain (PEM), and checks it as the API server does: for `name`, with `bundle` (PEM).
    /// Without a name or a bundle there is nothing to check.
    ///
    /// # Errors
    /// When it is no certificate.
    pub(super) fn of(
        chain: &[u8],
        bundle: Option<&[u8]>,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, String> {
        let chain = certificates(chain)?;
        let leaf = chain.first().ok_or("it holds no certificate")?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|error| error.to_string())?;
        let expires = Timestamp::from_second(parsed.validity().not_after.timestamp());
        let expires = expires.map_err(|error| error.to_string())?;
        let trusted = match (bundle, name) {
            (Some(bundle), Some(name)) => verify(&chain, bundle, name, now),
            _ => Ok(()),
        };
        Ok(Self { expires, trusted })
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn verify(chain: &[CertificateDer<'_>], bundle: &[u8], name: &str, now: Timestamp) -> Result<(), String> {
    let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let (leaf, rest) = chain.split_first().ok_or("it holds no certificate")?;
    let authorities = certificates(bundle)?;
    // The API server takes what it was told to trust itself, were it a CA's.
    if authorities.contains(leaf) {
        let leaf = ParsedCertificate::try_from(leaf).map_err(|error| error.to_string())?;
        return verify_server_name(&leaf, &name).map_err(|error| error.to_string());
    }
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| error.to_string())?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::new(default_provider()))
        .build()
        .map_err(|error| error.to_string())?;
    let seconds = u64::try_from(now.as_second()).map_err(|error| error.to_string())?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let verified = verifier.verify_server_cert(leaf, rest, &name, &[], now);
    verified.map(drop).map_err(|error| error.to_string())
}
