//! One run of uninstall: what goes, in order, and what is left of it.

use std::process::ExitCode;
use std::time::Instant;

use reload_core::hash_key::HashKey;

use super::hash_key::keep;
use super::leftovers::leftovers;
use super::records::{RecordedPod, purge, recorded};
use super::{Removal, UninstallArgs};
use crate::api::POLL;
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

impl Session<'_> {
    /// Takes it away; says what is left.
    pub(super) async fn run(&self, removal: Removal) -> anyhow::Result<ExitCode> {
        let screen = self.voice.screen;
        let (code, words) = match self.remove(removal).await? {
            End::Done if self.args.mode.dry_run != DryRun::None => return Ok(ExitCode::SUCCESS),
            End::Done => (0, "The webhook is uninstalled.".to_owned()),
            End::Left(whys) => {
                for why in &whys {
                    screen.tell(&format!("error: {why}"));
                }
                (1, "Not all is gone: mend that, and run the same command again.".to_owned())
            }
            End::Interrupted => {
                (INTERRUPTED, "Not all is gone: run the same command again to go on.".to_owned())
            }
        };
        screen.say(&words)?;
        Ok(ExitCode::from(code))
    }

    async fn remove(&self, removal: Removal) -> anyhow::Result<End> {
        let Removal { objects, namespace, pods, leftovers: seen } = removal;
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
            if let Err(why) = self.delete(object).await? {
                left.push(why);
                if object.is(REGISTRATION) {
                    left.push("the webhook runs on, since it is registered".to_owned());
                    return Ok(End::Left(left));
                }
            }
            if self.interrupt.is_raised() {
                return Ok(End::Interrupted);
            }
        }
        if self.args.purge {
            left.extend(self.purge(pods).await?);
        }
        match namespace {
            Some(namespace) if seen.why_kept().is_none() && left.is_empty() => {
                left.extend(self.delete_namespace(&namespace, &objects).await?);
            }
            _ => {}
        }
        if self.interrupt.is_raised() {
            return Ok(End::Interrupted);
        }
        Ok(if left.is_empty() { End::Done } else { End::Left(left) })
    }

    /// Deletes an object, and waits for what would go on without its rights; `Err` says why it is left.
    async fn delete(&self, object: &Object) -> anyhow::Result<Result<(), String>> {
        let mode = self.args.mode.dry_run;
        let waited = object.is(DEPLOYMENT);
        if mode != DryRun::Client
            && let Err(error) = self.objects.delete(object, waited, mode == DryRun::Server).await
        {
            return Ok(Err(error.to_string()));
        }
        if mode == DryRun::None && waited && !self.gone(object).await? {
            return Ok(Err(format!("{} has pods that do not end", object.id)));
        }
        self.voice.screen.say(&format!("{} deleted{}", object.id, mode.suffix()))?;
        Ok(Ok(()))
    }

    /// Waits until an object is gone; `false` when the time is up. An interruption ends the wait.
    async fn gone(&self, object: &Object) -> anyhow::Result<bool> {
        let label = object.id.to_string();
        let bar = Bar::new(self.voice.screen, self.voice.paint_errors, label);
        let deadline = Instant::now() + self.args.timeout;
        let patience = Patience { outage: self.outage, bar: &bar, deadline };
        bar.show("ending");
        let waited = self.interrupt.or(async {
            loop {
                let there = patience.ask(async || self.objects.get(&object.id).await).await?;
                if there.is_none_or(|there| there.uid() != object.uid()) {
                    return Ok(true);
                }
                if Instant::now() >= deadline {
                    return Ok(false);
                }
                bar.tick();
                tokio::time::sleep(POLL).await;
            }
        });
        waited.await.unwrap_or(Ok(true))
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
    async fn purge(&self, seen: Vec<RecordedPod>) -> anyhow::Result<Option<String>> {
        let mode = self.args.mode.dry_run;
        let (pods, failed) = match mode {
            DryRun::Client => (seen.len(), Vec::new()),
            mode => {
                let pods = recorded(self.objects.client).await?;
                let work = purge(self.objects.client, pods, mode == DryRun::Server);
                let Some(purged) = self.interrupt.or(work).await else { return Ok(None) };
                (purged.pods, purged.failed)
            }
        };
        self.voice.screen.say(&format!("records of {pods} pods deleted{}", mode.suffix()))?;
        Ok(failed.first().map(|first| format!("{} pods keep their record: {first}", failed.len())))
    }

    async fn delete_namespace(&self, namespace: &Object, parts: &[Object]) -> anyhow::Result<Option<String>> {
        // Somebody may have put something there meanwhile.
        let now = leftovers(self.objects.client, self.namespace, parts).await;
        if let Some(why) = now.why_kept() {
            self.voice.screen.tell(&why);
            return Ok(None);
        }
        let mode = self.args.mode.dry_run;
        if mode != DryRun::Client
            && let Err(error) = self.objects.delete(namespace, false, mode == DryRun::Server).await
        {
            return Ok(Some(error.to_string()));
        }
        if mode == DryRun::None && !self.gone(namespace).await? {
            return Ok(Some(format!("{} does not end: see its status", namespace.id)));
        }
        self.voice.screen.say(&format!("{} deleted{}", namespace.id, mode.suffix()))?;
        Ok(None)
    }
}
