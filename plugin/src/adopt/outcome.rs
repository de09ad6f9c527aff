//! What came of each pod, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::document::API_VERSION;
use crate::dry_run::DryRun;
use crate::table::printable;
use crate::workload::{Kind, WorkloadName};

/// What came of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is to be adopted.
    Ready,
    /// It has a first record now, or would have.
    Adopted,
    /// It has a record of its own.
    Recorded,
    /// It uses no source.
    NothingToRecord,
    /// It was left as it is, and why.
    LeftAlone(String),
    /// The record could not be written, and why.
    Failed(String),
    /// It has changed since it was judged.
    Conflict,
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Ready | Self::Conflict => "pending",
            Self::Adopted => "adopted",
            Self::Recorded => "recorded",
            Self::NothingToRecord => "nothingToRecord",
            Self::LeftAlone(_) => "leftAlone",
            Self::Failed(_) => "failed",
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Self::LeftAlone(why) | Self::Failed(why) => Some(why),
            _ => None,
        }
    }
}

/// What came of the pods of each workload, by their names.
#[derive(Debug, Default)]
pub(super) struct Outcomes(pub(super) BTreeMap<WorkloadName, BTreeMap<String, Outcome>>);

/// Workloads of which pods are to be adopted, and how many.
pub(super) struct Ready(Vec<(String, usize)>);

impl Ready {
    pub(super) fn workloads(&self) -> usize {
        self.0.len()
    }

    /// A line for each workload.
    pub(super) fn lines(&self) -> String {
        let line =
            |(workload, pods): &(String, usize)| format!("  {} ({})\n", printable(workload), so_many(*pods));
        self.0.iter().map(line).collect()
    }
}

/// In a few words.
impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pods = self.0.iter().map(|(_, pods)| pods).sum();
        write!(f, "{} of {} workloads", so_many(pods), self.workloads())
    }
}

impl Outcomes {
    pub(super) fn set(&mut self, workload: &WorkloadName, pod: &str, outcome: Outcome) {
        self.0.entry(workload.clone()).or_default().insert(pod.to_owned(), outcome);
    }

    /// What is to be adopted.
    pub(super) fn ready(&self) -> Ready {
        let ready = |pods: &BTreeMap<String, Outcome>| {
            pods.values().filter(|outcome| matches!(outcome, Outcome::Ready)).count()
        };
        let counts = self.0.iter().map(|(workload, pods)| (label(workload), ready(pods)));
        Ready(counts.filter(|(_, pods)| *pods > 0).collect())
    }

    pub(super) fn failed(&self) -> bool {
        self.all().any(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    fn all(&self) -> impl Iterator<Item = &Outcome> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// `pod/NAME` of those that were adopted.
    pub(super) fn names(&self) -> String {
        let pods = self.0.values().flatten().filter(|(_, outcome)| **outcome == Outcome::Adopted);
        pods.map(|(name, _)| format!("pod/{}\n", printable(name))).collect()
    }

    /// A line for each workload and reason, and a summary.
    pub(super) fn text(&self, dry_run: DryRun) -> String {
        if self.0.is_empty() {
            return "No pods found.\n".to_owned();
        }
        let mut text = String::new();
        for (workload, pods) in &self.0 {
            let mut alike: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
            for outcome in pods.values() {
                if let Some(words) = words(outcome, dry_run) {
                    *alike.entry((words, outcome.why())).or_default() += 1;
                }
            }
            for ((words, why), count) in alike {
                let each = if count > 1 { ", each" } else { "" };
                let why = why.map(|why| format!("{each}: {why}")).unwrap_or_default();
                let line = format!("{}: {} {words}{why}", label(workload), so_many(count));
                text += &(printable(&line) + "\n");
            }
        }
        text + &self.summary(dry_run)
    }

    fn summary(&self, dry_run: DryRun) -> String {
        let count = |name: &str| self.all().filter(|outcome| outcome.name() == name).count();
        let adopted = if dry_run == DryRun::None { "adopted" } else { "would be adopted" };
        let unused = count("nothingToRecord");
        let parts = [
            (count("adopted"), adopted),
            (count("leftAlone"), "left alone"),
            (count("failed"), "failed"),
            (count("recorded"), "had a record already"),
            (unused, if unused == 1 { "uses no source" } else { "use no source" }),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, what)| *count > 0 || *what == adopted)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        format!("Of {}: {}{}.\n", so_many(self.all().count()), parts.join("; "), dry_run.suffix())
    }
}

/// What is said of each pod; nothing of one that has nothing to be adopted.
fn words(outcome: &Outcome, dry_run: DryRun) -> Option<&'static str> {
    match outcome {
        Outcome::Adopted if dry_run == DryRun::None => Some("adopted"),
        Outcome::Adopted => Some("would be adopted"),
        Outcome::LeftAlone(_) => Some("left alone"),
        Outcome::Failed(_) => Some("failed"),
        Outcome::Ready | Outcome::Conflict | Outcome::Recorded | Outcome::NothingToRecord => None,
    }
}

fn so_many(pods: usize) -> String {
    format!("{pods} {}", if pods == 1 { "pod" } else { "pods" })
}

fn label(workload: &WorkloadName) -> String {
    format!("{workload} in {}", workload.namespace)
}

/// The JSON and YAML output.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    dry_run: bool,
    workloads: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    namespace: &'a str,
    kind: &'a Kind,
    name: &'a str,
    pods: Vec<PodEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodEntry<'a> {
    name: &'a str,
    /// `adopted`, `recorded`, `nothingToRecord`, `leftAlone` or `failed`.
    outcome: &'static str,
    reason: Option<&'a str>,
}

impl<'a> Document<'a> {
    pub(super) fn of(outcomes: &'a Outcomes, dry_run: DryRun) -> Self {
        let pods = |pods: &'a BTreeMap<String, Outcome>| {
            let entry = |(name, outcome): (&'a String, &'a Outcome)| PodEntry {
                name,
                outcome: outcome.name(),
                reason: outcome.why(),
            };
            pods.iter().map(entry).collect()
        };
        let entry = |(workload, of_workload): (&'a WorkloadName, &'a BTreeMap<String, Outcome>)| Entry {
            namespace: &workload.namespace,
            kind: &workload.kind,
            name: &workload.name,
            pods: pods(of_workload),
        };
        Self {
            api_version: API_VERSION,
            kind: "Adopt",
            dry_run: dry_run != DryRun::None,
            workloads: outcomes.0.iter().map(entry).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
