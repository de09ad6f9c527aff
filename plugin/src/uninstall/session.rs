//! One run of uninstall: what goes, in order, and what is left of it.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Instant;

use reload_core::hash_key::HashKey;

use super::UninstallArgs;
use super::leftovers::leftovers;
use super::records::{RecordedPod, kept_by, purge, recorded, records_of};
use super::removal::Removal;
use super::secrets::{OwnSecret, keep};
use crate::api::{ApiError, POLL};
use crate::bar::Bar;
use crate::dry_run::DryRun;
use crate::install::Voice;
use crate::installation::object::{DEPLOYMENT, Object, REGISTRATION};
use crate::installation::objects::Objects;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::patience::{Outage, Patience};

/// One run.
pub(super) struct Session<'a> {
    pub(super) objects: Objects<'a>,
    pub(super) namespace: &'a str,
    pub(super) args: &'a UninstallArgs,
    /// Whether all that may be part of it could be looked at.
    pub(super) all_seen: bool,
    pub(super) voice: &'a Voice<'a>,
    pub(super) interrupt: &'a Interrupt,
    pub(super) outage: &'a Outage<'a>,
}

/// How far it went.
enum End {
    Done,
    /// What is left, and why.
    Left(Vec<String>),
    Interrupted,
}

/// What became of a thing that was to go.
enum Outcome {
    Gone,
    /// Why it is left.
    Left(String),
    /// Why nothing else is tried, either: nobody answers.
    Unanswered(String),
    /// Nothing is known of it: nobody waited any longer.
    Interrupted,
}

impl Outcome {
    fn failed(error: &ApiError) -> Self {
        match error {
            ApiError::Unreachable { .. } => Self::Unanswered(error.to_string()),
            error => Self::Left(error.to_string()),
        }
    }
}

