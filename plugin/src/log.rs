//! Diagnostics on standard error.

use clap::Args;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::screen::Screen;

/// How much is told.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// How much to tell about what is done, from 0 to 9.
    #[arg(short = 'v', long = "v", global = true, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=9), help_heading = "Global options")]
    verbosity: u8,
}

/// Installs the log. Only this project's own lines are shown, at any level: the Kubernetes client
/// prints the bodies of answers that it cannot read, values of Secrets included.
pub(crate) fn install(args: &LogArgs, screen: &Screen) {
    let level = match args.verbosity {
        0 => LevelFilter::WARN,
        1..=3 => LevelFilter::INFO,
        4..=5 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let screen = screen.clone();
    let writer = move || screen.clone();
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).without_time();
    let own = Targets::new().with_target("kubectl_reload", level);
    tracing_subscriber::registry().with(lines.with_filter(own)).init();
}
