//! `kubectl reload uninstall`: the webhook out of the cluster, without a trace.

mod leftovers;
mod records;
mod removal;
mod secrets;
mod session;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::connection::{Connection, ConnectionArgs};
use crate::dry_run::{DryRun, DryRunArgs};
use crate::install::Voice;
use crate::installation::InstallationArgs;
use crate::installation::found::Found;
use crate::installation::objects::Objects;
use crate::installation::rendering::render;
use crate::installation::values::Values;
use crate::interrupt::Interrupt;
use crate::patience::Outage;
use crate::prompt::agrees;
use crate::sync::parse_timeout;
use removal::Removal;
use session::Session;

/// Takes the webhook away: its registration first, its namespace last.
///
/// Deletes what install has made and nothing else: a namespace with anything else in it stays. Records
/// stay on pods unless --purge; those of Secrets can be compared no more once the hash key is gone, and
/// say so. The hash key goes with the webhook's account; one that was kept is named among what goes.
/// Exits with 1 when something is left, or could not be looked at.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload uninstall --dry-run=client
  kubectl reload uninstall
  kubectl reload uninstall --purge --yes
  kubectl reload uninstall --keep-hash-key")]
pub(crate) struct UninstallArgs {
    #[command(flatten)]
    installation: InstallationArgs,

    /// Take the records off all pods, too; nothing restarts by that.
    #[arg(long)]
    purge: bool,

    /// Leave the hash key, and the namespace that it lies in: installed again, the webhook goes on with
    /// it, and records of Secrets from before can be compared.
    #[arg(long, conflicts_with = "purge")]
    keep_hash_key: bool,

    /// Delete without asking; required where no terminal can be asked.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    mode: DryRunArgs,

    /// How long the webhook's pods and the namespace may each take to end, as 5m; 0 is no limit.
    #[arg(long, default_value = "5m", value_parser = parse_timeout)]
    timeout: Duration,
}

/// Runs the command.
pub(crate) async fn run(
    args: UninstallArgs,
    connection: &ConnectionArgs,
    voice: Voice<'_>,
) -> anyhow::Result<ExitCode> {
    let namespace = args.installation.place(connection);
    let Connection { client, .. } = connection.connect().await?;
    let objects = Objects { client: &client };
    let manifest = render(&namespace, &Values::default())?;
    let found = Found::at(&objects, &namespace, &manifest).await?;
    refuse(&found, &namespace)?;
    let removal = Removal::find(&args, &objects, &namespace, &found, &manifest).await?;
    for line in removal.stays(&found) {
        voice.screen.tell(&line);
    }
    let all_seen = removal.is_all(&found);
    let lines = removal.lines("to be deleted");
    if lines.is_empty() {
        voice.screen.say(&format!("There is no installation in namespace {namespace}."))?;
        return Ok(ExitCode::from(u8::from(!all_seen || removal.leftovers.is_unknown())));
    }
    let mode = args.mode.dry_run;
    if mode == DryRun::None && !args.yes {
        for line in &lines {
            voice.screen.tell(line);
        }
        let question = format!("Uninstall from namespace {namespace}?");
        anyhow::ensure!(agrees(&question, "This is to be deleted")?, "nothing was deleted");
    }
    let interrupt = Interrupt::listen(voice.screen)?;
    let outage = Outage::new(voice.screen);
    let session = Session {
        objects,
        namespace: &namespace,
        args: &args,
        all_seen,
        voice: &voice,
        interrupt: &interrupt,
        outage: &outage,
    };
    session.run(removal).await
}

/// Where somebody else looks after what is installed, it is theirs to take away.
fn refuse(found: &Found, namespace: &str) -> anyhow::Result<()> {
    if let Some((object, keeper)) = found.kept() {
        anyhow::bail!("{} belongs to {keeper}: {}", object.id, keeper.instead_of_removal());
    }
    if let Some((object, other)) = found.elsewhere(namespace) {
        anyhow::bail!("{} leads to namespace {other}: to uninstall from there pass -n {other}", object.id);
    }
    Ok(())
}
