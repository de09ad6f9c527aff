//! The text for people: pods that stand alike are shown once.

use std::collections::BTreeSet;

use reload_core::record::By;
use reload_core::verdict::{Certainty, Verdict};

use super::document::{Document, Explained, ExplainedPod, SourceEntry};
use crate::color::{Color, Paint};
use crate::table::printable;

/// So many pods of a group are named.
const FEW: usize = 3;

/// The text of a document.
pub(super) fn text(document: &Document, paint: Paint) -> String {
    let texts: Vec<String> = document.workloads.iter().map(|workload| of_workload(workload, paint)).collect();
    texts.join("\n")
}

fn of_workload(explained: &Explained, paint: Paint) -> String {
    let verdict = verdict(explained.verdict, explained.certainty, paint);
    let mut text = format!("{}: {verdict}\n", printable(&explained.label));
    // That of a pod is told with the pod.
    let of_pod = |problem: &&String| explained.pods.iter().any(|pod| pod.problem.as_ref() == Some(*problem));
    let problem = explained.problem.iter().filter(|problem| !of_pod(problem));
    text += &problem.map(|problem| line(0, problem)).collect::<String>();
    for pods in alike(&explained.pods) {
        text += "\n";
        text += &of_pods(&pods, paint);
    }
    text + "\n" + &line(0, &explained.restart.words)
}

/// Pods of the same findings, the oldest of each group first.
fn alike(pods: &[ExplainedPod]) -> Vec<Vec<&ExplainedPod>> {
    let mut groups: Vec<(String, Vec<&ExplainedPod>)> = Vec::new();
    for pod in pods {
        let shape = shape(pod);
        match groups.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, group)) => group.push(pod),
            None => groups.push((shape, vec![pod])),
        }
    }
    groups.into_iter().map(|(_, pods)| pods).collect()
}

/// All that is shown of a pod but for names and times.
fn shape(pod: &ExplainedPod) -> String {
    let of_source = |entry: &SourceEntry| {
        let SourceEntry { source, uses, verdict, certainty, reason, changed, added, removed, .. } = entry;
        let version = &entry.recorded.resource_version;
        format!(
            "{source} {uses:?} {verdict:?} {certainty:?} {reason} {changed:?} {added:?} {removed:?} {version:?}"
        )
    };
    let sources: Vec<String> = pod.sources.iter().map(of_source).collect();
    let record = pod.record.as_ref().map(|record| record.by);
    let ExplainedPod { verdict, certainty, problem, unrecorded, .. } = pod;
    format!("{verdict:?} {certainty:?} {problem:?} {unrecorded:?} {record:?} {sources:?}")
}

fn of_pods(pods: &[&ExplainedPod], paint: Paint) -> String {
    let Some(first) = pods.first() else { return String::new() };
    let names: Vec<&str> = pods.iter().take(FEW).map(|pod| pod.name.as_str()).collect();
    let names = printable(&names.join(", "));
    let verdict = verdict(first.verdict, first.certainty, paint);
    let mut text = match pods.len() {
        1 => format!("Pod {names}: {verdict}\n"),
        count if count <= FEW => format!("{count} pods alike, {names}: {verdict}\n"),
        count => format!("{count} pods alike, {names} and {} more: {verdict}\n", count - FEW),
    };
    if pods.len() > 1 {
        text += &line(1, &format!("Times are those of {}.", first.name));
    }
    text += &first.problem.iter().map(|problem| line(1, problem)).collect::<String>();
    if let Some(record) = &first.record {
        let occasion = match record.by {
            By::Admission => "at its admission",
            By::Adopt => "when it was adopted",
        };
        text += &line(1, &format!("Created at {}, recorded {occasion}, {}.", first.created_at, record.at));
    }
    let judged = first.problem.is_none() && first.verdict != Verdict::Ignored;
    let idle = judged && first.sources.is_empty();
    if let Some(why) = &first.unrecorded {
        let judged = if idle { "" } else { "judged by times alone: " };
        text += &line(1, &format!("Created at {}; {judged}{why}.", first.created_at));
    }
    if first.verdict == Verdict::Ignored {
        text += &line(1, "It is left out on request.");
    }
    if idle {
        text += &line(1, "It uses no source that is looked at.");
    }
    text + &first.sources.iter().map(|entry| of_source(entry, paint)).collect::<String>()
}

fn of_source(entry: &SourceEntry, paint: Paint) -> String {
    let verdict = verdict(entry.verdict, entry.certainty, paint);
    let mut text = format!("  {}: {verdict}: {}\n", printable(&entry.source), printable(&entry.reason));
    for used in &entry.uses {
        // Before the keys, among which it would look like one.
        let optional = if used.optional { ", optional" } else { "" };
        let by = used.containers.join(", ");
        text += &line(2, &format!("used    {} by {by}{optional}, keys: {}", used.how, used.keys()));
    }
    let keys = |keys: &BTreeSet<String>| keys.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    for (what, named) in [("changed", &entry.changed), ("added", &entry.added), ("removed", &entry.removed)] {
        if !named.is_empty() {
            text += &line(2, &format!("{what:<8}{}", keys(named)));
        }
    }
    text + &entry.evidence.iter().map(|sentence| line(2, sentence)).collect::<String>()
}

/// As `status` has it, and how sure it is.
fn verdict(verdict: Verdict, certainty: Certainty, paint: Paint) -> String {
    match (verdict, certainty) {
        (Verdict::Drifted, Certainty::Recorded) => paint.paint(Color::Red, "Drifted") + " (recorded)",
        (Verdict::Drifted, Certainty::Inferred) => {
            paint.paint(Color::Yellow, "Possibly drifted") + " (inferred)"
        }
        (Verdict::Unknown, _) => paint.paint(Color::Yellow, "Unknown"),
        (Verdict::Rolling, _) => paint.paint(Color::Blue, "Rolling"),
        (Verdict::Current, Certainty::Recorded) => paint.paint(Color::Green, "Current") + " (recorded)",
        (Verdict::Current, Certainty::Inferred) => paint.paint(Color::Green, "Current") + " (inferred)",
        (Verdict::Ignored, _) => "Ignored".to_owned(),
    }
}

/// A line that nothing in it can leave, this deep.
fn line(depth: usize, text: &str) -> String {
    format!("{}{}\n", "  ".repeat(depth), printable(text))
}

#[cfg(test)]
mod tests;
