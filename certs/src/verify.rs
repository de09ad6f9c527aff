//! A client's view, for tests: does it accept this certificate with this bundle?

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use crate::certificate::Certificate;

/// Verifies as rustls does, and as Go does beyond it: a root that has expired is none.
pub(crate) fn verify(
    chain: &[CertificateDer<'static>],
    bundle: &str,
    name: &str,
    now: Timestamp,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for ca in Certificate::list_from_pem(bundle.as_bytes()).map_err(|e| e.to_string())? {
        if ca.validity().holds_at(now) {
            roots.add(ca.der().clone()).map_err(|e| e.to_string())?;
        }
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::new(default_provider()))
        .build()
        .map_err(|e| e.to_string())?;
    let name = ServerName::try_from(name.to_owned()).map_err(|e| e.to_string())?;
    let (leaf, rest) = chain.split_first().ok_or("an empty chain")?;
    let seconds = u64::try_from(now.as_second()).map_err(|e| e.to_string())?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    match verifier.verify_server_cert(leaf, rest, &name, &[], now) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The beginning of every test's time.
pub(crate) fn start() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

/// So many seconds after (or before) the beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// An error with its causes, in one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
