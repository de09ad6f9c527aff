//! `kubectl reload used-by`: which workloads and pods use a source, how, and which keys.

mod document;
mod existing;
mod templates;
mod users;
mod view;

use std::process::ExitCode;

use clap::Args;
use reload_core::source::SourceId;

use crate::connection::{Connection, ConnectionArgs};
use crate::document::{Form, Output};
use crate::table::emit;
use document::Document;
use existing::Existing;
use templates::Templates;
pub(crate) use users::{Use, uses};
use view::View;

/// Shows which workloads and pods use a ConfigMap or a Secret, how, and which keys.
///
/// Workloads that have no pods now count too: those scaled to zero, CronJobs and suspended Jobs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload used-by configmap/web-settings -n shop
  kubectl reload used-by cm/web-settings secret/db-login -n shop -o wide
  kubectl reload used-by secret/registry -A -o name")]
pub(crate) struct UsedByArgs {
    /// Sources, as configmap/NAME or secret/NAME.
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<SourceId>,

    /// Look at all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

/// Runs the command.
pub(crate) async fn run(args: UsedByArgs, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    let Connection { client, namespace } = connection.connect().await?;
    let namespace = (!args.all_namespaces).then_some(namespace);
    let namespace = namespace.as_deref();
    let (templates, existing) = tokio::join!(
        Templates::fetch(&client, namespace),
        Existing::fetch(&client, namespace, &args.sources)
    );
    let document = Document::of(&args.sources, namespace, &templates?, &existing?);
    let view = |wide| View { with_namespace: namespace.is_none(), wide };
    emit(&match args.output {
        Output::Table => view(false).text(&document),
        Output::Wide => view(true).text(&document),
        Output::Json => Form::Json.write(&document)?,
        Output::Yaml => Form::Yaml.write(&document)?,
        Output::Name => view::names(&document),
    })?;
    Ok(ExitCode::SUCCESS)
}
