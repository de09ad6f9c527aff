//! A certificate and what is read from it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::names::Name;

/// The instants between which a certificate counts, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: Timestamp,
    /// The last second.
    pub not_after: Timestamp,
}

impl Validity {
    /// Whether the certificate counts at this instant.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// A parsed X.509 certificate. Holds nothing secret.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    validity: Validity,
    names: BTreeSet<Name>,
    is_ca: bool,
    public_key: Vec<u8>,
}

/// Bytes that are not the certificate that they should be.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The text is not well-formed PEM.
    #[error("the certificates are not well-formed PEM")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// A PEM section holds no X.509 certificate.
    #[error("a certificate section does not hold an X.509 certificate")]
    X509(#[from] x509_parser::nom::Err<x509_parser::error::X509Error>),
    /// A date that no calendar holds.
    #[error("a certificate's dates are out of range")]
    Date(#[from] jiff::Error),
}

impl Certificate {
    /// Reads one certificate from DER.
    ///
    /// # Errors
    /// [`CertificateError`] where the bytes are no certificate.
    pub fn from_der(der: CertificateDer<'static>) -> Result<Self, CertificateError> {
        let (_, x509) = X509Certificate::from_der(&der)?;
        let validity = Validity {
            not_before: Timestamp::from_second(x509.validity().not_before.timestamp())?,
            not_after: Timestamp::from_second(x509.validity().not_after.timestamp())?,
        };
        let names = subject_names(&x509);
        let is_ca = x509.is_ca();
        let public_key = x509.public_key().raw.to_vec();
        Ok(Self { der, validity, names, is_ca, public_key })
    }

    /// Reads every certificate of a PEM text, in its order; other sections are skipped.
    ///
    /// # Errors
    /// [`CertificateError`] for the first that cannot be read. No certificate is no error.
    pub fn list_from_pem(pem: &[u8]) -> Result<Vec<Self>, CertificateError> {
        CertificateDer::pem_slice_iter(pem).map(|der| Self::from_der(der?)).collect()
    }

    /// The certificate as a PEM section.
    pub fn to_pem(&self) -> String {
        crate::pem::encode("CERTIFICATE", &self.der).to_string()
    }

    /// The encoded certificate.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// When it counts.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The DNS names and addresses it is for; other kinds of names are left out.
    pub fn names(&self) -> &BTreeSet<Name> {
        &self.names
    }

    /// Whether its basic constraints say that it may sign others.
    pub fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// The encoded SubjectPublicKeyInfo.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether the given CA signed this certificate: by name and by signature. Says nothing of
    /// dates.
    pub fn is_signed_by(&self, ca: &Self) -> bool {
        let (Ok((_, leaf)), Ok((_, ca_x509))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&ca.der))
        else {
            return false;
        };
        ca.is_ca
            && leaf.issuer().as_raw() == ca_x509.subject().as_raw()
            && leaf.verify_signature(Some(ca_x509.public_key())).is_ok()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

/// The certificates as one PEM text, in the given order.
pub fn bundle<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates.into_iter().map(Certificate::to_pem).collect()
}

fn subject_names(x509: &X509Certificate<'_>) -> BTreeSet<Name> {
    let Ok(Some(extension)) = x509.subject_alternative_name() else {
        return BTreeSet::new();
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(dns) => Some(Name::Dns(dns.to_ascii_lowercase())),
            GeneralName::IPAddress(bytes) => address(bytes).map(Name::Ip),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}
