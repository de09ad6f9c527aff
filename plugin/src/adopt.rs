//! `kubectl reload adopt`: first records for pods that were made without the webhook.

mod outcome;
mod session;

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::connection::{Connection, ConnectionArgs};
use crate::document::Form;
use crate::dry_run::{DryRun, DryRunArgs};
use crate::prompt::agrees;
use crate::scope::ScopeArgs;
use crate::survey::JudgementArgs;
use crate::table::emit;
use outcome::{Document, Outcomes};
use session::Session;

/// Writes a first record onto running pods that have none, so that later changes are known without a
/// restart.
///
/// Only pods whose every source was last written well before their containers started are adopted.
/// What is unclear is left alone, and so are pods that have a record.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload adopt -n shop --dry-run
  kubectl reload adopt deployment/web -n shop
  kubectl reload adopt pod/web-5d9c7b-x2x4z -n shop
  kubectl reload adopt -A --yes
  kubectl reload adopt -n shop -l tier=backend --yes -o name")]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    scope: ScopeArgs,

    /// Adopt without asking; required for pods of more than one workload where no terminal can be
    /// asked.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    mode: DryRunArgs,

    /// Whether records show the names of a Secret's keys: set it as the webhook has it. Without them a
    /// drift names no key.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    secret_key_names: bool,

    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,

    #[command(flatten)]
    judgement: JudgementArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
    /// pod/NAME of each pod that is adopted.
    Name,
}

/// Runs the command.
pub(crate) async fn run(args: AdoptArgs, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    let targets = args.scope.targets()?;
    let Connection { client, namespace } = connection.connect().await?;
    let namespace = args.scope.place(namespace);
    let session = Session { client: &client, args: &args, namespace, targets };
    let outcomes = session.run(|outcomes| confirm(outcomes, &args)).await?;
    emit(&match args.output {
        Output::Text => outcomes.text(args.mode.dry_run),
        Output::Json => Form::Json.write(&Document::of(&outcomes, args.mode.dry_run))?,
        Output::Yaml => Form::Yaml.write(&Document::of(&outcomes, args.mode.dry_run))?,
        Output::Name => outcomes.names(),
    })?;
    Ok(if outcomes.failed() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Asks before pods of more than one workload are written to, as sync does.
fn confirm(planned: &Outcomes, args: &AdoptArgs) -> anyhow::Result<()> {
    let ready = planned.ready();
    if ready.workloads() < 2 || args.yes || args.mode.dry_run != DryRun::None {
        return Ok(());
    }
    eprint!("{}", ready.lines());
    anyhow::ensure!(
        agrees(&format!("Write a record onto {ready}?"), &format!("{ready} are to be adopted"))?,
        "nothing was adopted"
    );
    Ok(())
}
