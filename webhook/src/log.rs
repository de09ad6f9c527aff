//! The log, on standard error.

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Form of the log.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Plain,
    /// One JSON object a line.
    Json,
}

/// Least severe level that is logged.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// What needs someone.
    Error,
    /// What may.
    Warn,
    /// What happened.
    Info,
    /// Every review.
    Debug,
}

/// Only this project's own lines are logged, at any level: the Kubernetes client prints the bodies
/// of answers that it cannot read, values of Secrets included.
const TARGETS: [&str; 2] = ["kubectl_reload_webhook", "reload_certs"];

/// Installs the log for the whole process.
pub(crate) fn install(format: Format, level: Level) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let targets = Targets::new().with_targets(TARGETS.map(|target| (target, level)));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match format {
        Format::Plain => lines.with_ansi(false).boxed(),
        Format::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(targets)).init();
}
