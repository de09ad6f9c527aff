//! Rollouts under way, which replace drifted pods by themselves.

use std::cell::RefCell;

use futures::TryStreamExt;
use jiff::Timestamp;
use kube::Client;
use reload_core::verdict::{self, RollUp, Rollout, Verdict};

use super::{Reached, WorkloadReport, by_workload, drifts, report, verdicts};
use crate::api::ApiError;
use crate::clock::Clock;
use crate::inventory::{Inventory, PodMetadata};
use crate::pods::PARALLEL;
use crate::rollout::{Progress, Rollable, RolloutError};
use crate::survey::SurveyedPod;

/// Tells drifted workloads whose rollout is replacing the drifted pods from those that stay as they
/// are, at that time; without one, now. Whoever may not read a workload is told that it drifted, which
/// is true.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn find_rolling(
    client: &Client,
    inventory: &Inventory,
    pods: &[SurveyedPod],
    reports: &mut [WorkloadReport],
    at: Option<Timestamp>,
) -> Result<(), ApiError> {
    let drifted = reports
        .iter_mut()
        .filter(|report| report.verdict == Verdict::Drifted && report.workload.kind.is_rollable());
    let mut drifted = drifted.peekable();
    if drifted.peek().is_none() {
        return Ok(());
    }
    let now = match at {
        Some(at) => at,
        None => Clock::of(client).await.now(),
    };
    let (workloads, unread) = (by_workload(pods), RefCell::new(Vec::new()));
    let all = inventory.all_by_workload();
    futures::stream::iter(drifted.map(Ok))
        .try_for_each_concurrent(PARALLEL, async |report| {
            let rollable = match Rollable::get(client, &report.workload).await {
                Ok(rollable) => rollable,
                Err(RolloutError::Api(error @ ApiError::Unreachable { .. })) => return Err(error),
                Err(RolloutError::Api(error)) if !error.is_not_found() => {
                    unread.borrow_mut().push(error.to_string());
                    return Ok(());
                }
                Err(_) => return Ok(()),
            };
            let pods = workloads.get(&report.workload).map_or(&[][..], Vec::as_slice);
            let others = all.get(&report.workload).map_or(&[][..], Vec::as_slice);
            Standing::of(&rollable, inventory, pods, others, now).tell(report, pods);
            Ok(())
        })
        .await?;
    if let [error, others @ ..] = &unread.borrow()[..] {
        let others = match others.len() {
            0 => String::new(),
            others => format!(", and {others} more like it"),
        };
        tracing::warn!("a rollout under way is not found out: {error}{others}");
    }
    Ok(())
}

/// Where the rollout of a workload stands.
struct Standing<'a> {
    rollable: &'a Rollable,
    newest: Option<&'a str>,
    progress: Progress,
}

impl<'a> Standing<'a> {
    /// `others` are pods that nobody asked about: they show as well that it makes progress.
    fn of(
        rollable: &'a Rollable,
        inventory: &'a Inventory,
        pods: &[&SurveyedPod],
        others: &[&PodMetadata],
        now: Timestamp,
    ) -> Self {
        let newest = rollable.newest(inventory);
        let all = pods.iter().map(|pod| &*pod.metadata).chain(others.iter().copied());
        let new_pods = all.filter(|pod| rollable.revision_of(pod.revision()) == newest);
        let last_new_pod = new_pods.map(PodMetadata::created_at).max().filter(|_| newest.is_some());
        Self { rollable, newest, progress: rollable.progress_at(now, last_new_pod) }
    }

    /// Tells a report what the rollout makes of these pods, which are all of the workload.
    fn tell(&self, whole: &mut WorkloadReport, pods: &[&SurveyedPod]) {
        let Some(partition) = self.rollable.partition() else { return self.roll(whole, pods) };
        let (reached, others): (Vec<&SurveyedPod>, Vec<&SurveyedPod>) =
            pods.iter().partition(|pod| partition.reaches(&pod.metadata.name));
        let mut part = report(&whole.workload, &reached);
        self.roll(&mut part, &reached);
        // A drifted pod that it does not reach stays, however it goes on.
        match others.iter().any(|pod| pod.verdict == Verdict::Drifted) {
            true => whole.problem = whole.problem.take().or_else(|| part.problem.clone()),
            false => self.roll(whole, pods),
        }
        whole.reached = Some(Box::new(Reached { partition, report: part, others: drifts(&others) }));
    }

    /// The same, where the rollout replaces all of these.
    fn roll(&self, report: &mut WorkloadReport, pods: &[&SurveyedPod]) {
        let RollUp { verdict, stuck, .. } = self.roll_up(pods);
        report.verdict = verdict;
        if let Progress::Stuck(why) = &self.progress
            && stuck
        {
            report.problem = Some(why.clone());
        }
    }

    fn roll_up(&self, pods: &[&SurveyedPod]) -> RollUp {
        let progress = match &self.progress {
            _ if self.rollable.held().is_some() => verdict::Progress::Still,
            Progress::Complete => verdict::Progress::Still,
            Progress::Underway { .. } => verdict::Progress::Underway,
            Progress::Stuck(_) => verdict::Progress::Stuck,
        };
        let (newest, observed) = (self.newest, self.rollable.is_observed());
        let rollout = Rollout { newest, observed, progress };
        verdict::roll_up(&verdicts(pods, |pod| self.rollable.revision_of(pod)), Some(rollout))
    }
}
