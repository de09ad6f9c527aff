//! One run of sync: restarts, so many at once, each judged again right before.

use std::cell::Cell;
use std::time::Instant;

use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;
use reload_core::verdict::Verdict;

use super::{DryRun, Outcome, Strategy, SyncArgs, causes, label, refusal, say, tell_progress};
use crate::api::POLL;
use crate::findings::find;
use crate::report::WorkloadReport;
use crate::restart::{Memory, Restarted, at, restart, tell};
use crate::rollout::{Progress, Rollable};
use crate::scope::Target;
use crate::workload::WorkloadName;

/// One run of sync.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    /// Hears a refused eviction at once.
    pub(super) evictions: &'a Client,
    pub(super) args: &'a SyncArgs,
}

impl Session<'_> {
    /// Restarts them, so many at once, and says how each went; after a failure no more are begun.
    /// True when one was left drifted.
    pub(super) async fn restart_all(&self, ready: &[&WorkloadReport]) -> std::io::Result<bool> {
        let failed = Cell::new(false);
        let mut outcomes = futures::stream::iter(ready)
            .map(async |report| match failed.get() && !self.args.keep_going {
                true => (*report, Outcome::NotBegun),
                false => (*report, self.restart_one(&report.workload).await),
            })
            .buffer_unordered(self.args.max_parallel.into());
        let mut not_begun = 0;
        while let Some((report, outcome)) = outcomes.next().await {
            let workload = label(&report.workload);
            let causes = causes(report);
            match outcome {
                Outcome::Restarted => say(&self.done(&workload, &causes))?,
                Outcome::InSync(why) => say(&format!("{workload} {why}"))?,
                Outcome::Refused(why) => {
                    say(&format!("{workload} not restarted: {why}"))?;
                    failed.set(true);
                }
                Outcome::Failed(why) => {
                    say(&format!("{workload} failed: {why}"))?;
                    failed.set(true);
                }
                Outcome::NotBegun => not_begun += 1,
            }
        }
        if not_begun > 0 {
            say(&format!("{not_begun} more not restarted; --keep-going would have gone on"))?;
        }
        Ok(failed.get())
    }

    fn done(&self, workload: &str, causes: &str) -> String {
        let (did, would) = match self.args.strategy {
            Strategy::Restart => ("restarted", "would be restarted"),
            Strategy::Evict => {
                ("got new pods for the drifted ones", "would get new pods for the drifted ones")
            }
        };
        match self.args.dry_run {
            DryRun::None => format!("{workload} {did} ({causes})"),
            DryRun::Client => format!("{workload} {would} ({causes}) (dry run)"),
            DryRun::Server => format!("{workload} {would} ({causes}) (server dry run)"),
        }
    }

    async fn restart_one(&self, workload: &WorkloadName) -> Outcome {
        let deadline = Instant::now() + self.args.timeout;
        let tried = match self.args.strategy {
            Strategy::Restart => self.try_restart(workload, deadline).await,
            Strategy::Evict => self.evict(workload, deadline).await,
        };
        match tried {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    /// Judges a workload again and restarts it if it still is drifted, under the version that was
    /// judged; waits for a rollout that replaces the drifted pods already.
    async fn try_restart(&self, workload: &WorkloadName, deadline: Instant) -> anyhow::Result<Outcome> {
        let target = Target { kind: workload.kind.clone(), name: Some(workload.name.clone()) };
        loop {
            let seen = Rollable::get(self.client, workload).await?;
            if let Some(why) = seen.held() {
                return Ok(Outcome::Refused(format!("a restart would not roll: {why}")));
            }
            let namespace = Some(workload.namespace.as_str());
            let targets = std::slice::from_ref(&target);
            let found = find(self.client, namespace, None, targets, &self.args.judgement).await?;
            let Some(report) = found.iter().find(|report| report.verdict >= Verdict::Rolling) else {
                return Ok(Outcome::InSync("is in sync meanwhile"));
            };
            if report.verdict == Verdict::Rolling || !seen.is_observed() {
                if self.args.dry_run != DryRun::None || !self.args.wait {
                    return Ok(Outcome::InSync("is rolling already"));
                }
                self.wait(workload, None, deadline).await?;
                continue;
            }
            if !self.args.selection.takes(report) {
                return Ok(Outcome::InSync("is no longer drifted in the way that was asked for"));
            }
            if let Some(why) = refusal(report, self.args.strategy) {
                return Ok(Outcome::Refused(why));
            }
            let remembered = seen.restarted_for().filter(|_| !self.args.again);
            if let Some(why) = remembered.and_then(|memory| memory.refusal(report)) {
                return Ok(Outcome::Refused(why));
            }
            if self.args.dry_run == DryRun::Client {
                return Ok(Outcome::Restarted);
            }
            if let Some(outcome) = self.patch(workload, &seen, report, deadline).await? {
                return Ok(outcome);
            }
            anyhow::ensure!(Instant::now() < deadline, "others keep changing it: try again");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Writes the restart, and waits for it; `None` where it has to be judged again.
    async fn patch(
        &self,
        workload: &WorkloadName,
        seen: &Rollable,
        report: &WorkloadReport,
        deadline: Instant,
    ) -> anyhow::Result<Option<Outcome>> {
        let now = Timestamp::now();
        let dry_run = self.args.dry_run == DryRun::Server;
        match restart(self.client, workload, seen, now, &Memory::of(report, now), dry_run).await? {
            Restarted::Conflict | Restarted::Unchanged => return Ok(None),
            Restarted::Yes if dry_run => return Ok(Some(Outcome::Restarted)),
            Restarted::Yes => {}
        }
        let note = format!("Restarted for {}", causes(report));
        tell(self.client, workload, seen.uid(), "Restart", note, now).await;
        if self.args.wait {
            tell_progress(&format!("{} restarting ({})", label(workload), causes(report)));
            self.wait(workload, Some(at(now)), deadline).await?;
        }
        Ok(Some(Outcome::Restarted))
    }

    /// Waits until a workload's rollout is complete, telling how far it is. `restarted_at` is what
    /// the restart has written, and what must not be taken back.
    async fn wait(
        &self,
        workload: &WorkloadName,
        restarted_at: Option<String>,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        let place = format!("{workload} -n {}", workload.namespace);
        let mut told = None;
        loop {
            let rollable = Rollable::get(self.client, workload).await?;
            if restarted_at.is_some() && rollable.restarted_at() != restarted_at.as_deref() {
                anyhow::bail!(
                    "somebody took the restart back: see who writes its template with kubectl get {place} \
                     --show-managed-fields -o yaml"
                );
            }
            let progress = rollable.progress();
            match &progress {
                Progress::Complete => return Ok(()),
                Progress::Stuck(why) => anyhow::bail!("{why}: see kubectl describe {place}"),
                Progress::Underway { .. } if Instant::now() >= deadline => anyhow::bail!(
                    "not healthy within {:?} ({progress}): see kubectl rollout status {place}, or give it longer \
                     by --timeout",
                    self.args.timeout
                ),
                Progress::Underway { .. } => {}
            }
            if told.as_ref() != Some(&progress) {
                tell_progress(&format!("{}: {progress}", label(workload)));
                told = Some(progress);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
