//! `kubectl-reload-webhook`: records on every new pod the configuration it is about to start with.

mod admission;
mod args;
mod hash_key;
mod health;
mod log;
mod metrics;
mod review;
mod server;
mod server_clock;
mod sources;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    log::install(args.log_format, args.log_level);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::error!("a TLS provider was installed before ours");
        return ExitCode::FAILURE;
    }
    match server::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
