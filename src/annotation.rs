//! The annotations that the project reads and writes.

use crate::source::{InvalidSource, SourceId};

/// On a pod: its [record](crate::record::Record).
pub const RECORD: &str = "kubectl-reload.dev/record";

/// On a pod or pod template: sources that its processes read through the API, as
/// `configmap/a,secret/b`.
pub const EXTRA: &str = "kubectl-reload.dev/extra";

/// On a pod template: `reread` when its processes follow changes of mounted files by themselves.
pub const LIVE: &str = "kubectl-reload.dev/live";

/// Sources that every cluster or mesh writes into every namespace, and that hold no configuration
/// of the workload: the default of the ignore list.
pub const IGNORED: [&str; 3] =
    ["configmap/kube-root-ca.crt", "configmap/openshift-service-ca.crt", "configmap/istio-ca-root-cert"];

/// Reads the value of [`EXTRA`]. Blanks around commas are allowed.
///
/// # Errors
/// The first entry that names no source.
pub fn parse_extra(value: &str) -> Result<Vec<SourceId>, InvalidSource> {
    value.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::parse).collect()
}
