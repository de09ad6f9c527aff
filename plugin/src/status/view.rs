//! The tables for people.

mod by_pod;
mod by_source;

use jiff::Timestamp;
use reload_core::verdict::{Certainty, Verdict};

use super::pod::PodReport;
use super::{By, Order, needs_attention};
use crate::color::{Color, Paint};
use crate::report::{Cause, WorkloadReport};
use crate::table::{age, printable, render_within};

/// How the answer is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// The one namespace that was looked at.
    pub(super) namespace: Option<&'a str>,
    /// Whether what is well is shown too.
    pub(super) all: bool,
    /// Everything there is to tell.
    pub(super) wide: bool,
    pub(super) by: By,
    pub(super) sort_by: Order,
    /// Of the terminal.
    pub(super) width: Option<usize>,
    pub(super) paint: Paint,
    pub(super) now: Timestamp,
}

impl View<'_> {
    /// The tables and the summary; a row a pod where these are given.
    pub(super) fn text(&self, reports: &[WorkloadReport], pods: Option<&[PodReport]>) -> String {
        if reports.is_empty() {
            return match self.namespace {
                Some(namespace) => format!("No pods found in namespace {}.\n", printable(namespace)),
                None => "No pods found.\n".to_owned(),
            };
        }
        let text = match pods {
            Some(pods) => {
                let judged = |pod: &PodReport| (pod.verdict, pod.certainty, pod.needs_attention());
                self.sections(pods, judged, |pods| self.by_pod(pods))
            }
            None => {
                let judged =
                    |report: &WorkloadReport| (report.verdict, report.certainty, needs_attention(report));
                self.sections(reports, judged, |reports| self.table(reports))
            }
        };
        text + &self.summary(reports)
    }

    /// What is sure, then what is not, of those that are to be shown.
    fn sections<T>(
        &self,
        items: &[T],
        judged: impl Fn(&T) -> (Verdict, Certainty, bool),
        table: impl Fn(&[&T]) -> String,
    ) -> String {
        let is_possible = |item: &&T| match judged(item) {
            (Verdict::Unknown, ..) => true,
            (Verdict::Drifted | Verdict::Rolling, certainty, _) => certainty == Certainty::Inferred,
            (Verdict::Current | Verdict::Ignored, ..) => false,
        };
        let is_shown = |item: &&T| self.all || judged(item).2;
        let (doubtful, sure): (Vec<&T>, Vec<&T>) = items.iter().filter(is_shown).partition(is_possible);
        let mut text = String::new();
        if !sure.is_empty() {
            text += &table(&sure);
            text += "\n";
        }
        if !doubtful.is_empty() {
            text += "Possibly, judged by times, for want of a record or a right:\n";
            text += &table(&doubtful);
            text += "\n";
        }
        text
    }

    fn table(&self, reports: &[&WorkloadReport]) -> String {
        match self.by {
            By::Workload => self.by_workload(reports),
            By::Source => self.by_source(reports),
        }
    }

    fn by_workload(&self, reports: &[&WorkloadReport]) -> String {
        let mut rows = Vec::new();
        for report in reports {
            let mut first = vec![report.workload.to_string()];
            first.extend(self.verdict(report));
            if self.namespace.is_none() {
                first.insert(0, report.workload.namespace.clone());
            }
            let blank = vec![String::new(); first.len()];
            let mut causes = report.causes.iter();
            let cells = |cause: Option<&Cause>| match cause {
                Some(cause) => {
                    let [what, since] = self.cause(cause);
                    vec![cause.source.to_string(), what, since]
                }
                None => vec![String::new(); 3],
            };
            rows.push([first, cells(causes.next())].concat());
            rows.extend(causes.map(|cause| [blank.clone(), cells(Some(cause))].concat()));
            if let Some(problem) = &report.problem {
                rows.push([blank, vec![String::new(), problem.clone()]].concat());
            }
        }
        let mut headings = self.place();
        headings.push("WORKLOAD");
        headings.extend(self.verdict_headings());
        headings.extend(["SOURCE", "WHAT", "SINCE"]);
        self.render(&headings, &rows)
    }

    fn place(&self) -> Vec<&'static str> {
        if self.namespace.is_none() { vec!["NAMESPACE"] } else { Vec::new() }
    }

    fn verdict_headings(&self) -> &'static [&'static str] {
        if self.wide { &["VERDICT", "CERTAINTY", "PODS"] } else { &["VERDICT", "PODS"] }
    }

    /// The cells under those headings.
    fn verdict(&self, report: &WorkloadReport) -> Vec<String> {
        let pods = match report.verdict {
            Verdict::Current | Verdict::Ignored => report.pods.to_string(),
            _ => format!("{}/{}", report.affected, report.pods),
        };
        [self.judged(report.verdict, report.certainty), vec![pods]].concat()
    }

    /// The verdict, and how sure it is where there is room for that.
    fn judged(&self, verdict: Verdict, certainty: Certainty) -> Vec<String> {
        let word = match (verdict, certainty) {
            (Verdict::Drifted, Certainty::Inferred) => "Possibly".to_owned(),
            (verdict, _) => format!("{verdict:?}"),
        };
        let sure = match certainty {
            Certainty::Recorded => "recorded",
            Certainty::Inferred => "inferred",
        };
        if self.wide { vec![word, sure.to_owned()] } else { vec![word] }
    }

    /// What happened to a source, and since when.
    fn cause(&self, cause: &Cause) -> [String; 2] {
        let limit = if self.wide { usize::MAX } else { FEW };
        let since = cause.since.map(|since| age(self.now.duration_since(since).as_secs()));
        [what_of(cause, limit), since.unwrap_or_default()]
    }

    fn render(&self, headings: &[&str], rows: &[Vec<String>]) -> String {
        let width = self.width.filter(|_| !self.wide);
        render_within(headings, rows, width, |heading, cell| match (heading, cell) {
            ("VERDICT", "Drifted") => self.paint.paint(Color::Red, cell),
            ("VERDICT", "Possibly" | "Unknown") => self.paint.paint(Color::Yellow, cell),
            ("VERDICT", "Rolling") => self.paint.paint(Color::Blue, cell),
            ("VERDICT", "Current") => self.paint.paint(Color::Green, cell),
            _ => cell.to_owned(),
        })
    }

    fn summary(&self, reports: &[WorkloadReport]) -> String {
        let count =
            |wanted: fn(&WorkloadReport) -> bool| reports.iter().filter(|report| wanted(report)).count();
        let drifted = count(WorkloadReport::is_drifted);
        let blocked = count(|report| report.is_drifted() && report.obstacle().is_some());
        let counts = [
            (drifted, "on old configuration"),
            (count(|report| report.verdict == Verdict::Rolling), "rolling"),
            (
                count(|report| (report.verdict, report.certainty) == (Verdict::Drifted, Certainty::Inferred)),
                "possibly on old configuration",
            ),
            (count(|report| report.verdict == Verdict::Unknown), "unknown"),
            (
                count(|report| (report.verdict, report.certainty) == (Verdict::Current, Certainty::Recorded)),
                "current",
            ),
            (
                count(|report| (report.verdict, report.certainty) == (Verdict::Current, Certainty::Inferred)),
                "current, judged by times",
            ),
            (count(|report| report.verdict == Verdict::Ignored), "left out"),
        ];
        let parts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let noun = if reports.len() == 1 { "workload" } else { "workloads" };
        let mut text = format!("{} {noun}: {}.\n", reports.len(), parts.join("; "));
        let place = self
            .namespace
            .map_or_else(|| "-A".to_owned(), |namespace| format!("-n {}", printable(namespace)));
        if drifted > blocked {
            text += &format!("To restart what is on old configuration: kubectl reload sync {place}\n");
        }
        match blocked {
            0 => {}
            1 => text += "1 of them would not start again: bring back what is missing first.\n",
            _ => {
                text +=
                    &format!("{blocked} of them would not start again: bring back what is missing first.\n")
            }
        }
        text
    }
}

/// So many keys of each sort are named where space is short.
const FEW: usize = 3;

/// What happened to a source, naming up to three keys of each sort.
pub(crate) fn what(cause: &Cause) -> String {
    what_of(cause, FEW)
}

fn what_of(cause: &Cause, limit: usize) -> String {
    let sorts = [(&cause.changed, "changed"), (&cause.added, "added"), (&cause.removed, "removed")];
    let mut parts = Vec::new();
    for (keys, sort) in sorts.into_iter().filter(|(keys, _)| !keys.is_empty()) {
        let more = keys.len().saturating_sub(limit);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        parts.push(format!("{}{more} {sort}", keys[..keys.len().min(limit)].join(", ")));
    }
    // The keys say what the bare word would.
    let reason = cause
        .reason
        .strip_prefix("changed")
        .map_or(cause.reason.as_str(), |rest| rest.trim_start_matches(": "));
    match (parts.is_empty(), reason.is_empty()) {
        (true, _) => cause.reason.clone(),
        (false, true) => parts.join("; "),
        (false, false) => format!("{} ({reason})", parts.join("; ")),
    }
}

#[cfg(test)]
mod tests;
