//! The restart itself: written once, whatever becomes of the answer.

use std::cell::Cell;
use std::time::Duration;

use jiff::Timestamp;

use super::outcome::Outcome;
use super::session::Session;
use super::view::causes;
use crate::dry_run::DryRun;
use crate::patience::{Passing, Patience};
use crate::report::WorkloadReport;
use crate::restart::{Memory, Restarted, at, restart, tell};
use crate::rollout::Rollable;
use crate::workload::WorkloadName;

/// How long an Event may take, which is a courtesy.
const EVENT: Duration = Duration::from_secs(5);

/// How long a write that was sent may go on without an answer when everything is to end.
const GRACE: Duration = Duration::from_secs(5);

impl Session<'_> {
    /// Writes the restart, and waits for it where that is wanted, else gives what is expected of it; `None`
    /// where it has to be judged again.
    pub(super) async fn patch(
        &self,
        workload: &WorkloadName,
        seen: &Rollable,
        report: &WorkloadReport,
        expected: Outcome,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Option<Outcome>> {
        let now = self.clock.now();
        let memory = Memory::of([report], now, seen.restarted_for().as_ref());
        let dry_run = self.args.mode.dry_run == DryRun::Server;
        match self.write(workload, seen, now, &memory, patience).await? {
            Restarted::Conflict | Restarted::Unchanged => return Ok(None),
            Restarted::Yes if dry_run => return Ok(Some(expected)),
            Restarted::Yes => {}
        }
        let note = format!("Restarted for {}", causes(report));
        self.note(workload, seen.uid(), "Restart", note).await;
        if !self.args.wait {
            return Ok(Some(expected));
        }
        patience.bar.tell(&format!("restarting ({})", causes(report)));
        let waited = self.interrupt.or(self.wait(workload, Some(at(now)), patience)).await;
        let Some(waited) = waited else {
            return Ok(Some(Outcome::Begun(format!(
                "restarted ({}) and not waited for: its rollout goes on by itself, see kubectl rollout status \
                 {workload} -n {}",
                causes(report),
                workload.namespace
            ))));
        };
        waited?;
        Ok(Some(self.outcome_of_restart(workload, patience).await))
    }

    /// Sends the restart until there is an answer. It is always the same one, under the version that was
    /// seen, so that it takes effect once; where an answer was lost, what is written tells whose it is.
    async fn write(
        &self,
        workload: &WorkloadName,
        seen: &Rollable,
        now: Timestamp,
        memory: &Memory,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Restarted> {
        let dry_run = self.args.mode.dry_run == DryRun::Server;
        let (sent, answered) = (Cell::new(0_u32), Cell::new(0_u32));
        let written = patience.ask(async || {
            sent.set(sent.get() + 1);
            let result = restart(self.writes, workload, seen, now, memory, dry_run).await;
            let lost = result.as_ref().is_err_and(|error| error.passing().is_some());
            answered.set(answered.get() + u32::from(!lost));
            result
        });
        let written = self.answer(written).await;
        let lost = sent.get() > answered.get();
        match written {
            Ok(Restarted::Conflict) if lost => {
                let there = patience.ask(async || Rollable::get(self.client, workload).await).await?;
                let ours = there.restarted_at() == Some(at(now).as_str())
                    && there.restarted_for().as_ref() == Some(memory);
                Ok(if ours { Restarted::Yes } else { Restarted::Conflict })
            }
            Err(error) if lost => anyhow::bail!(
                "whether it was restarted is not known, for want of an answer ({error}): run sync again, which \
                 restarts nothing twice"
            ),
            written => written,
        }
    }

    /// What comes of a write that was sent, whose answer is not waited for long when everything is to end.
    pub(super) async fn answer<T>(
        &self,
        write: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let grace = async {
            self.interrupt.raised().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            answer = write => answer,
            () = grace => Err(anyhow::anyhow!("the cluster does not answer")),
        }
    }

    /// Leaves an Event, if that takes no time.
    pub(super) async fn note(&self, workload: &WorkloadName, uid: Option<&str>, action: &str, note: String) {
        let told = tell(self.writes, workload, uid, action, note, self.clock.now());
        if tokio::time::timeout(EVENT, told).await.is_err() {
            tracing::info!("no Event was left on {workload}: the cluster does not answer");
        }
    }
}
