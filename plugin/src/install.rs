//! `kubectl reload install` and `upgrade`: the webhook into the cluster, and the proof that it records.

mod change;
mod plan;
mod proof;
mod readiness;
mod session;

use std::cmp::Ordering;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use semver::Version;
use serde_json::json;

use crate::color::Paint;
use crate::connection::{Connection, ConnectionArgs};
use crate::document::Form;
use crate::dry_run::{DryRun, DryRunArgs};
use crate::installation::InstallationArgs;
use crate::installation::found::{Found, Standing};
use crate::installation::object::Object;
use crate::installation::objects::Objects;
use crate::installation::rendering::{noted, render};
use crate::installation::values::{Assignment, Values};
use crate::interrupt::Interrupt;
use crate::patience::Outage;
use crate::prompt::agrees;
use crate::screen::Screen;
use crate::sync::parse_timeout;
use crate::table::emit;
use plan::Plan;
use session::Session;

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
  kubectl reload install --set port=10250 --set priorityClassName=system-cluster-critical --yes
  kubectl reload install --dry-run=client -o yaml > kubectl-reload.yaml")]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    apply: ApplyArgs,
}

/// Upgrades the webhook to the version of this plugin, with the values that it was installed with.
///
/// Does what install does, where there is an installation. The old pods go on recording until new ones
/// are ready; the registration changes after that; what is not part of this version is deleted at last.
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

    /// A value to set, by the Helm chart's name; may be given more than once. What was set before is
    /// kept. One of: image.repository, image.tag, image.digest, image.pullPolicy,
    /// imagePullSecrets[0].name, replicas, secrets, secretKeyNames, webhook.failurePolicy,
    /// webhook.timeoutSeconds, webhook.deadline, port, hostNetwork, flowControl.enabled,
    /// priorityClassName, podSecurityContext.runAsUser, podSecurityContext.runAsGroup, log.format,
    /// log.level.
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',')]
    set: Vec<Assignment>,

    /// Forget what was set before.
    #[arg(long)]
    reset_values: bool,

    /// Take fields over that others have set to something else.
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

    /// How long that may take, as 5m.
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
    let found = Found::at(&objects, &namespace, &render(&namespace, &Values::default())?).await?;
    refuse(&found, &namespace, upgrade)?;
    let values = values(&found, asked, args.reset_values, voice.screen)?;
    let manifest = noted(render(&namespace, &values)?, &values);
    let older = is_older(VERSION, found.version());
    anyhow::ensure!(
        !older || args.allow_downgrade || !args.yes,
        "version {} is installed, and this is the older {VERSION}: use that version of the plugin, or pass \
         --allow-downgrade",
        found.version().unwrap_or_default()
    );
    for error in &found.unseen {
        voice.screen.tell(&format!("Objects of a former version may be left over: {error}"));
    }
    let plan = Plan::make(&objects, manifest, &found, (mode, args.force_conflicts), voice.screen).await?;
    if mode != DryRun::None {
        emit(&plan.text(mode, voice.paint))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !plan.is_empty() {
        voice.screen.show(&plan.text(mode, voice.paint_errors));
        if found.namespace == Standing::Others {
            voice.screen.tell(&format!(
                "Namespace {namespace} is left as it is: what else is in it is never recorded"
            ));
        }
        if !args.yes {
            let question = question(&found, &namespace, older && !args.allow_downgrade);
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
        voice: &voice,
        interrupt: &interrupt,
        outage: &outage,
    };
    session.run(&plan, found.version().is_some()).await
}

/// Where somebody else looks after what is installed, it is theirs to change.
fn refuse(found: &Found, namespace: &str, upgrade: bool) -> anyhow::Result<()> {
    if let Some((object, keeper)) = found.kept() {
        anyhow::bail!("{} belongs to {keeper}: {}", object.id, keeper.instead());
    }
    if let Some((object, other)) = found.elsewhere(namespace) {
        anyhow::bail!(
            "the webhook is installed in namespace {other}, where {} leads, and a cluster has one: pass -n {other}, \
             or uninstall that one before",
            object.id
        );
    }
    anyhow::ensure!(
        found.namespace != Standing::Ending,
        "namespace {namespace} is being deleted: wait until it is gone, with kubectl wait --for=delete \
         namespace/{namespace}"
    );
    anyhow::ensure!(
        !upgrade || found.installed().next().is_some(),
        "there is no installation in namespace {namespace}: make one with kubectl reload install, or name its \
         namespace by -n"
    );
    Ok(())
}

/// What is set now, and what was set before where that is not to be forgotten.
fn values(found: &Found, asked: Values, reset: bool, screen: &Screen) -> anyhow::Result<Values> {
    let before = found.set();
    if reset || before.is_empty() {
        return Ok(asked);
    }
    let kept = Values::parse(before).map_err(|error| {
        anyhow::anyhow!(
            "what was set before does not fit this version ({error}): pass --reset-values, and set it anew"
        )
    })?;
    screen.tell(&format!("Values kept from before: {before} (--reset-values forgets them)"));
    Ok(kept.with(&asked))
}

fn question(found: &Found, namespace: &str, older: bool) -> String {
    match found.version() {
        Some(version) if older => format!(
            "Version {version} is installed in namespace {namespace}. Put the OLDER version {VERSION} in its place?"
        ),
        Some(version) if version != VERSION => {
            format!("Upgrade from version {version} to {VERSION} in namespace {namespace}?")
        }
        Some(_) => format!("Change the installation in namespace {namespace}?"),
        None => format!("Install version {VERSION} in namespace {namespace}?"),
    }
}

/// By semantic versioning; what is no version is not newer.
fn is_older(ours: &str, installed: Option<&str>) -> bool {
    let parse = |text: &str| Version::parse(text).ok();
    let installed = installed.and_then(parse);
    let (Some(ours), Some(installed)) = (parse(ours), installed) else { return false };
    ours.cmp_precedence(&installed) == Ordering::Less
}

/// The manifests, as `kubectl apply` takes them.
fn printed(form: Form, objects: &[Object]) -> anyhow::Result<String> {
    let manifests = objects.iter().map(|object| &object.json);
    Ok(match form {
        Form::Json => {
            let items: Vec<_> = manifests.collect();
            form.write(&json!({"apiVersion": "v1", "kind": "List", "items": items}))?
        }
        Form::Yaml => {
            let documents: anyhow::Result<Vec<String>> =
                manifests.map(|manifest| Ok(format!("---\n{}", form.write(manifest)?))).collect();
            documents?.concat()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_version_is_known() {
        for (ours, installed, older) in [
            ("0.1.0", None, false),
            ("0.1.0", Some("0.1.0"), false),
            ("0.1.0", Some("0.2.0"), true),
            ("0.10.0", Some("0.9.1"), false),
            ("1.0.0-rc.1", Some("1.0.0"), true),
            ("0.1.0", Some("latest"), false),
        ] {
            assert_eq!(is_older(ours, installed), older, "{ours} {installed:?}");
        }
    }

    #[test]
    fn manifests_are_printed_as_kubectl_reads_them() {
        let objects = render("tools", &Values::default()).unwrap();
        let yaml = printed(Form::Yaml, &objects).unwrap();
        let read: Vec<serde_json::Value> = serde_saphyr::from_multiple(&yaml).unwrap();
        assert_eq!(read, objects.iter().map(|object| object.json.clone()).collect::<Vec<_>>());
        assert!(printed(Form::Json, &objects).unwrap().contains("\"kind\": \"List\""));
    }
}
