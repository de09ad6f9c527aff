//! `kubectl reload install` and `upgrade`: the webhook into the cluster, and the proof that it records.

mod change;
mod plan;
mod preparation;
mod readiness;
mod session;
mod view;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::color::Paint;
use crate::connection::{Connection, ConnectionArgs};
use crate::document::Form;
use crate::dry_run::{DryRun, DryRunArgs};
use crate::installation::InstallationArgs;
use crate::installation::objects::Objects;
use crate::installation::rendering::{printed, render};
use crate::installation::values::{Assignment, Values, help};
use crate::interrupt::Interrupt;
use crate::patience::Outage;
use crate::prompt::agrees;
use crate::screen::Screen;
use crate::sync::parse_timeout;
use crate::table::emit;
use preparation::{Preparation, prepare};
use session::Session;
use view::View;

/// The version that is installed.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Installs the webhook, which records on every new pod the configuration it starts with.
///
/// Into the namespace kubectl-reload, unless --namespace names another; a cluster has one installation.
///
/// Shows what would change and asks, installs the server, waits until it is ready, registers it, and
/// proves by a pod that is never made that pods get a record. What is installed already is upgraded.
/// Exits with 1 when the webhook does not become ready or records nothing; nothing is taken back then.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload install
  kubectl reload install --dry-run=server
  kubectl reload install -n tools --set image.repository=registry.example.com/kubectl-reload-webhook
  kubectl reload install --set port=10250 --yes   # private GKE
  kubectl reload install --dry-run=client -o yaml > kubectl-reload.yaml")]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    apply: ApplyArgs,
}

/// Upgrades the webhook to the version of this plugin, with the values that it was installed with.
///
/// Does what install does, where there is an installation. The old pods go on recording, with their
/// rights, until new ones are ready; the registration changes after that; what is not part of this
/// version is deleted at last. An image.tag or image.digest that was set has to be set anew.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload upgrade
  kubectl reload upgrade --dry-run=server
  kubectl reload upgrade --set replicas=3
  kubectl reload upgrade --reset-values --yes")]
pub(crate) struct UpgradeArgs {
    #[command(flatten)]
    apply: ApplyArgs,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    installation: InstallationArgs,

    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', help = help())]
    set: Vec<Assignment>,

    /// Forget what was set before.
    #[arg(long)]
    reset_values: bool,

    /// Take over fields that others have set to something else, and objects that were there before and
    /// are of no installation; uninstall then deletes those.
    #[arg(long)]
    force_conflicts: bool,

    /// Put this version in place of a newer one.
    #[arg(long)]
    allow_downgrade: bool,

    /// Write without asking; required where no terminal can be asked.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    mode: DryRunArgs,

    /// With --dry-run=client: print the manifests, as for a Git repository. No cluster is asked.
    #[arg(short, long, value_enum)]
    output: Option<Form>,

    /// Wait until the webhook is ready, and prove that it records.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    wait: bool,

    /// How long that may take, as 5m; 0 is no limit.
    #[arg(long, default_value = "5m", value_parser = parse_timeout)]
    timeout: Duration,
}

/// Where a command speaks, and in which colours.
pub(crate) struct Voice<'a> {
    pub(crate) screen: &'a Screen,
    /// On standard output.
    pub(crate) paint: Paint,
    /// On standard error.
    pub(crate) paint_errors: Paint,
}

/// Runs `install`.
pub(crate) async fn run(
    args: InstallArgs,
    connection: &ConnectionArgs,
    voice: Voice<'_>,
) -> anyhow::Result<ExitCode> {
    apply(args.apply, false, connection, voice).await
}

/// Runs `upgrade`.
pub(crate) async fn run_upgrade(
    args: UpgradeArgs,
    connection: &ConnectionArgs,
    voice: Voice<'_>,
) -> anyhow::Result<ExitCode> {
    apply(args.apply, true, connection, voice).await
}

async fn apply(
    args: ApplyArgs,
    upgrade: bool,
    connection: &ConnectionArgs,
    voice: Voice<'_>,
) -> anyhow::Result<ExitCode> {
    let namespace = args.installation.place(connection);
    anyhow::ensure!(
        namespace != "kube-system",
        "pods of kube-system must not depend on the webhook: name another namespace by --namespace"
    );
    let (mode, asked) = (args.mode.dry_run, Values::of(&args.set));
    if let Some(form) = args.output {
        anyhow::ensure!(mode == DryRun::Client, "--output prints manifests: pass --dry-run=client with it");
        emit(&printed(form, &render(&namespace, &asked)?)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Connection { client, .. } = connection.connect().await?;
    let objects = Objects { client: &client };
    let view = View { namespace: &namespace };
    let Preparation { found, plan, older } =
        prepare(&args, asked, &objects, &namespace, upgrade, voice.screen).await?;
    if mode != DryRun::None {
        emit(&plan.text(mode, voice.paint))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !plan.is_empty() {
        voice.screen.show(&plan.text(mode, voice.paint_errors));
        if !args.yes {
            let question = view.question(&found, older);
            anyhow::ensure!(agrees(&question, "This is to be written")?, "nothing was written");
        }
    }
    let interrupt = Interrupt::listen(voice.screen)?;
    let outage = Outage::new(voice.screen);
    let session = Session {
        objects,
        namespace: &namespace,
        force: args.force_conflicts,
        wait: args.wait.then_some(args.timeout),
        view,
        voice: &voice,
        interrupt: &interrupt,
        outage: &outage,
    };
    session.run(&plan, found.is_registered()).await
}
