//! `kubectl reload sync`: restarts what is drifted, and nothing else.

mod again;
mod evict;
mod outcome;
mod refusal;
mod selection;
mod session;
mod view;
mod wait;
mod write;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::color::Paint;
use crate::connection::{Connection, ConnectionArgs};
use crate::dry_run::{DryRun, DryRunArgs};
use crate::findings::find;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::patience::Outage;
use crate::prompt::agrees;
use crate::report::WorkloadReport;
use crate::scope::ScopeArgs;
use crate::screen::Screen;
use crate::survey::JudgementArgs;
use crate::table::emit;
use again::command;
use outcome::{Outcome, Tally};
pub(crate) use refusal::refusal;
use selection::SelectionArgs;
use session::Session;
use view::{View, nothing, question};

/// Restarts workloads that run on old configuration, oldest drift first.
///
/// A workload is judged again right before it is restarted, and the restart is the one of `kubectl
/// rollout restart`. What would not start again is not restarted. Exits with 1 when a workload is
/// left drifted. Ctrl-C begins nothing more and says where it stopped; a second one ends it at once.
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

    #[command(flatten)]
    mode: DryRunArgs,

    /// Wait until the restarted workloads are healthy; --strategy evict always does.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    wait: bool,

    /// How long one workload may take to become healthy, as 5m; 0 is no limit.
    #[arg(long, default_value = "5m", value_parser = parse_timeout)]
    timeout: Duration,

    /// How many workloads may be restarting at once.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    max_parallel: u8,

    /// Restart even what has drifted again since its last restart, as a workload does that writes its
    /// own configuration; evict even where what for cannot be kept on the workload.
    #[arg(long)]
    again: bool,

    /// Go on with the other workloads when one fails.
    #[arg(long)]
    keep_going: bool,

    #[command(flatten)]
    judgement: JudgementArgs,
}

/// As good as no limit.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// `5m`, at most a year; 0 is no limit, as in `kubectl rollout status`.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let text = if text == "0" { "0s" } else { text };
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "write a number and a unit, as 5m".to_owned())?;
    match Duration::try_from(duration).map_err(|_| "must not be negative".to_owned())? {
        Duration::ZERO => Ok(YEAR),
        duration if duration > YEAR => Err("must be at most a year, 8760h".to_owned()),
        duration => Ok(duration),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    Restart,
    Evict,
}

/// Runs the command. `paint` is for standard error.
pub(crate) async fn run(
    args: SyncArgs,
    connection: &ConnectionArgs,
    screen: &Screen,
    paint: Paint,
) -> anyhow::Result<ExitCode> {
    let targets = args.scope.targets()?;
    anyhow::ensure!(
        args.wait || args.strategy != Strategy::Evict || args.mode.dry_run != DryRun::None,
        "--wait=false does not go with --strategy evict: pods are evicted one after the other, each when the \
         one before is replaced"
    );
    let Connection { client, namespace } = connection.connect().await?;
    let namespace = args.scope.place(namespace);
    let selector = args.scope.selector();
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
    let view = View { strategy: args.strategy, dry_run: args.mode.dry_run };
    let mut tally = Tally::default();
    for report in &refused {
        let Some(outcome) = refusal(report, args.strategy).map(Outcome::Refused) else { continue };
        if let Some(line) = view.sentence(report, &outcome) {
            screen.say(&line)?;
        }
        tally.count(&outcome);
    }
    if ready.len() > 1 && args.mode.dry_run == DryRun::None && !args.yes {
        confirm(&ready, screen)?;
    }
    let writes = match args.mode.dry_run {
        DryRun::Client => client.clone(),
        _ => connection.connect_without_retries().await?.client,
    };
    // Until here Ctrl-C ends it as it ends any command.
    let interrupt = Interrupt::listen(screen)?;
    let outage = Outage::new(screen);
    let session = Session {
        client: &client,
        writes: &writes,
        args: &args,
        view,
        screen,
        paint,
        interrupt: &interrupt,
        outage: &outage,
        clock: Clock::of(&client).await,
    };
    session.restart_all(&ready, &mut tally).await?;
    screen.say(&view.summary(&tally))?;
    if interrupt.is_raised() {
        screen.say(&format!("To go on: {}", command(std::env::args_os().skip(1))))?;
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(if tally.is_bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn confirm(ready: &[&WorkloadReport], screen: &Screen) -> anyhow::Result<()> {
    let (lines, question) = question(ready);
    for line in lines {
        screen.tell(&line);
    }
    let unasked = format!("{} workloads are to be restarted", ready.len());
    anyhow::ensure!(agrees(&question, &unasked)?, "nothing was restarted");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_at_all_is_no_limit() {
        for (text, expected) in [
            ("5m", Some(Duration::from_secs(300))),
            ("0s", Some(YEAR)),
            ("0", Some(YEAR)),
            ("8760h", Some(YEAR)),
            ("8761h", None),
            ("-1s", None),
            ("soon", None),
        ] {
            assert_eq!(parse_timeout(text).ok(), expected, "{text}");
        }
    }
}
