//! How a [`State`] lies in the Secret's data.
//!
//! `tls.crt`, `tls.key` and `ca.crt` mean what they mean in every Secret of the type
//! `kubernetes.io/tls`. In `ca.crt` the issuing CA comes first, then the next one, then the
//! retired ones. The other keys are this crate's own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;

use crate::certificate::Certificate;
use crate::issue::Pair;
use crate::key::PrivateKey;
use crate::state::{Issuing, Next, State};

const LEAF: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";
const BUNDLE: &str = "ca.crt";
const ISSUING_KEY: &str = "ca.key";
const NEXT: &str = "ca-next.crt";
const NEXT_KEY: &str = "ca-next.key";
const NEXT_PUBLISHED: &str = "ca-next.published";
const RETIRED_SINCE: &str = "ca-retired.since";

/// Every key of the Secret that this crate writes, or removes where it has nothing to say.
pub(crate) const KEYS: [&str; 8] =
    [LEAF, LEAF_KEY, BUNDLE, ISSUING_KEY, NEXT, NEXT_KEY, NEXT_PUBLISHED, RETIRED_SINCE];

/// Reads what can be read. What is missing, garbled or does not belong together is left out, for
/// the plan to replace.
pub(crate) fn read(data: &BTreeMap<String, ByteString>) -> State {
    let next = pair(data, NEXT, NEXT_KEY)
        .filter(|pair| pair.certificate.is_ca())
        .map(|pair| Next { pair, published: time(data, NEXT_PUBLISHED) });
    let bundle = bytes(data, BUNDLE).and_then(|pem| Certificate::list_from_pem(pem).ok());
    let mut authorities = bundle.unwrap_or_default().into_iter();
    let issuing = authorities.next().filter(Certificate::is_ca).map(|certificate| Issuing {
        key: key(data, ISSUING_KEY).filter(|key| key.fits(&certificate)),
        certificate,
    });
    let is_next = |ca: &Certificate| next.as_ref().is_some_and(|n| n.pair.certificate == *ca);
    let retired: Vec<Certificate> = authorities.filter(|ca| ca.is_ca() && !is_next(ca)).collect();
    State {
        leaf: pair(data, LEAF, LEAF_KEY),
        retired_since: time(data, RETIRED_SINCE).filter(|_| !retired.is_empty()),
        issuing,
        next,
        retired,
    }
}

/// Writes the state into the data, under this crate's keys only.
pub(crate) fn write(state: &State, data: &mut BTreeMap<String, ByteString>) {
    for key in KEYS {
        data.remove(key);
    }
    let mut put = |key: &str, value: &[u8]| {
        data.insert(key.to_owned(), ByteString(value.to_vec()));
    };
    if let Some(leaf) = &state.leaf {
        put(LEAF, leaf.certificate.to_pem().as_bytes());
        put(LEAF_KEY, leaf.key.to_pem().as_bytes());
    }
    put(BUNDLE, state.bundle().as_bytes());
    if let Some(key) = state.issuing.as_ref().and_then(|ca| ca.key.as_ref()) {
        put(ISSUING_KEY, key.to_pem().as_bytes());
    }
    if let Some(next) = &state.next {
        put(NEXT, next.pair.certificate.to_pem().as_bytes());
        put(NEXT_KEY, next.pair.key.to_pem().as_bytes());
        if let Some(published) = next.published {
            put(NEXT_PUBLISHED, published.to_string().as_bytes());
        }
    }
    if let Some(since) = state.retired_since {
        put(RETIRED_SINCE, since.to_string().as_bytes());
    }
}

fn bytes<'a>(data: &'a BTreeMap<String, ByteString>, key: &str) -> Option<&'a [u8]> {
    data.get(key).map(|value| value.0.as_slice())
}

fn key(data: &BTreeMap<String, ByteString>, name: &str) -> Option<PrivateKey> {
    PrivateKey::from_pem(bytes(data, name)?).ok()
}

fn pair(data: &BTreeMap<String, ByteString>, name: &str, key_name: &str) -> Option<Pair> {
    let certificates = Certificate::list_from_pem(bytes(data, name)?).ok()?;
    let certificate = certificates.into_iter().next()?;
    let key = key(data, key_name).filter(|key| key.fits(&certificate))?;
    Some(Pair { certificate, key })
}

fn time(data: &BTreeMap<String, ByteString>, name: &str) -> Option<Timestamp> {
    std::str::from_utf8(bytes(data, name)?).ok()?.trim().parse().ok()
}
