//! `kubectl reload status`: what runs on old configuration.

mod document;
mod file;
mod metrics;
mod offline;
mod order;
mod output;
mod pod;
mod view;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use reload_core::verdict::Verdict;

use crate::ERROR;
use crate::color::Paint;
use crate::connection::{Connection, ConnectionArgs};
use crate::document::Form;
use crate::findings::{Found, find_with_pods};
use crate::report::WorkloadReport;
use crate::scope::ScopeArgs;
use crate::survey::JudgementArgs;
use crate::table::{emit, printable, terminal_width};
use document::Document;
use order::Order;
use output::Output;
use pod::PodReport;
use view::View;
pub(crate) use view::what;
use watch::WatchArgs;

/// Shows which workloads run on old configuration, and which keys changed.
///
/// Nothing is changed. Only what needs attention is listed; see --all.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload status -A
  kubectl reload status -n shop --all
  kubectl reload status -A --by source --sort-by since
  kubectl reload status deployment/web -n shop -o yaml
  kubectl reload status -A --pods --field-selector spec.nodeName=node-7
  kubectl reload status -n shop --watch
  kubectl get pods,cm,secrets,rs,controllerrevisions,deploy,sts,ds,jobs,ns -A \\
    -o json --show-managed-fields > cluster.json
  kubectl reload status -f cluster.json   # no cluster is asked: for support bundles
  kubectl reload status -A --exit-code   # for scripts: 1 when something is drifted
  kubectl reload status -A --exit-code --inferred   # 1 when something possibly is, too
  kubectl reload status -A -o openmetrics   # workloads by namespace and verdict, for Prometheus")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    scope: ScopeArgs,

    /// List workloads that are current too.
    #[arg(long)]
    all: bool,

    /// What the tables are about: workloads and what changed for each, or sources and what they
    /// affect.
    #[arg(long, value_enum, default_value = "workload", value_name = "WHAT")]
    by: By,

    /// A row for each pod, with its workload.
    #[arg(long, conflicts_with = "by")]
    pods: bool,

    /// Which workloads come first, and their pods or sources with them.
    #[arg(long, value_enum, default_value = "name", value_name = "ORDER")]
    sort_by: Order,

    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,

    /// Write the answer into this file in place of standard output. The file is replaced when all is
    /// known, so that whoever reads it never finds half an answer.
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    output_file: Option<PathBuf>,

    /// Exit with 1 when a workload is drifted for sure, and with 2 on errors, or when none is known to be
    /// but sources in use could not be looked at, or Secrets not be compared for want of the hash key.
    #[arg(long)]
    exit_code: bool,

    /// With --exit-code, count what is only possibly on old configuration, too.
    #[arg(long, requires = "exit_code")]
    inferred: bool,

    /// Judge what kubectl get wrote into this file, and ask no cluster; - for standard input. May be
    /// given more than once; without -n, all namespaces are looked at.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["watch", "field_selector"])]
    filename: Vec<PathBuf>,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    judgement: JudgementArgs,
}

/// What a table's rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Workload,
    Source,
}

/// Runs the command.
pub(crate) async fn run(
    args: StatusArgs,
    connection: &ConnectionArgs,
    paint: Paint,
) -> anyhow::Result<ExitCode> {
    let targets = args.scope.targets()?;
    if !args.filename.is_empty() {
        let (text, outcome) = offline::look(&args, &targets, connection, paint).await?;
        return told(&args, &text, outcome);
    }
    let Connection { client, namespace } = connection.connect().await?;
    let namespace = args.scope.place(namespace);
    let namespace = namespace.as_deref();
    let selector = args.scope.selector();
    let look = async || -> anyhow::Result<(String, Outcome)> {
        let looked_at = Timestamp::now();
        let found = find_with_pods(&client, namespace, selector, &targets, &args.judgement).await?;
        shown(&args, found, namespace, looked_at, paint)
    };
    if args.watch.watch {
        args.watch.run(async || Ok(look().await?.0)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let (text, outcome) = look().await?;
    told(&args, &text, outcome)
}

/// What counts for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Current,
    Drifted,
    /// Nothing is known to be drifted, and sources in use could not be looked at.
    Untold,
}

fn told(args: &StatusArgs, text: &str, outcome: Outcome) -> anyhow::Result<ExitCode> {
    match &args.output_file {
        Some(path) => file::replace(path, text)?,
        None => emit(text)?,
    }
    Ok(match outcome {
        Outcome::Drifted if args.exit_code => ExitCode::from(1),
        Outcome::Untold if args.exit_code => ExitCode::from(ERROR),
        _ => ExitCode::SUCCESS,
    })
}

/// The answer of that time in the form that was asked for, and what it comes to.
fn shown(
    args: &StatusArgs,
    found: Found,
    namespace: Option<&str>,
    looked_at: Timestamp,
    paint: Paint,
) -> anyhow::Result<(String, Outcome)> {
    let incomplete = found.is_incomplete();
    let Found { mut reports, pods } = found;
    args.sort_by.sort(&mut reports);
    let pods = args.pods.then(|| PodReport::of(pods, &reports));
    let pods = pods.as_deref();
    let drifted = reports.iter().any(match args.inferred {
        true => WorkloadReport::is_possibly_drifted,
        false => WorkloadReport::is_drifted,
    });
    let view = View {
        namespace,
        all: args.all,
        wide: args.output == Output::Wide,
        by: args.by,
        sort_by: args.sort_by,
        width: args.output_file.is_none().then(terminal_width).flatten(),
        paint,
        now: Timestamp::now(),
    };
    let text = match args.output {
        Output::Table | Output::Wide => view.text(&reports, pods),
        Output::Json => Form::Json.write(&Document::of(&reports, pods))?,
        Output::Yaml => Form::Yaml.write(&Document::of(&reports, pods))?,
        Output::Name if args.pods => {
            let names = pods.into_iter().flatten().filter(|pod| args.all || pod.needs_attention());
            names.map(|pod| format!("pod/{}\n", printable(&pod.name))).collect()
        }
        Output::Name => {
            let names = reports.iter().filter(|report| args.all || needs_attention(report));
            names.map(|report| printable(&report.workload.to_string()) + "\n").collect()
        }
        Output::OpenMetrics => metrics::text(&reports, pods, looked_at)?,
    };
    let outcome = match (drifted, incomplete) {
        (true, _) => Outcome::Drifted,
        (false, true) => Outcome::Untold,
        (false, false) => Outcome::Current,
    };
    Ok((text, outcome))
}

fn needs_attention(report: &WorkloadReport) -> bool {
    !matches!(report.verdict, Verdict::Current | Verdict::Ignored)
}
