//! `kubectl reload doctor`: whether everything is as it should be, and what to do if not.

mod certificate;
mod checks;
mod deployed;
mod facts;
mod finding;
mod rights;
mod view;

use std::process::ExitCode;

use clap::Args;

use crate::color::Paint;
use crate::connection::{Connection, ConnectionArgs};
use crate::document::Form;
use crate::installation::{InstallationArgs, REGISTRATION_NAME};
use crate::table::emit;
use checks::check;
use facts::Facts;
use finding::Level;
use view::{Document, text};

/// Checks the cluster, your rights and the installation, and says how to mend what is wrong.
///
/// Nothing is changed. Exits with 1 when something has to be mended.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload doctor
  kubectl reload doctor -n shop
  kubectl reload doctor -A -o json")]
pub(crate) struct DoctorArgs {
    /// Check rights and pods of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    /// Form of the output [default: plain text].
    #[arg(short, long, value_enum)]
    output: Option<Form>,

    /// Name of the webhook's registration.
    #[arg(long, value_name = "NAME", default_value = REGISTRATION_NAME)]
    registration: String,

    #[command(flatten)]
    installation: InstallationArgs,
}

/// Runs the command.
pub(crate) async fn run(
    args: DoctorArgs,
    connection: &ConnectionArgs,
    paint: Paint,
) -> anyhow::Result<ExitCode> {
    let Connection { client, namespace } = connection.connect().await?;
    let namespace = (!args.all_namespaces).then_some(namespace);
    let place = facts::Place {
        namespace,
        install_namespace: args.installation.install_namespace,
        registration: args.registration,
    };
    let facts = Facts::fetch(&client, place).await;
    let findings = check(&facts);
    let document = Document::of(&findings);
    emit(&match args.output {
        Some(form) => form.write(&document)?,
        None => text(&findings, paint),
    })?;
    Ok(if document.level == Level::Red { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
