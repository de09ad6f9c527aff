//! `kubectl reload`: which pods run on old configuration, and restarts of those that do.

mod annotations;
mod api;
mod connection;
mod findings;
mod immutable;
mod inventory;
mod log;
mod pods;
mod report;
mod restart;
mod rollout;
mod scope;
mod sources;
mod status;
mod surroundings;
mod survey;
mod sync;
mod table;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Shows which pods run on old ConfigMaps and Secrets, and restarts those that do.
///
/// Works on any cluster. With the kubectl-reload webhook installed the answer is exact; without it,
/// or for pods from before it, the answer rests on times and says so ("possibly").
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-reload",
    bin_name = "kubectl reload",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: connection::ConnectionArgs,
    #[command(flatten)]
    log: log::LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::StatusArgs),
    Sync(sync::SyncArgs),
}

/// Exit code of errors; 1 says that drift was found or is left.
const ERROR: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log::install(&cli.log);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("error: a TLS provider was installed before ours");
        return ExitCode::from(ERROR);
    }
    let result = match cli.command {
        Command::Status(args) => status::run(args, &cli.connection).await,
        Command::Sync(args) => sync::run(args, &cli.connection).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {}", table::printable(&error.to_string()));
        ExitCode::from(ERROR)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
