//! `kubectl reload sync`: restarts what is drifted, and nothing else.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;
use reload_core::verdict::Verdict;

use crate::api::POLL;
use crate::connection::{Connection, ConnectionArgs};
use crate::report::WorkloadReport;
use crate::restart::{Restarted, restart, tell};
use crate::rollout::{Progress, Rollable};
use crate::scope::{ScopeArgs, Target};
use crate::status::{find, what};
use crate::survey::JudgementArgs;
use crate::table::printable;
use crate::workload::{Kind, WorkloadName};

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
  kubectl reload sync -A --yes --max-parallel 3 --keep-going")]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    scope: ScopeArgs,

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

    /// Go on with the other workloads when one fails.
    #[arg(long)]
    keep_going: bool,

    #[command(flatten)]
    judgement: JudgementArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
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

/// How it went with one workload.
#[derive(Debug)]
enum Outcome {
    /// It runs on what is there now; restarted or not.
    Restarted,
    /// It no longer is drifted.
    InSync,
    /// It was left as it is, and why.
    Refused(String),
    /// It was restarted and did not become healthy, or could not be; and why.
    Failed(String),
}

/// Runs the command.
pub(crate) async fn run(args: SyncArgs) -> anyhow::Result<ExitCode> {
    let targets = args.scope.targets()?;
    let Connection { client, namespace } = args.connection.connect().await?;
    let namespace = args.scope.place(namespace);
    let selector = args.scope.selector.as_deref();
    let reports = find(&client, namespace.as_deref(), selector, &targets, &args.judgement).await?;
    let mut drifted: Vec<&WorkloadReport> = reports.iter().filter(|report| report.is_drifted()).collect();
    // Oldest drift first; what has no time is gone, and comes last.
    drifted.sort_by_key(|report| report.since().unwrap_or(Timestamp::MAX));
    if drifted.is_empty() {
        let rolling = reports.iter().filter(|report| report.verdict == Verdict::Rolling).count();
        match rolling {
            0 => println!("Nothing to restart."),
            _ => println!("Nothing to restart; {rolling} already rolling."),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (ready, refused): (Vec<&WorkloadReport>, Vec<&WorkloadReport>) =
        drifted.into_iter().partition(|report| refusal(report).is_none());
    for report in &refused {
        if let Some(why) = refusal(report) {
            println!("{} not restarted: {why}", label(&report.workload));
        }
    }
    if ready.len() > 1 && args.dry_run == DryRun::None && !args.yes {
        confirm(&ready)?;
    }
    let session = Session { client: &client, args: &args };
    let failed = session.restart_all(&ready).await;
    Ok(if failed || !refused.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Why a drifted workload is not restarted, as far as its report tells.
fn refusal(report: &WorkloadReport) -> Option<String> {
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
    match &report.workload.kind {
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => None,
        Kind::Pod => Some("no controller would replace it: delete it and create it again".to_owned()),
        Kind::Job => Some("a Job runs once: start a new one".to_owned()),
        kind => Some(format!("{} cannot be restarted here: restart it by what made it", kind.singular())),
    }
}

fn confirm(ready: &[&WorkloadReport]) -> anyhow::Result<()> {
    for report in ready {
        eprintln!("  {} ({})", label(&report.workload), causes(report));
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
    printable(&format!("{workload} in {}", workload.namespace))
}

fn causes(report: &WorkloadReport) -> String {
    let texts: Vec<String> =
        report.causes.iter().map(|cause| format!("{}: {}", cause.source, what(cause))).collect();
    texts.join("; ")
}

/// One run of sync.
struct Session<'a> {
    client: &'a Client,
    args: &'a SyncArgs,
}

impl Session<'_> {
    /// Restarts them, so many at once, and says how each went. True when one was left drifted.
    async fn restart_all(&self, ready: &[&WorkloadReport]) -> bool {
        let mut outcomes = futures::stream::iter(ready)
            .map(async |report| (*report, self.restart_one(&report.workload).await))
            .buffer_unordered(self.args.max_parallel.into());
        let mut failed = false;
        let mut left = ready.len();
        while let Some((report, outcome)) = outcomes.next().await {
            left -= 1;
            let workload = label(&report.workload);
            match outcome {
                Outcome::Restarted => match self.args.dry_run {
                    DryRun::None => println!("{workload} restarted ({})", causes(report)),
                    DryRun::Client => {
                        println!("{workload} would be restarted ({}) (dry run)", causes(report))
                    }
                    DryRun::Server => {
                        println!("{workload} would be restarted ({}) (server dry run)", causes(report))
                    }
                },
                Outcome::InSync => println!("{workload} is in sync meanwhile"),
                Outcome::Refused(why) => {
                    println!("{workload} not restarted: {why}");
                    failed = true;
                }
                Outcome::Failed(why) => {
                    println!("{workload} failed: {why}");
                    failed = true;
                    if !self.args.keep_going && left > 0 {
                        println!("{left} more not restarted; --keep-going would have gone on");
                        return true;
                    }
                }
            }
        }
        failed
    }

    /// Judges a workload again and restarts it if it still is drifted, under the version that was
    /// judged; waits for a rollout that is under way first.
    async fn restart_one(&self, workload: &WorkloadName) -> Outcome {
        let deadline = Instant::now() + self.args.timeout;
        match self.try_restart(workload, deadline).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        }
    }

    async fn try_restart(&self, workload: &WorkloadName, deadline: Instant) -> anyhow::Result<Outcome> {
        let target = Target { kind: workload.kind.clone(), name: Some(workload.name.clone()) };
        loop {
            let seen = Rollable::get(self.client, workload).await?;
            if let Some(why) = seen.held() {
                return Ok(Outcome::Refused(format!("a restart would not roll: {why}")));
            }
            if !seen.is_observed() {
                // Its controller has yet to see the last change: which pods are old is not known.
                self.wait(workload, deadline).await?;
                continue;
            }
            let namespace = Some(workload.namespace.as_str());
            let targets = std::slice::from_ref(&target);
            let found = find(self.client, namespace, None, targets, &self.args.judgement).await?;
            let Some(report) = found.iter().find(|report| report.verdict >= Verdict::Rolling) else {
                return Ok(Outcome::InSync);
            };
            if report.verdict == Verdict::Rolling && self.args.dry_run == DryRun::None {
                self.wait(workload, deadline).await?;
                continue;
            }
            if !report.is_drifted() {
                return Ok(Outcome::InSync);
            }
            if let Some(why) = refusal(report) {
                return Ok(Outcome::Refused(why));
            }
            let now = Timestamp::now();
            let dry_run = self.args.dry_run == DryRun::Server;
            if self.args.dry_run == DryRun::Client {
                return Ok(Outcome::Restarted);
            }
            match restart(self.client, workload, &seen, now, dry_run).await? {
                Restarted::Conflict if Instant::now() < deadline => {}
                Restarted::Conflict => anyhow::bail!("others keep changing it: try again"),
                Restarted::Yes if dry_run => return Ok(Outcome::Restarted),
                Restarted::Yes => {
                    tell(self.client, workload, &seen, format!("Restarted for {}", causes(report)), now)
                        .await;
                    if self.args.wait {
                        eprintln!("{} restarting ({})", label(workload), causes(report));
                        self.wait(workload, deadline).await?;
                    }
                    return Ok(Outcome::Restarted);
                }
            }
        }
    }

    /// Waits until a workload's rollout is complete, telling how far it is.
    async fn wait(&self, workload: &WorkloadName, deadline: Instant) -> anyhow::Result<()> {
        let mut told = None;
        loop {
            let progress = Rollable::get(self.client, workload).await?.progress();
            match &progress {
                Progress::Complete => return Ok(()),
                Progress::Stuck(why) => {
                    anyhow::bail!("{why}: see kubectl describe {workload} -n {}", workload.namespace)
                }
                Progress::Underway { .. } if Instant::now() >= deadline => anyhow::bail!(
                    "not healthy within {:?} ({progress}): see kubectl rollout status {workload} -n {}, or give it longer by --timeout",
                    self.args.timeout,
                    workload.namespace
                ),
                Progress::Underway { .. } => {}
            }
            if told.as_ref() != Some(&progress) {
                eprintln!("{}: {progress}", label(workload));
                told = Some(progress);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
