//! `kubectl reload sync`: restarts what is drifted, and nothing else.

use std::cell::Cell;
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
use crate::restart::{Restarted, at, restart, tell};
use crate::rollout::{Progress, Rollable};
use crate::scope::{ScopeArgs, Target};
use crate::status::{find, what};
use crate::survey::JudgementArgs;
use crate::table::{emit, printable};
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
        emit(&nothing(&reports))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (ready, refused): (Vec<&WorkloadReport>, Vec<&WorkloadReport>) =
        drifted.into_iter().partition(|report| refusal(report).is_none());
    for report in &refused {
        if let Some(why) = refusal(report) {
            say(&format!("{} not restarted: {why}", label(&report.workload)))?;
        }
    }
    if ready.len() > 1 && args.dry_run == DryRun::None && !args.yes {
        confirm(&ready)?;
    }
    let session = Session { client: &client, args: &args };
    let failed = session.restart_all(&ready).await?;
    Ok(if failed || !refused.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// That there is nothing to do, and what else there is.
fn nothing(reports: &[WorkloadReport]) -> String {
    let count =
        |wanted: &dyn Fn(&WorkloadReport) -> bool| reports.iter().filter(|report| wanted(report)).count();
    let counts = [
        (count(&|report| report.verdict == Verdict::Rolling), "already rolling"),
        (
            count(&|report| report.verdict == Verdict::Drifted),
            "possibly on old configuration, judged by times alone, and not restarted",
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
    if let Some(stuck) = &report.problem {
        return Some(stuck.clone());
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

/// One run of sync.
struct Session<'a> {
    client: &'a Client,
    args: &'a SyncArgs,
}

impl Session<'_> {
    /// Restarts them, so many at once, and says how each went; after a failure no more are begun.
    /// True when one was left drifted.
    async fn restart_all(&self, ready: &[&WorkloadReport]) -> std::io::Result<bool> {
        let failed = Cell::new(false);
        let mut outcomes = futures::stream::iter(ready)
            .map(async |report| match failed.get() && !self.args.keep_going {
                true => (*report, Outcome::NotBegun),
                false => (*report, self.restart_one(&report.workload).await),
            })
            .buffer_unordered(self.args.max_parallel.into());
        let mut not_begun = 0;
        while let Some((report, outcome)) = outcomes.next().await {
            let workload = label(&report.workload);
            let causes = causes(report);
            match outcome {
                Outcome::Restarted => say(&match self.args.dry_run {
                    DryRun::None => format!("{workload} restarted ({causes})"),
                    DryRun::Client => format!("{workload} would be restarted ({causes}) (dry run)"),
                    DryRun::Server => format!("{workload} would be restarted ({causes}) (server dry run)"),
                })?,
                Outcome::InSync(why) => say(&format!("{workload} {why}"))?,
                Outcome::Refused(why) => {
                    say(&format!("{workload} not restarted: {why}"))?;
                    failed.set(true);
                }
                Outcome::Failed(why) => {
                    say(&format!("{workload} failed: {why}"))?;
                    failed.set(true);
                }
                Outcome::NotBegun => not_begun += 1,
            }
        }
        if not_begun > 0 {
            say(&format!("{not_begun} more not restarted; --keep-going would have gone on"))?;
        }
        Ok(failed.get())
    }

    async fn restart_one(&self, workload: &WorkloadName) -> Outcome {
        let deadline = Instant::now() + self.args.timeout;
        match self.try_restart(workload, deadline).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    /// Judges a workload again and restarts it if it still is drifted, under the version that was
    /// judged; waits for a rollout that replaces the drifted pods already.
    async fn try_restart(&self, workload: &WorkloadName, deadline: Instant) -> anyhow::Result<Outcome> {
        let target = Target { kind: workload.kind.clone(), name: Some(workload.name.clone()) };
        loop {
            let seen = Rollable::get(self.client, workload).await?;
            if let Some(why) = seen.held() {
                return Ok(Outcome::Refused(format!("a restart would not roll: {why}")));
            }
            let namespace = Some(workload.namespace.as_str());
            let targets = std::slice::from_ref(&target);
            let found = find(self.client, namespace, None, targets, &self.args.judgement).await?;
            let Some(report) = found.iter().find(|report| report.verdict >= Verdict::Rolling) else {
                return Ok(Outcome::InSync("is in sync meanwhile"));
            };
            if report.verdict == Verdict::Rolling || !seen.is_observed() {
                if self.args.dry_run != DryRun::None || !self.args.wait {
                    return Ok(Outcome::InSync("is rolling already"));
                }
                self.wait(workload, None, deadline).await?;
                continue;
            }
            if !report.is_drifted() {
                return Ok(Outcome::InSync("is no longer drifted for sure"));
            }
            if let Some(why) = refusal(report) {
                return Ok(Outcome::Refused(why));
            }
            if self.args.dry_run == DryRun::Client {
                return Ok(Outcome::Restarted);
            }
            if let Some(outcome) = self.patch(workload, &seen, report, deadline).await? {
                return Ok(outcome);
            }
            anyhow::ensure!(Instant::now() < deadline, "others keep changing it: try again");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Writes the restart, and waits for it; `None` where it has to be judged again.
    async fn patch(
        &self,
        workload: &WorkloadName,
        seen: &Rollable,
        report: &WorkloadReport,
        deadline: Instant,
    ) -> anyhow::Result<Option<Outcome>> {
        let now = Timestamp::now();
        let dry_run = self.args.dry_run == DryRun::Server;
        match restart(self.client, workload, seen, now, dry_run).await? {
            Restarted::Conflict | Restarted::Unchanged => return Ok(None),
            Restarted::Yes if dry_run => return Ok(Some(Outcome::Restarted)),
            Restarted::Yes => {}
        }
        tell(self.client, workload, seen, format!("Restarted for {}", causes(report)), now).await;
        if self.args.wait {
            tell_progress(&format!("{} restarting ({})", label(workload), causes(report)));
            self.wait(workload, Some(at(now)), deadline).await?;
        }
        Ok(Some(Outcome::Restarted))
    }

    /// Waits until a workload's rollout is complete, telling how far it is. `restarted_at` is what
    /// the restart has written, and what must not be taken back.
    async fn wait(
        &self,
        workload: &WorkloadName,
        restarted_at: Option<String>,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        let place = format!("{workload} -n {}", workload.namespace);
        let mut told = None;
        loop {
            let rollable = Rollable::get(self.client, workload).await?;
            if restarted_at.is_some() && rollable.restarted_at() != restarted_at.as_deref() {
                anyhow::bail!(
                    "somebody took the restart back: see who writes its template with kubectl get {place} \
                     --show-managed-fields -o yaml"
                );
            }
            let progress = rollable.progress();
            match &progress {
                Progress::Complete => return Ok(()),
                Progress::Stuck(why) => anyhow::bail!("{why}: see kubectl describe {place}"),
                Progress::Underway { .. } if Instant::now() >= deadline => anyhow::bail!(
                    "not healthy within {:?} ({progress}): see kubectl rollout status {place}, or give it longer \
                     by --timeout",
                    self.args.timeout
                ),
                Progress::Underway { .. } => {}
            }
            if told.as_ref() != Some(&progress) {
                tell_progress(&format!("{}: {progress}", label(workload)));
                told = Some(progress);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
