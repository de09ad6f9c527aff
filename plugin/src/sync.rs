//! `kubectl reload sync`: restarts what is drifted, and nothing else.

mod evict;
mod selection;
mod session;

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use reload_core::verdict::Verdict;

use crate::connection::{Connection, ConnectionArgs};
use crate::findings::find;
use crate::report::WorkloadReport;
use crate::scope::ScopeArgs;
use crate::status::what;
use crate::survey::JudgementArgs;
use crate::table::{emit, printable};
use crate::workload::{Kind, WorkloadName};
use selection::SelectionArgs;

/// Restarts workloads that run on old configuration, oldest drift first.
///
/// A workload is judged again right before it is restarted, and the restart is the one of `kubectl
/// rollout restart`. What would not start again is not restarted. Exits with 1 when a workload is
/// left drifted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload sync -n shop
  kubectl reload sync deployment/web -n shop
  kubectl reload sync -A --dry-run=client
  kubectl reload sync -n shop --source configmap/settings --only frozen
  kubectl reload sync -n shop --inferred
  kubectl reload sync statefulset/db -n shop --strategy evict --timeout 30m
  kubectl reload sync -A --yes --max-parallel 3 --keep-going")]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    scope: ScopeArgs,

    #[command(flatten)]
    selection: SelectionArgs,

    /// How pods are replaced: restart changes the template as kubectl rollout restart does; evict
    /// evicts the drifted pods one by one, as disruption budgets allow, and touches no template.
    #[arg(long, value_enum, default_value = "restart")]
    strategy: Strategy,

    /// Restart without asking; required for more than one workload where no terminal can be asked.
    #[arg(short, long)]
    yes: bool,

    /// Say what would be done, and do not do it: client asks nothing, server has the API server
    /// check the restart.
    #[arg(long, value_enum, default_value = "none", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: DryRun,

    /// Wait until the restarted workloads are healthy.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    wait: bool,

    /// How long one workload may take to become healthy, as 5m.
    #[arg(long, default_value = "5m", value_parser = parse_timeout)]
    timeout: Duration,

    /// How many workloads may be restarting at once.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    max_parallel: u8,

    /// Restart even what has drifted again since its last restart, as a workload does that writes its
    /// own configuration.
    #[arg(long)]
    again: bool,

    /// Go on with the other workloads when one fails.
    #[arg(long)]
    keep_going: bool,

    #[command(flatten)]
    judgement: JudgementArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DryRun {
    None,
    Client,
    Server,
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "write a number and a unit, as 5m".to_owned())?;
    Duration::try_from(duration).map_err(|_| "must not be negative".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    Restart,
    Evict,
}

