//! Making certificates: a CA, and serving certificates signed by it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SanType,
};

use crate::certificate::{Certificate, CertificateError, Validity};
use crate::key::{KeyError, PrivateKey};
use crate::names::{Name, Names};

/// How far back a certificate's validity begins, so that a host whose clock is behind accepts it
/// at once.
pub const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// A certificate and its private key.
#[derive(Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: PrivateKey,
}

/// A certificate that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// No key for it, or none of the CA.
    #[error("no certificate can be issued without a key")]
    Key(#[from] KeyError),
    /// Signing failed.
    #[error("the certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// What was made cannot be read back.
    #[error("the certificate that was made cannot be read")]
    Read(#[from] CertificateError),
    /// The dates do not fit the format.
    #[error("the validity from {from} on is out of range: check the clock of this host")]
    Date {
        /// The instant it was to be issued at.
        from: Timestamp,
    },
}

/// Makes a CA that is valid for `life` from `now` on: ECDSA P-256, may sign certificates and CRLs
/// and nothing below other CAs.
///
/// # Errors
/// [`IssueError`] where the system gives no randomness, or the dates are out of range.
pub fn issue_ca(now: Timestamp, life: Duration) -> Result<Pair, IssueError> {
    let key = PrivateKey::generate()?;
    let not_after = later(now, life);
    // Each CA has a name of its own, so that a client that holds two of them during a rotation
    // knows at once which one to try.
    let mut params = params(&format!("kubectl-reload CA {now:.0}"), now, not_after)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key.signer()?)?;
    Ok(Pair { certificate: Certificate::from_der(certificate.der().clone())?, key })
}

/// Makes a serving certificate for these names, signed by the CA, valid for `life` from `now` on
/// but never longer than the CA: Go rejects a chain as soon as its root has expired.
///
/// # Errors
/// [`IssueError`] where the CA's key is unusable, or the dates are out of range.
pub fn issue_leaf(ca: &Pair, names: &Names, now: Timestamp, life: Duration) -> Result<Pair, IssueError> {
    let key = PrivateKey::generate()?;
    let not_after = later(now, life).min(ca.certificate.validity().not_after);
    let mut params = params("kubectl-reload", now, not_after)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = names
        .iter()
        .map(|name| match name {
            Name::Dns(dns) => Ok(SanType::DnsName(dns.as_str().try_into()?)),
            Name::Ip(ip) => Ok(SanType::IpAddress(*ip)),
        })
        .collect::<Result<_, rcgen::Error>>()?;
    let issuer = Issuer::from_ca_cert_der(ca.certificate.der(), ca.key.signer()?)?;
    let certificate = params.signed_by(&key.signer()?, &issuer)?;
    Ok(Pair { certificate: Certificate::from_der(certificate.der().clone())?, key })
}

/// The instant at which a certificate of this crate was issued.
pub fn issued_at(validity: Validity) -> Timestamp {
    validity.not_before.checked_add(BACKDATE).unwrap_or(Timestamp::MAX).min(validity.not_after)
}

fn params(common_name: &str, now: Timestamp, not_after: Timestamp) -> Result<CertificateParams, IssueError> {
    let date = IssueError::Date { from: now };
    let (Ok(not_before), Ok(not_after)) = (
        u64::try_from(now.as_second().saturating_sub(BACKDATE.as_secs())),
        u64::try_from(not_after.as_second()),
    ) else {
        return Err(date);
    };
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let (Ok(start), Ok(end)) =
        (Duration::from_secs(not_before).try_into(), Duration::from_secs(not_after).try_into())
    else {
        return Err(date);
    };
    let mut params = CertificateParams::default();
    params.not_before = epoch.saturating_add(start);
    params.not_after = epoch.saturating_add(end);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

pub(crate) fn later(from: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| from.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
