//! The annotations that the project reads and writes. [`crate::options`] says what they may hold.

/// What all their names begin with.
pub const PREFIX: &str = "kubectl-reload.dev/";

/// On a pod: its [record](crate::record::Record).
pub const RECORD: &str = "kubectl-reload.dev/record";

/// Leaves an object out.
pub const IGNORE: &str = "kubectl-reload.dev/ignore";

/// Leaves sources out.
pub const EXCLUDE: &str = "kubectl-reload.dev/exclude";

/// Adds sources that processes read through the API.
pub const EXTRA: &str = "kubectl-reload.dev/extra";

/// What processes do when mounted files change.
pub const LIVE: &str = "kubectl-reload.dev/live";

/// On a workload: what `kubectl reload sync` has restarted it for, and when.
pub const RESTARTED_FOR: &str = "kubectl-reload.dev/restarted-for";
