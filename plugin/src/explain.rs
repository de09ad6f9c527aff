//! `kubectl reload explain`: why a workload's or a pod's verdict is what it is.

mod document;
mod restart;
mod view;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use futures::StreamExt;

use crate::clock::Clock;
use crate::color::Paint;
use crate::connection::{Connection, ConnectionArgs};
use crate::document::Form;
use crate::named::Look;
use crate::pods::PARALLEL;
use crate::report::{find_rolling, roll_up};
use crate::scope::{ScopeArgs, Selector};
use crate::survey::{Depth, JudgementArgs, SurveyedPod};
use crate::table::emit;
use document::{Document, Explained};
use restart::restart;

/// Shows of every source that pods use how it is used, what was recorded, what is there now and who
/// wrote it, what follows from that, and what a restart would do.
///
/// Names of keys are shown, and never a value. Nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload explain deployment/web -n shop
  kubectl reload explain statefulset db -n shop
  kubectl reload explain pod/web-5d9c7b-x2x4z -n shop
  kubectl reload explain deployment/web -n shop -o yaml")]
pub(crate) struct ExplainArgs {
    /// Workloads or pods, as TYPE/NAME or as TYPE NAME...
    #[arg(value_name = "TYPE/NAME", required = true)]
    targets: Vec<String>,

    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,

    #[command(flatten)]
    judgement: JudgementArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people: pods that stand alike are shown once.
    Table,
    /// For programs: every pod.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Runs the command.
pub(crate) async fn run(
    args: ExplainArgs,
    connection: &ConnectionArgs,
    paint: Paint,
) -> anyhow::Result<ExitCode> {
    let targets = ScopeArgs { targets: args.targets.clone(), ..ScopeArgs::default() }.targets()?;
    let Connection { client, namespace } = connection.connect().await?;
    let place = Some(namespace.as_str());
    let look =
        Look::at(&targets, Depth::Everything, &client, place, Selector::default(), &args.judgement).await?;
    let mut reports = roll_up(&look.pods);
    let now = Clock::of(&client).await.now();
    find_rolling(&client, &look.inventory, &look.pods, &mut reports, Some(now)).await?;
    let explained = futures::stream::iter(&reports).map(async |report| {
        let of_workload = || look.pods.iter().filter(|pod| pod.workload == report.workload);
        let pods: Vec<&SurveyedPod> = of_workload().filter(|pod| look.takes(pod)).collect();
        let restart = restart(&client, report, of_workload(), now).await;
        Explained::of(report, &pods, restart)
    });
    let document = Document::of(explained.buffered(PARALLEL).collect().await);
    emit(&match args.output {
        Output::Table if document.workloads.is_empty() => {
            "No pod of it runs, so nothing runs on old configuration.\n".to_owned()
        }
        Output::Table => view::text(&document, paint),
        Output::Json => Form::Json.write(&document)?,
        Output::Yaml => Form::Yaml.write(&document)?,
    })?;
    Ok(ExitCode::SUCCESS)
}
