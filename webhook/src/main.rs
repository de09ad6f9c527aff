//! `kubectl-reload-webhook`: records on every new pod the configuration it is about to start with.

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use reload_webhook::{Args, log, run};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;

/// Threads that reviews are worked on. Each may hold a large pod, so they do not grow with the node.
const THREADS: usize = 4;

/// How long what is left may take to end: a read of a volume that hangs never does.
const END: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let args = Args::parse();
    log::install(&args.log);
    raise_file_limit();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runtime = Builder::new_multi_thread().worker_threads(cores.min(THREADS)).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(serve(args));
            runtime.shutdown_timeout(END);
            code
        }
        Err(error) => {
            tracing::error!("no threads to work with: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Up to the hard limit: container runtimes often leave 1,024, which connections alone would take.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(?limit.current, "the limit of open files stays as it is: {error}");
    }
}

async fn serve(args: Args) -> ExitCode {
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
