//! How the status is written.

use clap::ValueEnum;

/// The forms that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Table,
    /// The table with all there is to tell, however wide.
    Wide,
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
    /// TYPE/NAME of each.
    Name,
    /// For Prometheus: how many workloads have which verdict, by namespace.
    #[value(name = "openmetrics")]
    OpenMetrics,
}
