//! One run of install: what is planned is written, the server before its registration, and waited for.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::change::Change;
use super::plan::{Plan, Step};
use super::proof::{Proof, prove};
use super::{VERSION, Voice};
use crate::bar::Bar;
use crate::installation::NAME;
use crate::installation::object::REGISTRATION;
use crate::installation::objects::{ApplyError, How, Objects};
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
    pub(super) voice: &'a Voice<'a>,
    pub(super) interrupt: &'a Interrupt,
    pub(super) outage: &'a Outage<'a>,
}

/// What was begun, and not brought to its end.
enum Stop {
    Interrupted,
    /// Why, and what to do.
    Failed(String),
}

type Done<T = ()> = anyhow::Result<Result<T, Stop>>;

impl Session<'_> {
    /// Does what is planned; says how it went.
    pub(super) async fn run(&self, plan: &Plan, upgrade: bool) -> anyhow::Result<ExitCode> {
        let screen = self.voice.screen;
        match self.write_and_wait(plan, upgrade).await? {
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
        }
    }

    async fn write_and_wait(&self, plan: &Plan, upgrade: bool) -> Done<String> {
        let (registration, server): (Vec<&Step>, Vec<&Step>) =
            plan.steps.iter().partition(|step| step.object.is(REGISTRATION));
        if let Err(stop) = self.write(&server).await? {
            return Ok(Err(stop));
        }
        let bar = Bar::new(
            self.voice.screen,
            self.voice.paint_errors,
            format!("deployment/{NAME} in {}", self.namespace),
        );
        let deadline = Instant::now() + self.wait.unwrap_or_default();
        let patience = Patience { outage: self.outage, bar: &bar, deadline };
        if self.wait.is_some() {
            let waited = self.interrupt.or(self.rolled_out(&patience)).await;
            match waited {
                None => return Ok(Err(Stop::Interrupted)),
                Some(Ok(())) => {}
                Some(Err(error)) => return Ok(Err(Stop::Failed(self.not_ready(&error, upgrade)))),
            }
        }
        if let Err(stop) = self.write(&registration).await? {
            return Ok(Err(stop));
        }
        let mut proven = None;
        if self.wait.is_some() {
            let waited = self.interrupt.or(self.proven(plan, &patience)).await;
            match waited {
                None => return Ok(Err(Stop::Interrupted)),
                Some(Ok(namespace)) => proven = Some(namespace),
                Some(Err(error)) => return Ok(Err(Stop::Failed(self.not_recording(&error)))),
            }
        }
        drop(bar);
        if let Err(stop) = self.delete_former(plan).await? {
            return Ok(Err(stop));
        }
        Ok(Ok(self.summary(plan, proven.as_deref())))
    }

    /// Applies what differs, in order.
    async fn write(&self, steps: &[&Step]) -> Done {
        for Step { object, change } in steps {
            if *change == Change::Unchanged {
                continue;
            }
            if self.interrupt.is_raised() {
                return Ok(Err(Stop::Interrupted));
            }
            let how = How { dry_run: false, force: self.force };
            match self.objects.apply(object, how).await {
                Ok(_) => self.voice.screen.say(&format!("{} {}", object.id, change.done()))?,
                Err(ApplyError::Conflicts(conflicts)) => {
                    let fields: Vec<&str> =
                        conflicts.iter().map(|conflict| conflict.field.as_str()).collect();
                    anyhow::bail!(
                        "{}: somebody has just set {}: run the same command again to see it",
                        object.id,
                        fields.join(", ")
                    );
                }
                Err(error) => {
                    anyhow::bail!(
                        "{error}. What was written before stays; run the same command again to go on"
                    )
                }
            }
        }
        Ok(Ok(()))
    }

    /// Waits until the API server trusts the webhook and has it record a pod; gives the namespace in
    /// which that was tried.
    async fn proven(&self, plan: &Plan, patience: &Patience<'_>) -> anyhow::Result<String> {
        let registration = self.trusted(patience).await?;
        patience.bar.tell("is ready; trying a pod by dry run");
        match prove(self.objects.client, &registration, plan.image(), patience.deadline).await {
            Proof::Recorded(namespace) => Ok(namespace),
            Proof::Unrecorded(namespace) => {
                anyhow::bail!("a pod that was tried in namespace {namespace} came back without a record")
            }
            Proof::Untried(whys) => {
                anyhow::bail!("no pod could be tried ({}): it may record all the same", whys.join("; "))
            }
        }
    }

    async fn delete_former(&self, plan: &Plan) -> Done {
        for object in &plan.former {
            if self.interrupt.is_raised() {
                return Ok(Err(Stop::Interrupted));
            }
            if let Err(error) = self.objects.delete(object, false, false).await {
                return Ok(Err(Stop::Failed(format!(
                    "{error}. It is not part of this version, and harmless: delete it yourself"
                ))));
            }
            self.voice.screen.say(&format!("{} deleted", object.id))?;
        }
        Ok(Ok(()))
    }

    fn not_ready(&self, error: &anyhow::Error, upgrade: bool) -> String {
        let rest = match upgrade {
            true => "The registration and the pods from before are as they were",
            false => "It is not registered, so that no pod is sent to it",
        };
        format!("the webhook is not ready: {error}. {rest}. {}", self.remedy())
    }

    fn not_recording(&self, error: &anyhow::Error) -> String {
        format!("that pods are recorded is not proven: {error}. Nothing was taken back. {}", self.remedy())
    }

    fn remedy(&self) -> String {
        let place = match self.namespace {
            NAME => String::new(),
            namespace => format!(" --install-namespace {namespace}"),
        };
        format!("Look what is wrong with: kubectl reload doctor{place}")
    }

    fn summary(&self, plan: &Plan, proven: Option<&str>) -> String {
        let namespace = self.namespace;
        let what = match plan.is_empty() {
            true => format!("Nothing to change: version {VERSION} is installed in namespace {namespace}"),
            false => format!("Version {VERSION} is installed in namespace {namespace}"),
        };
        match proven {
            Some(tried) => {
                format!("{what}, and records pods: one tried in namespace {tried} came back with a record.")
            }
            None => format!("{what}; it was not waited for: see kubectl reload doctor."),
        }
    }
}