/// How it went with one workload.
#[derive(Debug)]
enum Outcome {
    /// It runs on what is there now; restarted or not.
    Restarted,
    /// There is nothing to do any more, and why.
    InSync(&'static str),
    /// It was left as it is, and why.
    Refused(String),
    /// It was restarted and did not become healthy, or could not be; and why.
    Failed(String),
    /// Another one failed before.
    NotBegun,
}

/// Runs the command.
pub(crate) async fn run(args: SyncArgs, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    let targets = args.scope.targets()?;
    let Connection { client, namespace } = connection.connect().await?;
    let namespace = args.scope.place(namespace);
    let selector = args.scope.selector.as_deref();
    let reports = find(&client, namespace.as_deref(), selector, &targets, &args.judgement).await?;
    let mut drifted: Vec<&WorkloadReport> =
        reports.iter().filter(|report| args.selection.takes(report)).collect();
    // Oldest drift first; what has no time is gone, and comes last.
    drifted.sort_by_key(|report| report.since().unwrap_or(Timestamp::MAX));
    if drifted.is_empty() {
        emit(&nothing(&reports, &args.selection))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (ready, refused): (Vec<&WorkloadReport>, Vec<&WorkloadReport>) =
        drifted.into_iter().partition(|report| refusal(report, args.strategy).is_none());
    for report in &refused {
        if let Some(why) = refusal(report, args.strategy) {
            say(&format!("{} not restarted: {why}", label(&report.workload)))?;
        }
    }
    if ready.len() > 1 && args.dry_run == DryRun::None && !args.yes {
        confirm(&ready)?;
    }
    let evictions = match args.strategy {
        Strategy::Restart => client.clone(),
        Strategy::Evict => connection.connect_without_retries().await?.client,
    };
    let session = session::Session { client: &client, evictions: &evictions, args: &args };
    let failed = session.restart_all(&ready).await?;
    Ok(if failed || !refused.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// That there is nothing to do, and what else there is.
fn nothing(reports: &[WorkloadReport], selection: &SelectionArgs) -> String {
    let sure = |report: &WorkloadReport| report.is_drifted();
    let possible = |report: &WorkloadReport| report.is_possibly_drifted() && !report.is_drifted();
    let count =
        |wanted: &dyn Fn(&WorkloadReport) -> bool| reports.iter().filter(|report| wanted(report)).count();
    let counts = [
        (count(&|report| report.verdict == Verdict::Rolling), "already rolling"),
        (count(&sure), "on old configuration, and left out by --source or --only"),
        (
            count(&possible),
            match selection.is_inferred_wanted() {
                true => "possibly on old configuration, and left out by --source or --only",
                false => {
                    "possibly on old configuration, judged by times alone, and restarted by --inferred only"
                }
            },
        ),
        (count(&|report| report.verdict == Verdict::Unknown), "unknown"),
    ];
    let others = counts.into_iter().filter(|(count, _)| *count > 0);
    let others: Vec<String> = others.map(|(count, what)| format!("{count} {what}")).collect();
    match others.is_empty() {
        true => "Nothing to restart.\n".to_owned(),
        false => format!("Nothing to restart; {}: see kubectl reload status.\n", others.join("; ")),
    }
}

/// A line on standard output.
fn say(line: &str) -> std::io::Result<()> {
    emit(&(printable(line) + "\n"))
}

/// A line on standard error.
fn tell_progress(line: &str) {
    eprintln!("{}", printable(line));
}

/// Why a drifted workload is not restarted, as far as its report tells.
pub(crate) fn refusal(report: &WorkloadReport, strategy: Strategy) -> Option<String> {
    if let Some(cause) = report.obstacle() {
        let keys = match cause.removed.as_slice() {
            [] => String::new(),
            keys => format!(" lacks {}", keys.join(", ")),
        };
        return Some(match keys.is_empty() {
            true => {
                format!("{} does not exist, so it would not start again: bring it back first", cause.source)
            }
            false => format!("{}{keys}, so it would not start again: bring that back first", cause.source),
        });
    }
    if let Some(stuck) = &report.problem {
        return Some(stuck.clone());
    }
    match &report.workload.kind {
        Kind::Pod => Some("no controller would replace it: delete it and create it again".to_owned()),
        Kind::Job | Kind::CronJob => Some("a Job runs once: start a new one".to_owned()),
        kind if kind.is_rollable() || strategy == Strategy::Evict => None,
        kind => Some(format!(
            "{} cannot be restarted here: restart it by what made it, or replace its pods by --strategy evict",
            kind.singular()
        )),
    }
}

fn confirm(ready: &[&WorkloadReport]) -> anyhow::Result<()> {
    for report in ready {
        tell_progress(&format!("  {} ({})", label(&report.workload), causes(report)));
    }
    if !std::io::stdin().is_terminal() {
        anyhow::bail!(
            "{} workloads are to be restarted and no terminal can be asked: pass --yes",
            ready.len()
        );
    }
    eprint!("Restart these {} workloads? [y/N] ", ready.len());
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => anyhow::bail!("nothing was restarted"),
    }
}

fn label(workload: &WorkloadName) -> String {
    format!("{workload} in {}", workload.namespace)
}

fn causes(report: &WorkloadReport) -> String {
    let texts: Vec<String> =
        report.causes.iter().map(|cause| format!("{}: {}", cause.source, what(cause))).collect();
    texts.join("; ")
}
