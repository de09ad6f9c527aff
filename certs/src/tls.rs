//! A certificate chain and its key, made into a server's configuration.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::{InconsistentKeys, ServerConfig};

use crate::certificate::{Certificate, CertificateError, Validity};
use crate::inject::Injection;

/// What the webhook serves with. New connections take the configuration that is current when
/// they begin; those that exist keep theirs.
#[derive(Clone, Debug)]
pub struct Serving {
    /// For the TLS listener; offers HTTP/1.1 alone, by which the API server calls webhooks.
    pub config: Arc<ServerConfig>,
    /// The serving certificate and those that came with it, in the order in which they are sent.
    pub chain: Vec<CertificateDer<'static>>,
    /// The serving certificate's first instant.
    pub not_before: Timestamp,
    /// The serving certificate's last instant.
    pub not_after: Timestamp,
    /// The last instant of the CA that signed it, where that is the webhook's own.
    pub ca_not_after: Option<Timestamp>,
    /// What became of the CA bundle in the webhook's registration.
    pub injection: Injection,
}

/// A pair that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate text holds no certificate.
    #[error(
        "there is no certificate in the chain's PEM text: give the serving certificate, then the \
         intermediate ones"
    )]
    NoCertificate,
    /// The key text holds no key.
    #[error(
        "there is no private key in the key's PEM text: give an unencrypted key in PKCS #8, \
         PKCS #1 or SEC 1 form"
    )]
    NoKey,
    /// A certificate cannot be read.
    #[error("the chain cannot be read: write it anew")]
    Chain(#[from] CertificateError),
    /// The key text cannot be read. What it holds is not repeated here.
    #[error("the private key is not well-formed PEM: write it anew")]
    Key,
    /// Key and certificate are not a pair.
    #[error(
        "the private key does not fit the first certificate of the chain: write both anew, the \
         serving certificate first"
    )]
    Mismatch,
    /// It has expired.
    #[error("the certificate expired at {not_after}: renew it, or check the clock of this host")]
    Expired {
        /// Its last instant.
        not_after: Timestamp,
    },
    /// It is for later.
    #[error("the certificate is not valid before {not_before}: check the clock of this host")]
    NotYetValid {
        /// Its first instant.
        not_before: Timestamp,
    },
    /// rustls refuses it for another reason.
    #[error("the certificate cannot be served: give an ECDSA, RSA or Ed25519 pair")]
    Rustls(#[from] rustls::Error),
}

impl Serving {
    /// Makes a configuration from a chain (any length, serving certificate first) and its key,
    /// both PEM, and checks that they can be served at `now`.
    ///
    /// # Errors
    /// [`TlsError`] with the remedy.
    pub fn from_pem(chain: &[u8], key: &[u8], now: Timestamp) -> Result<Self, TlsError> {
        let certificates = Certificate::list_from_pem(chain)?;
        let leaf = certificates.first().ok_or(TlsError::NoCertificate)?;
        let validity = leaf.validity();
        let chain: Vec<_> = certificates.iter().map(|c| c.der().clone()).collect();
        let key = private_key(key)?;
        let config = config(chain.clone(), key)?;
        check(validity, now)?;
        Ok(Self {
            config: Arc::new(config),
            chain,
            not_before: validity.not_before,
            not_after: validity.not_after,
            ca_not_after: None,
            injection: Injection::Unmanaged,
        })
    }

    /// Whether both serve the same chain. A certificate names its key, so the keys are the same.
    pub fn is_same_pair(&self, other: &Self) -> bool {
        self.chain == other.chain
    }

    /// Whether the certificate can be served at this instant.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey,
        _ => TlsError::Key,
    })
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch,
            other => TlsError::Rustls(other),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn check(validity: Validity, now: Timestamp) -> Result<(), TlsError> {
    let Validity { not_before, not_after } = validity;
    if now > not_after {
        return Err(TlsError::Expired { not_after });
    }
    if now < not_before {
        return Err(TlsError::NotYetValid { not_before });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
