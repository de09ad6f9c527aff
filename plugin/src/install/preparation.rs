//! What is known before anything is written: what is there, whether it may be changed, and the plan.

use std::cmp::Ordering;

use semver::Version;

use super::plan::Plan;
use super::{ApplyArgs, VERSION};
use crate::dry_run::DryRun;
use crate::installation::found::{Found, Standing};
use crate::installation::objects::Objects;
use crate::installation::rendering::{noted, render};
use crate::installation::values::Values;
use crate::screen::Screen;
use crate::version::{OLDEST, ServerVersion, minor};

/// What a run begins with.
pub(super) struct Preparation {
    pub(super) found: Found,
    pub(super) plan: Plan,
    /// This version takes the place of a newer one, and nobody has said yes to that yet.
    pub(super) older: bool,
}

/// Looks at the cluster, and plans.
///
/// # Errors
/// When it is not this command's to change what is there, and when the API server refuses it.
pub(super) async fn prepare(
    args: &ApplyArgs,
    asked: Values,
    objects: &Objects<'_>,
    namespace: &str,
    upgrade: bool,
    screen: &Screen,
) -> anyhow::Result<Preparation> {
    let server = ServerVersion::get(objects.client).await?.git_version;
    anyhow::ensure!(
        minor(&server).is_none_or(|found| found >= OLDEST),
        "the cluster is Kubernetes {server}, and the webhook needs v{}.{} or newer: upgrade the cluster",
        OLDEST.0,
        OLDEST.1
    );
    let found = Found::at(objects, namespace, &render(namespace, &Values::default())?).await?;
    refuse(&found, namespace, upgrade)?;
    let older = is_older(VERSION, found.version()) && !args.allow_downgrade;
    anyhow::ensure!(
        !older || !args.yes,
        "version {} is installed, and this is the older {VERSION}: use that version of the plugin, or pass \
         --allow-downgrade",
        found.version().unwrap_or_default()
    );
    let values = values(&found, asked, args.reset_values, screen)?;
    let manifest = noted(render(namespace, &values)?, &values);
    let strangers: Vec<String> =
        found.strangers(&manifest).iter().map(|object| object.id.to_string()).collect();
    anyhow::ensure!(
        strangers.is_empty() || args.force_conflicts,
        "there is already {}, and nothing says that it is of an installation: delete or rename it, or take it \
         over by --force-conflicts (uninstall then deletes it)",
        strangers.join(", ")
    );
    for error in &found.unseen {
        screen.tell(&format!("Objects of a former version may be left over: {error}"));
    }
    let how = (args.mode.dry_run, args.force_conflicts);
    let plan = Plan::make(objects, manifest, &found, how, screen).await?;
    if found.namespace == Standing::Others && args.mode.dry_run == DryRun::None && !plan.is_empty() {
        screen.tell(&format!("Namespace {namespace} is left as it is: what else is in it is never recorded"));
    }
    Ok(Preparation { found, plan, older })
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
    if found.version() != Some(VERSION)
        && let Some(pinned) = pinned(&kept, &asked)
    {
        anyhow::bail!(
            "{pinned} was set for version {}, and would run on in the place of version {VERSION}: give it anew by \
             --set image.tag= or --set image.digest= (with nothing behind it: the image of this version), or \
             forget all that was set by --reset-values",
            found.version().unwrap_or("that is not told")
        );
    }
    screen.tell(&format!("Values kept from before: {before} (--reset-values forgets them)"));
    Ok(kept.with(&asked))
}

/// What names one image, was set before and is not set anew; a digest counts before a tag.
fn pinned(kept: &Values, asked: &Values) -> Option<String> {
    let pinned = |name: &str| {
        let value = kept.text(name).filter(|_| asked.get(name).is_none());
        value.map(|value| format!("{name}={value}"))
    };
    pinned("image.digest").or_else(|| pinned("image.tag").filter(|_| asked.text("image.digest").is_none()))
}

/// By semantic versioning; what is no version is not newer.
fn is_older(ours: &str, installed: Option<&str>) -> bool {
    let parse = |text: &str| Version::parse(text).ok();
    let installed = installed.and_then(parse);
    let (Some(ours), Some(installed)) = (parse(ours), installed) else { return false };
    ours.cmp_precedence(&installed) == Ordering::Less
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_was_set_for_another_version_has_to_be_set_anew() {
        let digest = format!("image.digest=sha256:{}", "a".repeat(64));
        let both = format!("image.tag=v1,{digest}");
        for (kept, asked, expected) in [
            ("replicas=3,image.repository=mirror/webhook", "", None),
            ("image.tag=v1", "", Some("image.tag=v1")),
            ("image.tag=v1", "replicas=3", Some("image.tag=v1")),
            ("image.tag=v1", "image.tag=v2", None),
            ("image.tag=v1", "image.tag=", None),
            ("image.tag=", "", None),
            ("image.tag=v1", &digest, None),
            (&digest, "image.tag=v2", Some(digest.as_str())),
            (&both, "image.tag=v2", Some(digest.as_str())),
            (&both, "image.digest=", Some("image.tag=v1")),
            (&both, &both, None),
        ] {
            let values = |text| Values::parse(text).unwrap();
            let pinned = pinned(&values(kept), &values(asked));
            assert_eq!(pinned.as_deref(), expected, "{kept} {asked}");
        }
    }

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
}
