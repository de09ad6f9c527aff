//! One run of sync: restarts, so many at once, each judged again right before.

use std::cell::Cell;
use std::time::Instant;

use futures::StreamExt;
use kube::Client;
use reload_core::verdict::Verdict;

use super::outcome::{Outcome, Tally};
use super::view::{View, causes, label};
use super::{Strategy, SyncArgs, refusal};
use crate::api::POLL;
use crate::bar::Bar;
use crate::clock::Clock;
use crate::color::Paint;
use crate::dry_run::DryRun;
use crate::findings::find;
use crate::interrupt::Interrupt;
use crate::patience::{Outage, Patience};
use crate::report::WorkloadReport;
use crate::rollout::{BrokenPod, PAST_BROKEN_POD, Partition, Rollable};
use crate::scope::Target;
use crate::screen::Screen;
use crate::workload::WorkloadName;

/// One run of sync.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    /// Hears a refusal at once, and knows of every try.
    pub(super) writes: &'a Client,
    pub(super) args: &'a SyncArgs,
    pub(super) view: View,
    pub(super) screen: &'a Screen,
    pub(super) paint: Paint,
    pub(super) interrupt: &'a Interrupt,
    pub(super) outage: &'a Outage<'a>,
    /// What restarts are dated by: a Rollout does not restart before the time that it is told.
    pub(super) clock: Clock,
}

/// A workload as it is right before it would be restarted.
enum Judged {
    /// Nothing is to be done, and why.
    Settled(Outcome),
    /// A rollout replaces its pods already, but for what a partition keeps from it of those that are drifted.
    Rolling(Option<Partition>),
    /// It is to be restarted, if it still is as it was seen; and what comes of that, as far as can be told
    /// before the rollout.
    Drifted(Box<Rollable>, Box<WorkloadReport>, Outcome),
}

