//! `kubectl-reload-webhook`: records on every new pod the configuration it is about to start with.

use std::process::ExitCode;

use clap::Parser;
use reload_webhook::{Args, log, run};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    log::install(&args.log);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::error!("a TLS provider was installed before ours");
        return ExitCode::FAILURE;
    }
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
