//! `kubectl reload status`: what runs on old configuration.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use reload_core::verdict::{Certainty, Verdict};
use serde::Serialize;

use crate::connection::{Connection, ConnectionArgs};
use crate::findings::find;
use crate::report::{Cause, WorkloadReport};
use crate::scope::ScopeArgs;
use crate::survey::JudgementArgs;
use crate::table::{age, emit, printable, render};
use crate::workload::Kind;

/// Shows which workloads run on old configuration, and which keys changed.
///
/// Nothing is changed. Only what needs attention is listed; see --all.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload status -A
  kubectl reload status -n shop --all
  kubectl reload status deployment/web -n shop -o json
  kubectl reload status -A --exit-code   # for scripts: 1 when something is drifted")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    scope: ScopeArgs,

    /// List workloads that are current too.
    #[arg(long)]
    all: bool,

    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,

    /// Exit with 1 when a workload is drifted for sure, and with 2 on errors.
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    judgement: JudgementArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// TYPE/NAME of each workload that needs attention.
    Name,
}

/// Runs the command.
pub(crate) async fn run(args: StatusArgs, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    let targets = args.scope.targets()?;
    let Connection { client, namespace } = connection.connect().await?;
    let namespace = args.scope.place(namespace);
    let selector = args.scope.selector.as_deref();
    let reports = find(&client, namespace.as_deref(), selector, &targets, &args.judgement).await?;
    match args.output {
        Output::Table => emit(&text(&reports, namespace.as_deref(), args.all, Timestamp::now()))?,
        Output::Json => emit(&(serde_json::to_string_pretty(&Document::of(&reports))? + "\n"))?,
        Output::Name => {
            let names = reports.iter().filter(|report| needs_attention(report));
            emit(&names.map(|report| printable(&report.workload.to_string()) + "\n").collect::<String>())?;
        }
    }
    let drifted = reports.iter().any(WorkloadReport::is_drifted);
    Ok(if args.exit_code && drifted { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn needs_attention(report: &WorkloadReport) -> bool {
    !matches!(report.verdict, Verdict::Current | Verdict::Ignored)
}

/// The tables and the summary.
fn text(reports: &[WorkloadReport], namespace: Option<&str>, all: bool, now: Timestamp) -> String {
    if reports.is_empty() {
        return match namespace {
            Some(namespace) => format!("No pods found in namespace {}.\n", printable(namespace)),
            None => "No pods found.\n".to_owned(),
        };
    }
    let possible = |report: &&WorkloadReport| match report.verdict {
        Verdict::Unknown => true,
        Verdict::Drifted | Verdict::Rolling => report.certainty == Certainty::Inferred,
        Verdict::Current | Verdict::Ignored => false,
    };
    let sure: Vec<&WorkloadReport> =
        reports.iter().filter(|report| !possible(report) && (all || needs_attention(report))).collect();
    let doubtful: Vec<&WorkloadReport> = reports.iter().filter(possible).collect();
    let mut text = String::new();
    if !sure.is_empty() {
        text += &table(&sure, namespace.is_none(), now);
        text += "\n";
    }
    if !doubtful.is_empty() {
        text += "Possibly, judged by times, for want of a record or a right:\n";
        text += &table(&doubtful, namespace.is_none(), now);
        text += "\n";
    }
    text + &summary(reports, namespace)
}

fn table(reports: &[&WorkloadReport], with_namespace: bool, now: Timestamp) -> String {
    let mut rows = Vec::new();
    for report in reports {
        let place = with_namespace.then(|| report.workload.namespace.clone());
        let verdict = match (report.verdict, report.certainty) {
            (Verdict::Drifted, Certainty::Inferred) => "Possibly".to_owned(),
            (verdict, _) => format!("{verdict:?}"),
        };
        let pods = match report.verdict {
            Verdict::Current | Verdict::Ignored => report.pods.to_string(),
            _ => format!("{}/{}", report.affected, report.pods),
        };
        let first = [place, Some(report.workload.to_string()), Some(verdict), Some(pods)];
        let first: Vec<String> = first.into_iter().flatten().collect();
        let blank = vec![String::new(); first.len()];
        let mut causes = report.causes.iter();
        let cells = |cause: Option<&Cause>| match cause {
            Some(cause) => {
                let since = cause.since.map(|since| age(now.duration_since(since).as_secs()));
                vec![cause.source.to_string(), what(cause), since.unwrap_or_default()]
            }
            None => vec![String::new(); 3],
        };
        rows.push([first, cells(causes.next())].concat());
        rows.extend(causes.map(|cause| [blank.clone(), cells(Some(cause))].concat()));
        if let Some(problem) = &report.problem {
            rows.push([blank, vec![String::new(), problem.clone()]].concat());
        }
    }
    let mut headings = vec!["NAMESPACE", "WORKLOAD", "VERDICT", "PODS", "SOURCE", "WHAT", "SINCE"];
    if !with_namespace {
        headings.remove(0);
    }
    render(&headings, &rows)
}

/// What happened to a source, naming up to three keys of each sort.
pub(crate) fn what(cause: &Cause) -> String {
    let sorts = [(&cause.changed, "changed"), (&cause.added, "added"), (&cause.removed, "removed")];
    let mut parts = Vec::new();
    for (keys, sort) in sorts.into_iter().filter(|(keys, _)| !keys.is_empty()) {
        let more = keys.len().saturating_sub(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        parts.push(format!("{}{more} {sort}", keys[..keys.len().min(3)].join(", ")));
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

fn summary(reports: &[WorkloadReport], namespace: Option<&str>) -> String {
    let count = |wanted: fn(&WorkloadReport) -> bool| reports.iter().filter(|report| wanted(report)).count();
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
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let noun = if reports.len() == 1 { "workload" } else { "workloads" };
    let mut text = format!("{} {noun}: {}.\n", reports.len(), parts.join("; "));
    let place = namespace.map_or_else(|| "-A".to_owned(), |namespace| format!("-n {}", printable(namespace)));
    if drifted > blocked {
        text += &format!("To restart what is on old configuration: kubectl reload sync {place}\n");
    }
    match blocked {
        0 => {}
        1 => text += "1 of them would not start again: bring back what is missing first.\n",
        _ => text += &format!("{blocked} of them would not start again: bring back what is missing first.\n"),
    }
    text
}

/// The JSON output. Its schema is versioned: fields are added, never changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    workloads: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    namespace: &'a str,
    kind: &'a Kind,
    name: &'a str,
    #[serde(flatten)]
    report: &'a WorkloadReport,
}

impl<'a> Document<'a> {
    fn of(reports: &'a [WorkloadReport]) -> Self {
        let entry = |report: &'a WorkloadReport| Entry {
            namespace: &report.workload.namespace,
            kind: &report.workload.kind,
            name: &report.workload.name,
            report,
        };
        Self {
            api_version: "kubectl-reload.dev/v1alpha1",
            kind: "Status",
            workloads: reports.iter().map(entry).collect(),
        }
    }
}