impl Session<'_> {
    /// Restarts them, so many at once, and says how each went; after a failure or an interruption no
    /// more are begun.
    pub(super) async fn restart_all(
        &self,
        ready: &[&WorkloadReport],
        tally: &mut Tally,
    ) -> std::io::Result<()> {
        let failed = Cell::new(false);
        let mut outcomes = futures::stream::iter(ready)
            .map(async |report| {
                let stopped = self.interrupt.is_raised() || (failed.get() && !self.args.keep_going);
                match stopped {
                    true => (*report, Outcome::NotBegun),
                    false => (*report, self.restart_one(&report.workload).await),
                }
            })
            .buffer_unordered(self.args.max_parallel.into());
        let mut not_begun = Vec::new();
        while let Some((report, outcome)) = outcomes.next().await {
            tally.count(&outcome);
            failed.set(failed.get() || outcome.is_bad());
            match self.view.sentence(report, &outcome) {
                Some(line) => self.screen.say(&line)?,
                None => not_begun.push(label(&report.workload)),
            }
        }
        for line in self.view.not_begun(&not_begun, self.interrupt.is_raised()) {
            self.screen.say(&line)?;
        }
        Ok(())
    }

    async fn restart_one(&self, workload: &WorkloadName) -> Outcome {
        let bar = Bar::new(self.screen, self.paint, label(workload));
        let deadline = Instant::now() + self.args.timeout;
        let patience = Patience { outage: self.outage, bar: &bar, deadline };
        let tried = match self.args.strategy {
            Strategy::Restart => self.try_restart(workload, &patience).await,
            Strategy::Evict => self.evict(workload, &patience).await,
        };
        tried.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
    }

    /// Judges a workload again and restarts it if it still is drifted, under the version that was
    /// judged; waits for a rollout that replaces the drifted pods already.
    async fn try_restart(&self, workload: &WorkloadName, patience: &Patience<'_>) -> anyhow::Result<Outcome> {
        loop {
            let Some(judged) = self.interrupt.or(self.judge(workload, patience)).await else {
                return Ok(Outcome::NotBegun);
            };
            match judged? {
                Judged::Settled(outcome) => return Ok(outcome),
                Judged::Rolling(beyond) => match (self.rolled(workload, patience).await?, beyond) {
                    (Some(Outcome::InSync(rolling)), Some(partition)) => {
                        return Ok(Outcome::Refused(format!("it {rolling}, and {partition}")));
                    }
                    (Some(outcome), _) => return Ok(outcome),
                    (None, _) => {}
                },
                Judged::Drifted(seen, report, expected) => {
                    if self.args.mode.dry_run == DryRun::Client {
                        return Ok(expected);
                    }
                    if let Some(outcome) = self.patch(workload, &seen, &report, expected, patience).await? {
                        return Ok(outcome);
                    }
                    anyhow::ensure!(Instant::now() < patience.deadline, "others keep changing it: try again");
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    /// Waits for a rollout that replaces the drifted pods already; an outcome where that is all.
    pub(super) async fn rolled(
        &self,
        workload: &WorkloadName,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Option<Outcome>> {
        if self.args.mode.dry_run != DryRun::None || !self.args.wait {
            return Ok(Some(Outcome::InSync("is rolling already")));
        }
        match self.interrupt.or(self.wait(workload, None, patience)).await {
            Some(rolled) => rolled.map(|()| None),
            None => Ok(Some(Outcome::NotBegun)),
        }
    }

    async fn judge(&self, workload: &WorkloadName, patience: &Patience<'_>) -> anyhow::Result<Judged> {
        patience.bar.show("judged again");
        let seen = patience.ask(async || Rollable::get(self.client, workload).await).await?;
        if let Some(why) = seen.held() {
            return Ok(Judged::Settled(Outcome::Refused(format!("a restart would not roll: {why}"))));
        }
        let remembered = seen.restarted_for().filter(|_| !self.args.again);
        let in_vain = |report: &WorkloadReport| remembered.as_ref().and_then(|memory| memory.refusal(report));
        let mut report = self.look(workload, patience).await?;
        if report.as_ref().is_some_and(|report| in_vain(report).is_some()) {
            // A rollout that ended after the pods were listed has ended them, too.
            report = self.look(workload, patience).await?;
        }
        if let Some(partition) = report.as_ref().and_then(WorkloadReport::out_of_reach) {
            let why = format!("a restart would not roll: {partition}");
            return Ok(Judged::Settled(Outcome::Refused(why)));
        }
        let reached = report.as_ref().and_then(|report| report.reached.as_ref());
        let beyond = reached.filter(|reached| self.args.selection.takes_any(&reached.others));
        let beyond = beyond.map(|reached| reached.partition);
        let report = report.map(WorkloadReport::into_reached);
        let Some(report) = report.filter(|report| report.verdict >= Verdict::Unknown) else {
            return Ok(Judged::Settled(Outcome::InSync("is in sync meanwhile")));
        };
        if report.verdict == Verdict::Unknown {
            let why = format!("whether it drifted is not known any more ({})", causes(&report));
            return Ok(Judged::Settled(Outcome::Refused(why)));
        }
        if report.verdict == Verdict::Rolling || !seen.is_observed() {
            return Ok(Judged::Rolling(beyond));
        }
        if !self.args.selection.takes(&report) {
            return Ok(Judged::Settled(match beyond {
                Some(partition) => Outcome::Refused(format!("a restart would not roll: {partition}")),
                None => Outcome::InSync("is no longer drifted in the way that was asked for"),
            }));
        }
        if let Some(why) = refusal(&report, self.args.strategy).or_else(|| in_vain(&report)) {
            return Ok(Judged::Settled(Outcome::Refused(why)));
        }
        let now = self.clock.now();
        if let Some(pod) = patience.ask(async || BrokenPod::find(self.client, &seen, now).await).await? {
            let why = format!("a restart would not roll: {pod}: {PAST_BROKEN_POD}");
            return Ok(Judged::Settled(Outcome::Refused(why)));
        }
        let partly = |partition: Partition| Outcome::Partly(partition.to_string());
        let expected = beyond.map_or(Outcome::Restarted, partly);
        Ok(Judged::Drifted(Box::new(seen), Box::new(report), expected))
    }

    /// The workload as it is judged now, by the pods that are asked for; `None` where it has none.
    pub(super) async fn look(
        &self,
        workload: &WorkloadName,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Option<WorkloadReport>> {
        let targets = [Target { kind: workload.kind.clone(), name: Some(workload.name.clone()) }];
        let namespace = Some(workload.namespace.as_str());
        let found = patience
            .ask(async || {
                let selector = self.args.scope.selector();
                find(self.client, namespace, selector, &targets, &self.args.judgement).await
            })
            .await?;
        Ok(found.into_iter().find(|report| report.workload == *workload))
    }

    /// What a workload that was brought in sync is drifted by again, if so: a source may have changed
    /// meanwhile.
    pub(super) async fn outcome_of_restart(
        &self,
        workload: &WorkloadName,
        patience: &Patience<'_>,
    ) -> Outcome {
        patience.bar.show("judged again");
        match self.interrupt.or(self.look(workload, patience)).await {
            Some(Ok(Some(report))) if self.args.selection.takes(&report) => match report.out_of_reach() {
                Some(partition) if self.args.strategy == Strategy::Restart => {
                    Outcome::Partly(partition.to_string())
                }
                _ => Outcome::Again(causes(&report)),
            },
            // It was restarted in any case.
            _ => Outcome::Restarted,
        }
    }
}
