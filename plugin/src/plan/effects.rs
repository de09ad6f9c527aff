//! What a plan does to workloads: their verdicts before and after, compared use by use.

use std::collections::{BTreeMap, BTreeSet};

use reload_core::record::Changes;
use reload_core::reference::{Class, Mode, Reference};
use reload_core::source::SourceId;
use reload_core::verdict::{Certainty, Finding, Reason, Verdict, worst_of};

use super::outcome::{Action, PlannedSource};
use crate::survey::SurveyedPod;
use crate::workload::WorkloadName;

/// A workload that the file reaches.
#[derive(Debug)]
pub(super) struct PlannedWorkload {
    pub(super) workload: WorkloadName,
    /// Pods that run.
    pub(super) pods: usize,
    /// Pods that the file reaches.
    pub(super) affected: usize,
    pub(super) before: (Verdict, Certainty),
    pub(super) after: (Verdict, Certainty),
    /// Sources in order.
    pub(super) effects: Vec<Effect>,
}

/// What a change of one source is to the pods of a workload.
#[derive(Debug)]
pub(super) struct Effect {
    pub(super) source: SourceId,
    pub(super) class: Class,
    pub(super) verdict: Verdict,
    pub(super) certainty: Certainty,
    /// In words.
    pub(super) reason: String,
    pub(super) changes: Changes,
    pub(super) would_not_start: bool,
}

/// Pods compared, with what reaches them.
struct Reached<'a> {
    before: (Verdict, Certainty),
    after: (Verdict, Certainty),
    effects: Vec<Effect>,
    pod: &'a SurveyedPod,
}

/// The workloads of a namespace, as its pods were judged before and with the planned sources.
pub(super) fn of(
    planned: &[&PlannedSource],
    before: &[SurveyedPod],
    after: &[SurveyedPod],
) -> Vec<PlannedWorkload> {
    let planned: BTreeMap<&SourceId, &PlannedSource> =
        planned.iter().map(|source| (&source.id, *source)).collect();
    let before: BTreeMap<&str, &SurveyedPod> =
        before.iter().map(|pod| (pod.metadata.name.as_str(), pod)).collect();
    let mut workloads: BTreeMap<&WorkloadName, Vec<Reached<'_>>> = BTreeMap::new();
    for pod in after {
        // One that came meanwhile reads what is there then.
        let Some(before) = before.get(pod.metadata.name.as_str()) else { continue };
        workloads.entry(&pod.workload).or_default().push(reached(&planned, before, pod));
    }
    workloads.into_iter().map(|(workload, pods)| rolled_up(workload, pods)).collect()
}

fn reached<'a>(
    planned: &BTreeMap<&SourceId, &PlannedSource>,
    before: &SurveyedPod,
    pod: &'a SurveyedPod,
) -> Reached<'a> {
    let unchanged = (before.verdict, before.certainty);
    let references = pod.grounds.as_ref().map(|judged| &*judged.references).unwrap_or_default();
    // Where metadata settled the pod, it did so for all uses.
    let settled =
        if before.findings.is_empty() { unchanged } else { (Verdict::Current, Certainty::Recorded) };
    let (mut effects, mut verdicts) = (Vec::new(), Vec::new());
    for finding in &pod.findings {
        let was =
            before.findings.iter().find(|was| (&was.source, was.mode) == (&finding.source, finding.mode));
        let change = planned.get(&finding.source).filter(|source| reaches(source, finding.mode, references));
        let Some(change) = change else {
            // As it stands: that its source is written again changes nothing for it.
            verdicts.push(was.map_or(settled, |was| (was.verdict, was.certainty)));
            continue;
        };
        verdicts.push((finding.verdict, finding.certainty));
        effects.extend(effect(change, was, finding, references));
    }
    let after = match effects.is_empty() {
        true => unchanged,
        false => worst_of(verdicts),
    };
    Reached { before: unchanged, after, effects, pod }
}

/// Whether a change concerns what the pod uses of the source in this mode.
fn reaches(source: &PlannedSource, mode: Mode, references: &[Reference]) -> bool {
    let mut uses = references.iter().filter(|used| used.source == source.id && used.mode == mode);
    let changes = source.changes(mode);
    source.action == Action::Create
        || uses.any(|used| changes.keys().any(|key| used.keys.contains(key) || used.needs.contains(key)))
}

fn effect(
    source: &PlannedSource,
    was: Option<&Finding>,
    finding: &Finding,
    references: &[Reference],
) -> Option<Effect> {
    let waited = was.is_some_and(|was| was.reason == Reason::Awaited);
    let drifted = was.is_some_and(|was| was.verdict == Verdict::Drifted);
    let reason = match (finding.verdict, &finding.reason) {
        (Verdict::Current, Reason::Reread) => finding.words(),
        (Verdict::Current, _) if waited => "its pods wait for it, and start".to_owned(),
        (Verdict::Current, _) if drifted => "what its pods run on comes back".to_owned(),
        (Verdict::Drifted, Reason::WrittenSinceStart) => {
            finding.words().replacen("written since the start", "changed", 1)
        }
        (Verdict::Drifted | Verdict::Unknown, _) => finding.words(),
        _ => return None,
    };
    let changes = match finding.verdict == Verdict::Drifted && finding.changes != Changes::default() {
        true => finding.changes.clone(),
        false => used(source.changes(finding.mode), finding, references),
    };
    Some(Effect {
        source: finding.source.clone(),
        class: finding.mode.class(),
        verdict: finding.verdict,
        certainty: finding.certainty,
        reason,
        changes,
        would_not_start: finding.would_not_start(),
    })
}

/// Of these changes, those of keys that the pod uses.
fn used(changes: &Changes, finding: &Finding, references: &[Reference]) -> Changes {
    let uses = |key: &&String| {
        references
            .iter()
            .filter(|used| used.source == finding.source && used.mode == finding.mode)
            .any(|used| used.keys.contains(key) || used.needs.contains(*key))
    };
    let keep = |keys: &BTreeSet<String>| keys.iter().filter(uses).cloned().collect();
    Changes { changed: keep(&changes.changed), added: keep(&changes.added), removed: keep(&changes.removed) }
}

fn rolled_up(workload: &WorkloadName, pods: Vec<Reached<'_>>) -> PlannedWorkload {
    let worst = |verdict: fn(&Reached<'_>) -> (Verdict, Certainty)| worst_of(pods.iter().map(verdict));
    let (before, after) = (worst(|pod| pod.before), worst(|pod| pod.after));
    let affected = pods.iter().filter(|pod| !pod.effects.is_empty());
    let affected: BTreeSet<&str> = affected.map(|pod| pod.pod.metadata.name.as_str()).collect();
    let (affected, count) = (affected.len(), pods.len());
    let mut merged: BTreeMap<_, Effect> = BTreeMap::new();
    for effect in pods.into_iter().flat_map(|pod| pod.effects) {
        let key = (
            effect.source.clone(),
            effect.class,
            std::cmp::Reverse(effect.verdict),
            effect.certainty,
            effect.reason.clone(),
        );
        match merged.get_mut(&key) {
            None => drop(merged.insert(key, effect)),
            Some(known) => {
                known.changes.changed.extend(effect.changes.changed);
                known.changes.added.extend(effect.changes.added);
                known.changes.removed.extend(effect.changes.removed);
                known.would_not_start |= effect.would_not_start;
            }
        }
    }
    PlannedWorkload {
        workload: workload.clone(),
        pods: count,
        affected,
        before,
        after,
        effects: merged.into_values().collect(),
    }
}
