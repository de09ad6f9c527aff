//! The log, on standard error.

use std::panic::PanicHookInfo;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged and how.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Log")]
pub struct LogArgs {
    /// Form of the log on standard error.
    #[arg(long, env = "KUBECTL_RELOAD_LOG_FORMAT", default_value = "plain", value_enum)]
    log_format: Format,

    /// Least severe level that is logged.
    #[arg(long, env = "KUBECTL_RELOAD_LOG_LEVEL", default_value = "info", value_enum)]
    log_level: Level,
}

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
const TARGETS: [&str; 2] = ["reload_webhook", "reload_certs"];

/// Installs the log for the whole process. A panic is logged by its place alone: its text could
/// quote a value.
pub fn install(args: &LogArgs) {
    let level = match args.log_level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let targets = Targets::new().with_targets(TARGETS.map(|target| (target, level)));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match args.log_format {
        Format::Plain => lines.with_ansi(false).boxed(),
        Format::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(targets)).init();
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "panicked: this is a fault, report it");
    }));
}
