//! One run of install: what is planned is written, the server before its registration, and waited for.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::Voice;
use super::change::Change;
use super::plan::{Plan, Step};
use super::view::View;
use crate::bar::Bar;
use crate::installation::NAME;
use crate::installation::object::{Object, REGISTRATION};
use crate::installation::objects::{ApplyError, How, Objects};
use crate::installation::proof::{Probe, Proof};
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::patience::{Outage, Patience};

/// One run.
pub(super) struct Session<'a> {
    pub(super) objects: Objects<'a>,
    pub(super) namespace: &'a str,
    /// Takes fields over that others own.
    pub(super) force: bool,
    /// How long is waited at most; `None`: not at all.
    pub(super) wait: Option<Duration>,
    pub(super) view: View<'a>,
    pub(super) voice: &'a Voice<'a>,
    pub(super) interrupt: &'a Interrupt,
    pub(super) outage: &'a Outage<'a>,
}

/// Why it was not brought to its end.
enum Stop {
    Interrupted,
    /// The webhook is not as it should be: why, and what to do.
    Failed(String),
    /// Something cannot be done at all.
    Error(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Session<'_> {
    /// Does what is planned; says how it went. `registered` is whether a webhook was before.
    pub(super) async fn run(&self, plan: &Plan, registered: bool) -> anyhow::Result<ExitCode> {
        let screen = self.voice.screen;
        match self.write_and_wait(plan, registered).await {
            Ok(words) => {
                screen.say(&words)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(Stop::Interrupted) => {
                screen.say("Not all is done: run the same command again to go on.")?;
                Ok(ExitCode::from(INTERRUPTED))
            }
            Err(Stop::Failed(why)) => {
                screen.tell(&format!("error: {why}"));
                Ok(ExitCode::from(1))
            }
            Err(Stop::Error(error)) => Err(error),
        }
    }

    async fn write_and_wait(&self, plan: &Plan, registered: bool) -> Result<String, Stop> {
        let (registration, server): (Vec<&Step>, Vec<&Step>) =
            plan.steps.iter().partition(|step| step.object.is(REGISTRATION));
        // Pods from before may have to go on: nothing is taken from them until new ones are ready.
        let (narrower, server): (Vec<&Step>, Vec<&Step>) =
            server.into_iter().partition(|step| step.narrows());
        for both in narrower.iter().filter_map(|step| step.meanwhile()) {
            self.apply(&both, "configured, with the rights from before").await?;
        }
        self.write(&server).await?;
        let mut proven = None;
        match self.wait {
            None => {
                self.write(&narrower).await?;
                self.write(&registration).await?;
            }
            Some(timeout) => {
                let label = format!("deployment/{NAME} in {}", self.namespace);
                let bar = Bar::new(self.voice.screen, self.voice.paint_errors, label);
                let deadline = Instant::now() + timeout;
                let patience = Patience { outage: self.outage, bar: &bar, deadline };
                let ready = self.unless_interrupted(self.rolled_out(&patience)).await?;
                ready.map_err(|error| Stop::Failed(self.view.not_ready(&error, registered)))?;
                self.write(&narrower).await?;
                self.write(&registration).await?;
                let recording = self.unless_interrupted(self.proven(plan, &patience)).await?;
                proven = Some(recording.map_err(|error| Stop::Failed(self.view.not_recording(&error)))?);
            }
        }
        self.delete_former(plan).await?;
        Ok(self.view.summary(plan.is_empty(), proven.as_deref()))
    }

    async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        self.interrupt.or(work).await.ok_or(Stop::Interrupted)
    }

    /// Applies what differs, in order.
    async fn write(&self, steps: &[&Step]) -> Result<(), Stop> {
        for Step { object, change, .. } in steps.iter().filter(|step| step.change != Change::Unchanged) {
            self.apply(object, change.done()).await?;
        }
        Ok(())
    }

    /// Applies an object, and says so by these words.
    async fn apply(&self, object: &Object, words: &str) -> Result<(), Stop> {
        if self.interrupt.is_raised() {
            return Err(Stop::Interrupted);
        }
        let error = match self.objects.apply(object, How { dry_run: false, force: self.force }).await {
            Ok(_) => {
                self.voice.screen.say(&format!("{} {words}", object.id))?;
                return Ok(());
            }
            Err(ApplyError::Conflicts(conflicts)) => {
                let fields: Vec<&str> = conflicts.iter().map(|conflict| conflict.field.as_str()).collect();
                let (id, fields) = (&object.id, fields.join(", "));
                anyhow::anyhow!("{id}: somebody has just set {fields}: run the same command again to see it")
            }
            Err(error) => {
                anyhow::anyhow!("{error}. What was written before stays; run the same command again to go on")
            }
        };
        Err(Stop::Error(error))
    }

    /// Waits until the API server trusts the webhook and has it record a pod; gives the namespace in
    /// which that was tried.
    async fn proven(&self, plan: &Plan, patience: &Patience<'_>) -> anyhow::Result<String> {
        let registration = self.trusted(patience).await?;
        patience.bar.tell("is ready; trying a pod by dry run");
        let probe = Probe {
            client: self.objects.client,
            namespace: self.namespace,
            account: NAME,
            image: plan.image(),
            secrets: plan.records_secrets(),
        };
        let webhooks = registration.webhooks.as_deref().unwrap_or_default();
        match probe.prove(webhooks, patience.deadline).await {
            Proof::Recorded(namespace) => Ok(namespace),
            Proof::Unrecorded { namespace, why } => {
                anyhow::bail!("a pod that was tried in namespace {namespace} {why}")
            }
            Proof::Untried(whys) | Proof::Failed(whys) => {
                anyhow::bail!("no pod could be tried ({}): it may record all the same", whys.join("; "))
            }
        }
    }

    async fn delete_former(&self, plan: &Plan) -> Result<(), Stop> {
        for object in &plan.former {
            if self.interrupt.is_raised() {
                return Err(Stop::Interrupted);
            }
            self.objects.delete(object, false, false).await.map_err(|error| {
                Stop::Failed(format!(
                    "{error}. It is not part of this version, and harmless: delete it yourself"
                ))
            })?;
            self.voice.screen.say(&format!("{} deleted", object.id))?;
        }
        Ok(())
    }
}
