//! `kubectl reload uninstall`: the webhook out of the cluster, without a trace.

mod leftovers;
mod records;
mod secrets;
mod session;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reload_core::hash_key::HashKey;

use crate::api::ApiError;
use crate::connection::{Connection, ConnectionArgs};
use crate::dry_run::{DryRun, DryRunArgs};
use crate::install::Voice;
use crate::installation::InstallationArgs;
use crate::installation::found::{Found, Standing, is_applied};
use crate::installation::object::{KINDS, NAMESPACE, Object};
use crate::installation::objects::Objects;
use crate::installation::rendering::render;
use crate::installation::values::Values;
use crate::interrupt::Interrupt;
use crate::patience::Outage;
use crate::prompt::agrees;
use crate::screen::Screen;
use crate::sync::parse_timeout;
use leftovers::{Leftovers, leftovers};
use records::{RecordedPod, recorded};
use secrets::{OwnSecret, ownerless};
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

/// What is to go.
struct Removal {
    /// In order: the registration first, without the namespace.
    objects: Vec<Object>,
    /// Those that the webhook has made and nobody owns.
    secrets: Vec<OwnSecret>,
    /// Why it is not known whether there are some.
    unseen: Option<ApiError>,
    /// Where it is part of the installation.
    namespace: Option<Object>,
    /// What else is in it.
    leftovers: Leftovers,
    /// Pods whose records are to go.
    pods: Vec<RecordedPod>,
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
    let removal = removal(&args, &objects, &namespace, &found, &manifest).await?;
    tell_what_stays(&found, &removal, voice.screen);
    let lines = removal.lines("to be deleted");
    if lines.is_empty() {
        voice.screen.say(&format!("There is no installation in namespace {namespace}."))?;
        return Ok(ExitCode::from(u8::from(removal.leftovers.is_unknown())));
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

async fn removal(
    args: &UninstallArgs,
    objects: &Objects<'_>,
    namespace: &str,
    found: &Found,
    manifest: &[Object],
) -> Result<Removal, ApiError> {
    let part = |object: &&Object| manifest.iter().any(|wanted| wanted.id == object.id) || is_applied(object);
    let mut parts: Vec<Object> = found.installed().filter(part).cloned().collect();
    parts.sort_by_key(|object| KINDS.iter().position(|kind| kind == object.id.kind));
    let own = found.live.iter().find(|object| object.is(NAMESPACE));
    let own = own.filter(|_| found.namespace == Standing::Ours && !args.keep_hash_key).cloned();
    let (mut secrets, unseen) = match ownerless(objects.client, namespace).await {
        Ok(secrets) => (secrets, None),
        Err(error) if error.is_forbidden() => (Vec::new(), Some(error)),
        Err(error) => return Err(error),
    };
    secrets.retain(|secret| !args.keep_hash_key || secret.name != HashKey::SECRET_NAME);
    let leftovers = match own.is_some() {
        true => leftovers(objects.client, namespace, &parts, &secrets).await,
        false => Leftovers::default(),
    };
    let pods = if args.purge { recorded(objects.client).await? } else { Vec::new() };
    Ok(Removal { objects: parts, secrets, unseen, namespace: own, leftovers, pods })
}

/// What has a name of the installation, and is not known to be part of it.
fn tell_what_stays(found: &Found, removal: &Removal, screen: &Screen) {
    let goes = |object: &Object| removal.objects.iter().any(|gone| gone.id == object.id);
    for object in found.live.iter().filter(|object| !object.is(NAMESPACE) && !goes(object)) {
        screen.tell(&format!("{} stays: nothing says that install has made it", object.id));
    }
    for error in found.unseen.iter().chain(&removal.unseen) {
        screen.tell(&format!("Something may be left over: {error}"));
    }
    if removal.namespace.is_some()
        && let Some(why) = removal.leftovers.why_kept()
    {
        screen.tell(&why);
    }
}

impl Removal {
    /// What goes, a line each.
    fn lines(&self, words: &str) -> Vec<String> {
        let namespace = self.namespace.iter().filter(|_| self.leftovers.why_kept().is_none());
        let mut lines: Vec<String> =
            self.objects.iter().map(|object| format!("{} {words}", object.id)).collect();
        lines.extend(self.secrets.iter().map(|secret| format!("{secret} {words}")));
        if !self.pods.is_empty() {
            lines.push(format!("records of {} pods {words}", self.pods.len()));
        }
        lines.extend(namespace.map(|namespace| format!("{} {words}", namespace.id)));
        lines
    }
}
