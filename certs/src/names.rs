//! The names that a serving certificate answers for.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls::pki_types::DnsName;

/// One subject alternative name: a DNS name (in lower case, no wildcard) or an IP address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A DNS name, such as `kubectl-reload.kubectl-reload.svc`.
    Dns(String),
    /// An address, for a registration whose `url` names one.
    Ip(IpAddr),
}

/// A text that is neither a DNS name nor an IP address, or no name at all.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// Not a name that a certificate can carry.
    #[error(
        "{text:?} is neither a DNS name nor an IP address: name the webhook's Service as \
         <service>.<namespace>.svc"
    )]
    Invalid {
        /// What was given.
        text: String,
    },
    /// A certificate without names is accepted by no client.
    #[error("no name was given for the serving certificate: give at least one DNS name or address")]
    Empty,
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        match DnsName::try_from(text) {
            Ok(_) => Ok(Self::Dns(text.to_ascii_lowercase())),
            Err(_) => Err(NameError::Invalid { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

/// A set of names, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(BTreeSet<Name>);

impl Names {
    /// The given names, each once.
    ///
    /// # Errors
    /// [`NameError::Empty`] where there is none.
    pub fn new(names: impl IntoIterator<Item = Name>) -> Result<Self, NameError> {
        let names: BTreeSet<Name> = names.into_iter().collect();
        if names.is_empty() {
            return Err(NameError::Empty);
        }
        Ok(Self(names))
    }

    /// The names from their texts.
    ///
    /// # Errors
    /// [`NameError`] for the first text that is no name, or where there is none.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, NameError> {
        let names: Result<Vec<Name>, NameError> =
            texts.into_iter().map(|text| text.as_ref().parse()).collect();
        Self::new(names?)
    }

    /// The name under which the API server calls a Service: `<service>.<namespace>.svc`.
    ///
    /// # Errors
    /// [`NameError::Invalid`] where the parts do not make a DNS name.
    pub fn of_service(service: &str, namespace: &str) -> Result<Self, NameError> {
        Self::parse([format!("{service}.{namespace}.svc")])
    }

    /// Each name, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &Name> {
        self.0.iter()
    }

    /// Whether every name of this set is among the given ones.
    pub fn are_within(&self, names: &BTreeSet<Name>) -> bool {
        self.0.is_subset(names)
    }

    /// This set and the given names.
    pub fn with(&self, more: &BTreeSet<Name>) -> Self {
        Self(self.0.union(more).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_names() {
        let cases = [
            ("a service", "Reload.ns.svc", Some("reload.ns.svc")),
            ("IPv4", "127.0.0.1", Some("127.0.0.1")),
            ("IPv6", "::1", Some("::1")),
            ("a wildcard", "*.ns.svc", None),
            ("a space", "a b", None),
            ("nothing", "", None),
            ("a port", "a.ns.svc:443", None),
        ];
        for (case, text, expected) in cases {
            let name: Option<String> = text.parse::<Name>().ok().map(|name| name.to_string());
            assert_eq!(name.as_deref(), expected, "{case}");
        }
    }

    #[test]
    fn a_set_without_names_is_refused() {
        assert!(matches!(Names::new([]), Err(NameError::Empty)));
        let service = Names::of_service("reload", "tools").unwrap();
        assert_eq!(service, Names::parse(["reload.tools.svc"]).unwrap());
    }
}
