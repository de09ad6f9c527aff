//! Sources: the ConfigMaps and Secrets that pods take configuration from.

mod object;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use object::{Malformed, Source};

/// The two kinds of object that hold configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SourceKind {
    /// `v1/ConfigMap`.
    ConfigMap,
    /// `v1/Secret`.
    Secret,
}

impl SourceKind {
    /// The resource's singular name, as kubectl takes it: `configmap`, `secret`.
    pub fn singular(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        }
    }

    /// The resource's plural name, as it stands in API paths and RBAC rules.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
        }
    }
}

/// Sources that every cluster or mesh writes into every namespace, and that hold no configuration
/// of the workload: the default of the ignore list.
pub const IGNORED: [&str; 3] =
    ["configmap/kube-root-ca.crt", "configmap/openshift-service-ca.crt", "configmap/istio-ca-root-cert"];

/// A source within the namespace of the pod that uses it: no reference crosses namespaces.
///
/// Its text form is kubectl's `configmap/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    /// ConfigMap or Secret.
    pub kind: SourceKind,
    /// `metadata.name`.
    pub name: String,
}

impl SourceId {
    /// The ConfigMap `name`.
    pub fn config_map(name: impl Into<String>) -> Self {
        Self { kind: SourceKind::ConfigMap, name: name.into() }
    }

    /// The Secret `name`.
    pub fn secret(name: impl Into<String>) -> Self {
        Self { kind: SourceKind::Secret, name: name.into() }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.singular(), self.name)
    }
}

/// A text that is no `configmap/name` or `secret/name`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} names no source: write configmap/NAME or secret/NAME")]
pub struct InvalidSource(String);

impl FromStr for SourceId {
    type Err = InvalidSource;

    /// Takes the names that kubectl takes for the two kinds, short and plural ones too.
    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let invalid = || InvalidSource(text.to_owned());
        let (kind, name) = text.split_once('/').ok_or_else(invalid)?;
        let kind = match kind.to_ascii_lowercase().as_str() {
            "configmap" | "configmaps" | "cm" => SourceKind::ConfigMap,
            "secret" | "secrets" => SourceKind::Secret,
            _ => return Err(invalid()),
        };
        let source = Self { kind, name: name.to_owned() };
        if source.is_valid() { Ok(source) } else { Err(invalid()) }
    }
}

impl SourceId {
    /// Whether the API server would take the name. A reference may hold any text, and a pod with
    /// one that is no name waits for an object that cannot exist.
    pub fn is_valid(&self) -> bool {
        is_object_name(&self.name)
    }
}

/// Whether `name` is a DNS subdomain (RFC 1123), as the API server asks of both kinds.
fn is_object_name(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 253
        && edge(name.chars().next())
        && edge(name.chars().last())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_as_kubectl_names_it() {
        for (text, source) in [
            ("configmap/web", SourceId::config_map("web")),
            ("cm/web.conf", SourceId::config_map("web.conf")),
            ("secrets/db", SourceId::secret("db")),
        ] {
            assert_eq!(text.parse(), Ok(source), "{text}");
        }
        assert_eq!(SourceId::secret("db").to_string(), "secret/db");
    }

    #[test]
    fn a_text_that_names_no_source_is_refused_with_the_form_to_write() {
        for text in ["web", "pod/web", "secret/", "secret/a/b", "secret/A", "secret/-a", "secret/\u{1b}[2J"] {
            let error = text.parse::<SourceId>().unwrap_err().to_string();
            assert!(error.contains("configmap/NAME"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }
}
