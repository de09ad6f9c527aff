//! `kubectl reload`: which pods run on old configuration, and restarts of those that do.

mod adopt;
mod annotations;
mod api;
mod bar;
mod clock;
mod color;
mod completion;
mod connection;
mod doctor;
mod document;
mod dry_run;
mod explain;
mod findings;
#[cfg(test)]
mod golden;
mod immutable;
mod install;
mod installation;
mod interrupt;
mod inventory;
mod judgement;
mod log;
mod manifest;
mod named;
mod patience;
mod plan;
mod pods;
mod prompt;
mod report;
mod restart;
mod rollout;
mod scope;
mod screen;
mod snapshot;
mod sources;
mod status;
mod surroundings;
mod survey;
mod sync;
mod table;
mod uninstall;
mod used_by;
mod version;
mod workload;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

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
    args_override_self = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: connection::ConnectionArgs,
    #[command(flatten)]
    color: color::ColorArgs,
    #[command(flatten)]
    log: log::LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::StatusArgs),
    Explain(explain::ExplainArgs),
    Sync(sync::SyncArgs),
    Adopt(adopt::AdoptArgs),
    UsedBy(used_by::UsedByArgs),
    Plan(plan::PlanArgs),
    Install(install::InstallArgs),
    Upgrade(install::UpgradeArgs),
    Uninstall(uninstall::UninstallArgs),
    Doctor(doctor::DoctorArgs),
    Version(version::VersionArgs),
    Completion(completion::CompletionArgs),
}

/// Exit code of errors; 1 says that drift was found or is left.
const ERROR: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("error: a TLS provider was installed before ours");
        return ExitCode::from(ERROR);
    }
    let mut words = std::env::args_os();
    if completion::is_called(words.next()) {
        let typed: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        return completion::answer(Cli::command(), &typed).await;
    }
    let cli = Cli::parse();
    let screen = screen::Screen::new();
    log::install(&cli.log, &screen);
    let voice =
        install::Voice { screen: &screen, paint: cli.color.paint(), paint_errors: cli.color.paint_errors() };
    let result = match cli.command {
        Command::Status(args) => status::run(args, &cli.connection, cli.color.paint()).await,
        Command::Explain(args) => explain::run(args, &cli.connection, cli.color.paint()).await,
        Command::Adopt(args) => adopt::run(args, &cli.connection).await,
        Command::Sync(args) => sync::run(args, &cli.connection, &screen, cli.color.paint_errors()).await,
        Command::Plan(args) => plan::run(args, &cli.connection, cli.color.paint()).await,
        Command::Install(args) => install::run(args, &cli.connection, voice).await,
        Command::Upgrade(args) => install::run_upgrade(args, &cli.connection, voice).await,
        Command::Uninstall(args) => uninstall::run(args, &cli.connection, voice).await,
        Command::UsedBy(args) => used_by::run(args, &cli.connection).await,
        Command::Doctor(args) => doctor::run(args, &cli.connection, cli.color.paint()).await,
        Command::Version(args) => version::run(args, &cli.connection).await,
        Command::Completion(args) => completion::run(&args, Cli::command()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {}", table::printable(&error.to_string()));
        ExitCode::from(ERROR)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
