//! The tables for people.

use reload_core::record::Changes;
use reload_core::source::SourceId;
use reload_core::verdict::{Certainty, Verdict};

use super::Plan;
use super::document::class;
use super::effects::{Effect, PlannedWorkload};
use super::outcome::{Action, PlannedSource};
use crate::color::{Color, Paint};
use crate::report::Cause;
use crate::status::what;
use crate::table::{printable, render_within};

/// How a plan is shown.
pub(super) struct View<'a> {
    /// The one namespace that it is about.
    pub(super) namespace: Option<&'a str>,
    /// Of the terminal.
    pub(super) width: Option<usize>,
    pub(super) paint: Paint,
}

impl View<'_> {
    /// The tables and the summary.
    pub(super) fn text(&self, plan: &Plan) -> String {
        let mut text = String::new();
        let moved: Vec<&PlannedSource> =
            plan.sources.iter().filter(|source| source.action != Action::None).collect();
        if !moved.is_empty() {
            text += &self.sources(&moved);
            text += "\n";
        }
        if !plan.workloads.is_empty() {
            text += &self.workloads(&plan.workloads);
            text += "\n";
        }
        text + &self.summary(plan)
    }

    fn sources(&self, sources: &[&PlannedSource]) -> String {
        let row = |source: &&PlannedSource| {
            let action = match source.action {
                Action::Create => "New",
                Action::Change => "Changed",
                Action::None => "Unchanged",
                Action::Refused => "Refused",
                Action::Unknown => "Unknown",
            };
            let mut row = vec![source.id.to_string(), action.to_owned(), about(source)];
            if self.namespace.is_none() {
                row.insert(0, source.namespace.clone());
            }
            row
        };
        self.render(&["SOURCE", "IS", "WHAT"], &sources.iter().map(row).collect::<Vec<_>>())
    }

    fn workloads(&self, workloads: &[PlannedWorkload]) -> String {
        let mut rows = Vec::new();
        for planned in workloads {
            for (position, effect) in planned.effects.iter().enumerate() {
                let mut row = match position {
                    0 => vec![
                        planned.workload.to_string(),
                        verdict(planned.after),
                        format!("{}/{}", planned.affected, planned.pods),
                    ],
                    _ => vec![String::new(); 3],
                };
                if self.namespace.is_none() {
                    let namespace = if position == 0 { planned.workload.namespace.as_str() } else { "" };
                    row.insert(0, namespace.to_owned());
                }
                row.extend([effect.source.to_string(), class(effect.class).to_owned(), what(&cause(effect))]);
                rows.push(row);
            }
        }
        self.render(&["WORKLOAD", "WOULD BE", "PODS", "SOURCE", "USE", "WHAT"], &rows)
    }

    fn render(&self, headings: &[&str], rows: &[Vec<String>]) -> String {
        let place = if self.namespace.is_none() { ["NAMESPACE"].as_slice() } else { &[] };
        render_within(&[place, headings].concat(), rows, self.width, |heading, cell| match (heading, cell) {
            ("WOULD BE", "Drifted") | ("IS", "Refused") => self.paint.paint(Color::Red, cell),
            ("WOULD BE", "Possibly" | "Unknown") | ("IS", "Unknown") => self.paint.paint(Color::Yellow, cell),
            ("WOULD BE", "Current") => self.paint.paint(Color::Green, cell),
            _ => cell.to_owned(),
        })
    }

    fn summary(&self, plan: &Plan) -> String {
        let count = |action| plan.sources.iter().filter(|source| source.action == action).count();
        let parts = [
            (count(Action::Create), "new"),
            (count(Action::Change), "changed"),
            (count(Action::None), "unchanged"),
            (count(Action::Refused), "refused by the API server"),
            (count(Action::Unknown), "not compared"),
        ];
        let mut text = match plan.sources.len() {
            0 => "The file holds no ConfigMaps or Secrets".to_owned(),
            1 => format!("1 source: {}", listed(&parts)),
            sources => format!("{sources} sources: {}", listed(&parts)),
        };
        text += &match plan.ignored {
            0 => ".\n".to_owned(),
            1 => "; 1 other object is not looked at.\n".to_owned(),
            ignored => format!("; {ignored} other objects are not looked at.\n"),
        };
        if plan.sources.is_empty() {
            return text;
        }
        let sure = count_drifted(plan, Certainty::Recorded);
        let possible = count_drifted(plan, Certainty::Inferred);
        let parts = [(sure, "on old configuration"), (possible, "possibly on old configuration")];
        match sure + possible {
            0 => text += "No workload would be on old configuration.\n",
            1 => text += &format!("1 workload would be {}.\n", listed(&parts).trim_start_matches("1 ")),
            all => text += &format!("{all} workloads would be: {}.\n", listed(&parts)),
        }
        if sure > 0 {
            let place =
                self.namespace.map_or_else(|| "-A".to_owned(), |name| format!("-n {}", printable(name)));
            text += &format!("To restart what is on old configuration then: kubectl reload sync {place}\n");
        }
        let stuck = |planned: &&PlannedWorkload| planned.effects.iter().any(|effect| effect.would_not_start);
        match plan.workloads.iter().filter(stuck).count() {
            0 => {}
            1 => text += "1 of them would not start again, for want of what the file takes away.\n",
            all => {
                text +=
                    &format!("{all} of them would not start again, for want of what the file takes away.\n")
            }
        }
        text
    }
}

fn listed(parts: &[(usize, &str)]) -> String {
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join("; ")
}

/// Workloads that the file makes drift, on that evidence at best.
fn count_drifted(plan: &Plan, certainty: Certainty) -> usize {
    let best = |planned: &PlannedWorkload| {
        let drifted = planned.effects.iter().filter(|effect| effect.verdict == Verdict::Drifted);
        drifted.map(|effect| effect.certainty).max()
    };
    plan.workloads.iter().filter(|planned| best(planned) == Some(certainty)).count()
}

fn verdict((verdict, certainty): (Verdict, Certainty)) -> String {
    match (verdict, certainty) {
        (Verdict::Drifted, Certainty::Inferred) => "Possibly".to_owned(),
        (verdict, _) => format!("{verdict:?}"),
    }
}

/// What happens to a source, in words.
fn about(source: &PlannedSource) -> String {
    let PlannedSource { id, reason, changes, kept, .. } = source;
    let mut text = match (source.action, reason) {
        (_, Some(reason)) => reason.clone(),
        (Action::Create, None) => match changes.added.len() {
            1 => "1 key".to_owned(),
            keys => format!("{keys} keys"),
        },
        _ => what(&bare(id, changes, "changed")),
    };
    if !kept.is_empty() {
        let kept: Vec<String> = kept.iter().cloned().collect();
        text += &format!("; not in the file, and stays: {}", kept.join(", "));
    }
    text
}

fn cause(effect: &Effect) -> Cause {
    Cause { would_not_start: effect.would_not_start, ..bare(&effect.source, &effect.changes, &effect.reason) }
}

fn bare(source: &SourceId, changes: &Changes, reason: &str) -> Cause {
    let names = |keys: &std::collections::BTreeSet<String>| keys.iter().cloned().collect();
    Cause {
        source: source.clone(),
        reason: reason.to_owned(),
        changed: names(&changes.changed),
        added: names(&changes.added),
        removed: names(&changes.removed),
        would_not_start: false,
        since: None,
        resource_version: None,
        written_by: None,
    }
}

#[cfg(test)]
mod tests;
