//! Eviction: the drifted pods themselves are replaced one by one, and templates stay untouched. The
//! way for what a changed template would not roll, and for controllers of others.

mod evictee;

use jiff::Timestamp;
use reload_core::verdict::Verdict;

use super::outcome::Outcome;
use super::refusal;
use super::session::Session;
use super::view::causes;
use crate::dry_run::DryRun;
use crate::findings::find_pod;
use crate::inventory::Inventory;
use crate::patience::Patience;
use crate::report::WorkloadReport;
use crate::restart::Memory;
use crate::rollout::{BrokenPod, Rollable, RolloutError};
use crate::workload::{Kind, WorkloadName};
use evictee::{Evicted, Evictee};

/// Pods of one workload, one after the other.
struct Round {
    begun: Timestamp,
    /// What the workload was restarted for before.
    memory: Option<Memory>,
    /// What is kept on it for the next time.
    kept: Option<Memory>,
    /// By name and uid, in the order in which they are looked at.
    pods: Vec<(String, String)>,
    /// The one without which none after it would be replaced; it comes first.
    broken: Option<BrokenPod>,
    evicted: Vec<WorkloadReport>,
    /// Why others would be evicted in vain.
    in_vain: Option<String>,
}

impl Session<'_> {
    /// Evicts those pods of a workload that still are drifted when it is their turn.
    pub(super) async fn evict(
        &self,
        workload: &WorkloadName,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Outcome> {
        let Some(report) = self.interrupt.or(self.look(workload, patience)).await else {
            return Ok(Outcome::NotBegun);
        };
        if report?.is_some_and(|report| report.verdict == Verdict::Rolling)
            && let Some(outcome) = self.rolled(workload, patience).await?
        {
            return Ok(outcome);
        }
        let Some(round) = self.interrupt.or(self.round(workload, patience)).await else {
            return Ok(Outcome::NotBegun);
        };
        let mut round = round?;
        for (name, uid) in std::mem::take(&mut round.pods) {
            if let Some(outcome) = self.turn(workload, &mut round, &name, uid, patience).await? {
                return Ok(outcome);
            }
        }
        let Some(report) = round.evicted.last() else {
            return Ok(round.in_vain.map_or(Outcome::InSync("is in sync meanwhile"), Outcome::Refused));
        };
        let dry_run = self.args.mode.dry_run != DryRun::None;
        if !dry_run {
            let note = format!("Drifted pods evicted for {}", causes(report));
            self.note(workload, None, "Evict", note).await;
        }
        Ok(match round.in_vain {
            Some(why) => self.left(round.evicted.len(), why),
            None if dry_run => Outcome::Restarted,
            None => self.outcome_of_restart(workload, patience).await,
        })
    }

    /// Of a workload of which some pods were evicted, and others are not to be.
    fn left(&self, evicted: usize, why: String) -> Outcome {
        let did = if self.args.mode.dry_run == DryRun::None { "evicted" } else { "would be evicted" };
        match evicted {
            0 => Outcome::Refused(why),
            count => Outcome::Failed(format!("{count} of its pods {did}; of others, {why}")),
        }
    }

    /// After an interruption; a dry run has evicted none.
    fn stopped(&self, evicted: usize) -> Outcome {
        match evicted {
            _ if self.args.mode.dry_run != DryRun::None => Outcome::NotBegun,
            0 => Outcome::NotBegun,
            1 => Outcome::Begun(
                "had one pod evicted, which is replaced by itself; no other was begun".to_owned(),
            ),
            pods => Outcome::Begun(format!(
                "had {pods} pods evicted, which are replaced by themselves; no other was begun"
            )),
        }
    }

    /// What there is to do.
    async fn round(&self, workload: &WorkloadName, patience: &Patience<'_>) -> anyhow::Result<Round> {
        let begun = self.clock.now();
        let namespace = Some(workload.namespace.as_str());
        let memory = patience.ask(async || Memory::fetch(self.client, workload).await).await?;
        let selector = self.args.scope.selector();
        let inventory =
            patience.ask(async || Inventory::fetch(self.client, namespace, selector).await).await?;
        let broken = match workload.kind {
            Kind::StatefulSet => {
                match patience.ask(async || Rollable::get(self.client, workload).await).await {
                    Ok(seen) => {
                        patience.ask(async || BrokenPod::find(self.client, &seen, begun).await).await?
                    }
                    // Without that right nothing is known of it.
                    Err(error) if is_forbidden(&error) => None,
                    Err(error) => return Err(error),
                }
            }
            _ => None,
        };
        let mut pods = inventory.pods_of(workload);
        pods.sort_by_key(|(name, _)| broken.as_ref().is_none_or(|broken| broken.name != *name));
        Ok(Round { begun, memory, kept: None, pods, broken, evicted: Vec::new(), in_vain: None })
    }

    /// Looks at a pod, and evicts it where it is drifted; an outcome where that is the end.
    async fn turn(
        &self,
        workload: &WorkloadName,
        round: &mut Round,
        name: &str,
        uid: String,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Option<Outcome>> {
        let evicted = round.evicted.len();
        let Some(found) = self.interrupt.or(self.drifted(workload, name, uid, patience)).await else {
            return Ok(Some(self.stopped(evicted)));
        };
        let Some((report, mut evictee)) = found? else { return Ok(None) };
        if let Some(why) = refusal(&report, self.args.strategy) {
            return Ok(Some(self.left(evicted, why)));
        }
        if let Some(broken) = round.broken.as_ref().filter(|broken| broken.blocks(name)) {
            let why = format!("pods after it would not be replaced: {broken}: delete that pod first");
            round.in_vain = Some(why);
            return Ok(None);
        }
        let is_broken = round.broken.take_if(|broken| broken.name == name).is_some();
        if is_broken {
            // It was not ready before, and its successor has to be.
            evictee.wants_one_more();
        }
        let remembered = round.memory.as_ref().filter(|_| !self.args.again);
        if let Some(why) = remembered.and_then(|memory| memory.refusal(&report)) {
            round.in_vain = Some(why);
            return Ok(None);
        }
        if self.args.mode.dry_run == DryRun::None {
            // Before it is evicted: whatever ends this run, the next one knows.
            let reports = round.evicted.iter().chain([&report]);
            let memory = Memory::of(reports, round.begun, round.memory.as_ref());
            if round.kept.as_ref() != Some(&memory) {
                match self.interrupt.or(self.remember(workload, &memory, patience)).await {
                    None => return Ok(Some(self.stopped(evicted))),
                    Some(Err(why)) => return Ok(Some(self.left(evicted, why))),
                    Some(Ok(())) => round.kept = Some(memory),
                }
            }
        }
        if self.args.mode.dry_run != DryRun::Client {
            match self.evict_one(workload, &evictee, patience).await? {
                Evicted::Yes => {}
                Evicted::NotBegun => return Ok(Some(self.stopped(evicted))),
                Evicted::NotAwaited => return Ok(Some(self.stopped(evicted + 1))),
            }
        }
        round.evicted.push(report);
        Ok(None)
    }

    /// A pod as it is judged now, if it is there and drifted in the way that was asked for.
    async fn drifted(
        &self,
        workload: &WorkloadName,
        name: &str,
        uid: String,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Option<(WorkloadReport, Evictee)>> {
        patience.bar.show(&format!("pod {name} is judged again"));
        let found =
            patience.ask(async || find_pod(self.client, workload, &uid, &self.args.judgement).await).await?;
        let Some(report) = found.filter(|report| self.args.selection.takes(report)) else { return Ok(None) };
        let evictee = patience.ask(async || self.evictee(workload, name, uid.clone()).await).await?;
        Ok(evictee.map(|evictee| (report, evictee)))
    }

    /// Keeps what pods were evicted for, so that nobody evicts their successors for the same.
    ///
    /// # Errors
    /// Why they are not to be evicted, since that cannot be kept.
    async fn remember(
        &self,
        workload: &WorkloadName,
        memory: &Memory,
        patience: &Patience<'_>,
    ) -> Result<(), String> {
        match patience.ask(async || memory.keep(self.writes, workload).await).await {
            Ok(()) => Ok(()),
            Err(error) if self.args.again => {
                tracing::warn!("a drift that outlives this eviction will not be told as such: {error}");
                Ok(())
            }
            Err(error) => Err(format!(
                "what its pods are evicted for cannot be kept on it, and a drift that outlives that would have \
                 them evicted time and again: {error}; evict them all the same by --again"
            )),
        }
    }
}

fn is_forbidden(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(RolloutError::Api(error)) if error.is_forbidden())
}
