//! `kubectl reload plan`: what would run on old configuration once a file is applied.

mod document;
mod effects;
mod outcome;
mod present;
mod source;
mod view;
mod wanted;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use futures::StreamExt;
use kube::Client;
use reload_core::verdict::{Certainty, Verdict};

use crate::ERROR;
use crate::color::Paint;
use crate::connection::{Connection, ConnectionArgs};
use crate::document::Form;
use crate::inventory::Inventory;
use crate::manifest;
use crate::pods::PARALLEL;
use crate::scope::Selector;
use crate::survey::{Depth, JudgementArgs, survey_to};
use crate::table::{emit, terminal_width};
use document::Document;
use effects::PlannedWorkload;
use outcome::{Action, PlannedSource};
use present::Present;
use view::View;
use wanted::Wanted;

/// Shows which workloads would run on old configuration once a file is applied.
///
/// Nothing is changed. The ConfigMaps and Secrets of the file are compared with those of the cluster,
/// key by key, and with what the running pods were started with; everything else in it is passed over.
/// A workload whose pod template changes by the same file is replaced by that anyway, and is shown all
/// the same.
///
/// As apply does it, keys that the file does not name stay, but for those that were applied before:
/// by `kubectl apply`, on the server's side, or by Helm. Replacing a source removes all of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload plan -f settings.yaml -n shop
  kubectl kustomize overlays/production | kubectl reload plan -f -
  helm template web ./web -n shop | kubectl reload plan -f - -n shop
  kubectl reload plan -f settings.yaml -o json
  kubectl reload plan -f settings.yaml --exit-code   # for scripts: 1 when something would be drifted")]
pub(crate) struct PlanArgs {
    /// File with manifests in YAML or JSON; - for standard input. May be given more than once.
    #[arg(short, long, value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,

    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,

    /// Exit with 1 when a workload would be drifted for sure, and with 2 on errors: a source that
    /// cannot be compared, or whose change the API server would refuse, is one.
    #[arg(long)]
    exit_code: bool,

    /// With --exit-code, count what would only possibly be on old configuration, too.
    #[arg(long, requires = "exit_code")]
    inferred: bool,

    #[command(flatten)]
    judgement: JudgementArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
}

/// What applying a file would do.
struct Plan {
    sources: Vec<PlannedSource>,
    workloads: Vec<PlannedWorkload>,
    /// How many objects of the file are no sources.
    ignored: usize,
}

/// Runs the command.
pub(crate) async fn run(
    args: PlanArgs,
    connection: &ConnectionArgs,
    paint: Paint,
) -> anyhow::Result<ExitCode> {
    let manifests = manifest::read(&args.filename)?;
    let given = connection.namespace.clone().filter(|namespace| !namespace.is_empty());
    let Connection { client, namespace } = connection.connect().await?;
    let all = manifests.len();
    let wanted = wanted::sources(manifests, &namespace, given.is_some())?;
    let ignored = all - wanted.len();
    tracing::info!(sources = wanted.len(), ignored, "file read");
    let plan = plan(&client, wanted, ignored, &args.judgement).await?;
    emit(&match args.output {
        Output::Table => View { namespace: plan.namespace(), width: terminal_width(), paint }.text(&plan),
        Output::Json => Form::Json.write(&Document::of(&plan))?,
        Output::Yaml => Form::Yaml.write(&Document::of(&plan))?,
    })?;
    let drifted = plan.workloads.iter().any(|workload| workload.would_drift(args.inferred));
    let amiss = |source: &PlannedSource| matches!(source.action, Action::Unknown | Action::Refused);
    let amiss = plan.sources.iter().any(amiss);
    Ok(match (drifted, amiss) {
        (true, _) if args.exit_code => ExitCode::from(1),
        (false, true) if args.exit_code => ExitCode::from(ERROR),
        _ => ExitCode::SUCCESS,
    })
}

async fn plan(
    client: &Client,
    wanted: Vec<Wanted>,
    ignored: usize,
    judgement: &JudgementArgs,
) -> anyhow::Result<Plan> {
    let compared = futures::stream::iter(wanted)
        .map(async |wanted| {
            let present = Present::get(client, &wanted.namespace, &wanted.id).await;
            PlannedSource::of(wanted, present)
        })
        .buffered(PARALLEL);
    let sources: Vec<PlannedSource> = compared.collect().await;
    let mut namespaces: BTreeMap<&str, Vec<&PlannedSource>> = BTreeMap::new();
    for source in sources.iter().filter(|source| matches!(source.action, Action::Create | Action::Change)) {
        namespaces.entry(&source.namespace).or_default().push(source);
    }
    let mut workloads = Vec::new();
    for (namespace, planned) in namespaces {
        let mut inventory = Inventory::fetch(client, Some(namespace), Selector::default()).await?;
        let before = survey_to(Depth::Grounds, client, &inventory, judgement, |_| true).await?;
        for source in &planned {
            inventory.plan(namespace, &source.id, source.object())?;
        }
        let after = survey_to(Depth::Grounds, client, &inventory, judgement, |_| true).await?;
        workloads.extend(effects::of(&planned, &before, &after));
    }
    // Those that the file does not reach are none of the plan's.
    workloads.retain(|workload| !workload.effects.is_empty());
    Ok(Plan { sources, workloads, ignored })
}

impl Plan {
    /// The one namespace that it is about.
    fn namespace(&self) -> Option<&str> {
        let first = self.sources.first()?.namespace.as_str();
        self.sources.iter().all(|source| source.namespace == first).then_some(first)
    }
}

impl PlannedWorkload {
    /// Whether it would be drifted by the file; for sure, or possibly.
    fn would_drift(&self, inferred: bool) -> bool {
        let counts = |certainty| inferred || certainty == Certainty::Recorded;
        self.effects.iter().any(|effect| effect.verdict == Verdict::Drifted && counts(effect.certainty))
    }
}
