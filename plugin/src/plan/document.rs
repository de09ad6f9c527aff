//! The document for programs.

use reload_core::reference::Class;
use reload_core::verdict::{Certainty, Verdict};
use serde::Serialize;

use super::Plan;
use super::effects::{Effect, PlannedWorkload};
use super::outcome::{Action, PlannedSource};
use crate::document::API_VERSION;
use crate::workload::Kind;

/// The JSON and YAML output. Its schema is versioned: fields are added, never changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    sources: Vec<SourceEntry<'a>>,
    workloads: Vec<WorkloadEntry<'a>>,
    /// Objects of the file that are no ConfigMaps or Secrets.
    ignored_objects: usize,
}

#[derive(Serialize)]
struct SourceEntry<'a> {
    namespace: &'a str,
    source: String,
    action: Action,
    #[serde(flatten)]
    keys: Keys<'a>,
    /// Keys that the file does not name, and that stay.
    kept: Vec<&'a str>,
    /// Why it is refused or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Keys<'a> {
    changed: Vec<&'a str>,
    added: Vec<&'a str>,
    removed: Vec<&'a str>,
}

#[derive(Serialize)]
struct WorkloadEntry<'a> {
    namespace: &'a str,
    kind: &'a Kind,
    name: &'a str,
    /// Pods that run.
    pods: usize,
    /// Pods that the file reaches.
    affected: usize,
    before: Stand,
    after: Stand,
    effects: Vec<EffectEntry<'a>>,
}

#[derive(Serialize)]
struct Stand {
    verdict: Verdict,
    certainty: Certainty,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EffectEntry<'a> {
    source: String,
    /// `frozen` or `live`.
    r#use: &'static str,
    #[serde(flatten)]
    stand: Stand,
    reason: &'a str,
    #[serde(flatten)]
    keys: Keys<'a>,
    would_not_start: bool,
}

impl<'a> Keys<'a> {
    fn of(changes: &'a reload_core::record::Changes) -> Self {
        let names = |keys: &'a std::collections::BTreeSet<String>| keys.iter().map(String::as_str).collect();
        Self {
            changed: names(&changes.changed),
            added: names(&changes.added),
            removed: names(&changes.removed),
        }
    }
}

impl<'a> Document<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        Self {
            api_version: API_VERSION,
            kind: "Plan",
            sources: plan.sources.iter().map(source).collect(),
            workloads: plan.workloads.iter().map(workload).collect(),
            ignored_objects: plan.ignored,
        }
    }
}

fn source(source: &PlannedSource) -> SourceEntry<'_> {
    SourceEntry {
        namespace: &source.namespace,
        source: source.id.to_string(),
        action: source.action,
        keys: Keys::of(&source.changes),
        kept: source.kept.iter().map(String::as_str).collect(),
        reason: source.reason.as_deref(),
    }
}

fn workload(planned: &PlannedWorkload) -> WorkloadEntry<'_> {
    let stand = |(verdict, certainty)| Stand { verdict, certainty };
    WorkloadEntry {
        namespace: &planned.workload.namespace,
        kind: &planned.workload.kind,
        name: &planned.workload.name,
        pods: planned.pods,
        affected: planned.affected,
        before: stand(planned.before),
        after: stand(planned.after),
        effects: planned.effects.iter().map(effect).collect(),
    }
}

fn effect(effect: &Effect) -> EffectEntry<'_> {
    EffectEntry {
        source: effect.source.to_string(),
        r#use: class(effect.class),
        stand: Stand { verdict: effect.verdict, certainty: effect.certainty },
        reason: &effect.reason,
        keys: Keys::of(&effect.changes),
        would_not_start: effect.would_not_start,
    }
}

/// The class in the words of the documentation.
pub(super) fn class(class: Class) -> &'static str {
    match class {
        Class::Frozen => "frozen",
        Class::Live => "live",
    }
}