impl Session<'_> {
    /// Takes it away; says what is left.
    pub(super) async fn run(&self, removal: Removal) -> anyhow::Result<ExitCode> {
        let screen = self.voice.screen;
        let dry_run = self.args.mode.dry_run != DryRun::None;
        let (code, words) = match self.remove(removal).await? {
            End::Done if dry_run => return Ok(ExitCode::from(u8::from(!self.all_seen))),
            End::Done if self.all_seen => (0, "The webhook is uninstalled."),
            End::Done => (1, "What could be looked at of the webhook is uninstalled."),
            End::Left(whys) => {
                for why in &whys {
                    screen.tell(&format!("error: {why}"));
                }
                let words = match dry_run {
                    true => "Not all would go: mend that before.",
                    false => "Not all is gone: mend that, and run the same command again.",
                };
                (1, words)
            }
            End::Interrupted => (INTERRUPTED, "Not all is gone: run the same command again to go on."),
        };
        screen.say(words)?;
        Ok(ExitCode::from(code))
    }

    async fn remove(&self, removal: Removal) -> anyhow::Result<End> {
        let Removal { objects, secrets, namespace, pods, leftovers: seen, .. } = removal;
        let mut left = Vec::new();
        let mut keeps_key = self.args.keep_hash_key;
        for object in &objects {
            if self.interrupt.is_raised() {
                return Ok(End::Interrupted);
            }
            // It goes with its account.
            if keeps_key && !object.is(REGISTRATION) && !object.is(DEPLOYMENT) {
                keeps_key = false;
                if let Err(why) = self.keep_hash_key().await {
                    left.push(format!("{why}. The webhook's account is left, so that its hash key stays"));
                    return Ok(End::Left(left));
                }
            }
            if let Some(end) = heed(self.delete(object).await?, &mut left) {
                return Ok(end);
            }
            if object.is(REGISTRATION) && !left.is_empty() {
                left.push("the webhook runs on, since it is registered".to_owned());
                return Ok(End::Left(left));
            }
        }
        for secret in &secrets {
            if self.interrupt.is_raised() {
                return Ok(End::Interrupted);
            }
            if let Some(end) = heed(self.delete_secret(secret).await?, &mut left) {
                return Ok(end);
            }
        }
        if self.args.purge
            && let Some(end) = heed(self.purge(pods).await?, &mut left)
        {
            return Ok(end);
        }
        if self.interrupt.is_raised() {
            return Ok(End::Interrupted);
        }
        if let Some(namespace) = namespace {
            match seen.why_kept() {
                // Before anything was deleted, somebody was told what else is in it.
                Some(why) if seen.is_unknown() => left.push(why),
                None if left.is_empty() => {
                    let outcome = self.delete_namespace(&namespace, &objects, &secrets).await?;
                    if let Some(end) = heed(outcome, &mut left) {
                        return Ok(end);
                    }
                }
                _ => {}
            }
        }
        Ok(if left.is_empty() { End::Done } else { End::Left(left) })
    }

    /// Deletes an object, and waits for what would go on without its rights.
    async fn delete(&self, object: &Object) -> anyhow::Result<Outcome> {
        let mode = self.args.mode.dry_run;
        let waited = object.is(DEPLOYMENT);
        if mode != DryRun::Client
            && let Err(error) = self.objects.delete(object, waited, mode == DryRun::Server).await
        {
            return Ok(Outcome::failed(&error));
        }
        if mode == DryRun::None && waited {
            let ending = self.ended(object, "has pods that do not end").await;
            if !matches!(ending, Outcome::Gone) {
                return Ok(ending);
            }
        }
        self.deleted(&object.id)
    }

    async fn delete_secret(&self, secret: &OwnSecret) -> anyhow::Result<Outcome> {
        let mode = self.args.mode.dry_run;
        if mode != DryRun::Client
            && let Err(error) =
                secret.delete(self.objects.client, self.namespace, mode == DryRun::Server).await
        {
            return Ok(Outcome::failed(&error));
        }
        self.deleted(secret)
    }

    /// Waits until an object is gone, or the time is up, or somebody wants no more of it.
    async fn ended(&self, object: &Object, lasting: &str) -> Outcome {
        let label = object.id.to_string();
        let bar = Bar::new(self.voice.screen, self.voice.paint_errors, label);
        let deadline = Instant::now() + self.args.timeout;
        let patience = Patience { outage: self.outage, bar: &bar, deadline };
        bar.show("ending");
        let waited = self.interrupt.or(async {
            loop {
                let there = match patience.ask(async || self.objects.get(&object.id).await).await {
                    Ok(there) => there,
                    Err(error) => return Outcome::Unanswered(format!("{}: {error}", object.id)),
                };
                if there.is_none_or(|there| there.uid() != object.uid()) {
                    return Outcome::Gone;
                }
                if Instant::now() >= deadline {
                    return Outcome::Left(format!("{} {lasting}", object.id));
                }
                bar.tick();
                tokio::time::sleep(POLL).await;
            }
        });
        waited.await.unwrap_or(Outcome::Interrupted)
    }

    /// Says so.
    fn deleted(&self, what: impl Display) -> anyhow::Result<Outcome> {
        self.voice.screen.say(&format!("{what} deleted{}", self.args.mode.dry_run.suffix()))?;
        Ok(Outcome::Gone)
    }

    async fn keep_hash_key(&self) -> anyhow::Result<()> {
        let mode = self.args.mode.dry_run;
        let kept = mode == DryRun::Client
            || keep(self.objects.client, self.namespace, mode == DryRun::Server).await?;
        if kept {
            let name = HashKey::SECRET_NAME;
            self.voice.screen.say(&format!("secret/{name} kept{}", mode.suffix()))?;
        }
        Ok(())
    }

    /// Takes records off the pods that were seen, and off those that were made since.
    async fn purge(&self, seen: Vec<RecordedPod>) -> anyhow::Result<Outcome> {
        let mode = self.args.mode.dry_run;
        let client = self.objects.client;
        let (pods, failed) = match mode {
            DryRun::Client => (seen.len(), Vec::new()),
            mode => {
                let pods = match recorded(client).await {
                    Ok(pods) => pods,
                    Err(error) => return Ok(Outcome::failed(&error)),
                };
                let work = purge(client, pods, mode == DryRun::Server);
                let Some(purged) = self.interrupt.or(work).await else { return Ok(Outcome::Interrupted) };
                (purged.pods, purged.failed)
            }
        };
        let outcome = self.deleted(records_of(pods))?;
        Ok(match failed.first() {
            Some(first) => Outcome::Left(kept_by(failed.len(), first)),
            None => outcome,
        })
    }

    async fn delete_namespace(
        &self,
        namespace: &Object,
        parts: &[Object],
        secrets: &[OwnSecret],
    ) -> anyhow::Result<Outcome> {
        // Somebody may have put something there meanwhile.
        let now = leftovers(self.objects.client, self.namespace, parts, secrets).await;
        if let Some(why) = now.why_kept() {
            if now.is_unknown() {
                return Ok(Outcome::Left(why));
            }
            self.voice.screen.tell(&why);
            return Ok(Outcome::Gone);
        }
        let mode = self.args.mode.dry_run;
        if mode != DryRun::Client
            && let Err(error) = self.objects.delete(namespace, false, mode == DryRun::Server).await
        {
            return Ok(Outcome::failed(&error));
        }
        if mode == DryRun::None {
            let ending = self.ended(namespace, "does not end: see its status").await;
            if !matches!(ending, Outcome::Gone) {
                return Ok(ending);
            }
        }
        self.deleted(&namespace.id)
    }
}

/// Notes what is left; gives the end where nothing else is to be tried.
fn heed(outcome: Outcome, left: &mut Vec<String>) -> Option<End> {
    match outcome {
        Outcome::Gone => None,
        Outcome::Left(why) => {
            left.push(why);
            None
        }
        Outcome::Unanswered(why) => {
            left.push(why);
            Some(End::Left(std::mem::take(left)))
        }
        Outcome::Interrupted => Some(End::Interrupted),
    }
}
