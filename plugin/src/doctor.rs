//! `kubectl reload doctor`: whether everything is as it should be, and what to do if not.

mod certificate;
mod checks;
mod facts;
mod finding;
mod rights;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::color::{Color, Paint};
use crate::connection::{Connection, ConnectionArgs};
use crate::document::{API_VERSION, Form};
use crate::installation::{InstallationArgs, REGISTRATION_NAME};
use crate::table::{emit, printable};
use checks::check;
use facts::Facts;
use finding::{Finding, Level};

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

/// The JSON and YAML output.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    level: Level,
    findings: &'a [Finding],
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
    let level = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Green);
    emit(&match args.output {
        Some(form) => {
            form.write(&Document { api_version: API_VERSION, kind: "Doctor", level, findings: &findings })?
        }
        None => text(&findings, paint),
    })?;
    Ok(if level == Level::Red { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn text(findings: &[Finding], paint: Paint) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { check, level, message, remedy } in findings {
        let word = match level {
            Level::Green => paint.paint(Color::Green, "ok     "),
            Level::Yellow => paint.paint(Color::Yellow, "warning"),
            Level::Red => paint.paint(Color::Red, "failed "),
        };
        text += &format!("{word}   {check:width$}   {}\n", printable(message));
        if let Some(remedy) = remedy {
            text += &format!("{:width$}             -> {}\n", "", printable(remedy));
        }
    }
    let count = |wanted: Level| findings.iter().filter(|finding| finding.level == wanted).count();
    let (red, yellow) = (count(Level::Red), count(Level::Yellow));
    text + &match (red, yellow) {
        (0, 0) => "\nAll is well.\n".to_owned(),
        (0, yellow) => format!("\nNothing has to be mended; {yellow} to look at.\n"),
        (red, 0) => format!("\n{red} to mend.\n"),
        (red, yellow) => format!("\n{red} to mend; {yellow} to look at.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_what_to_do_and_nothing_in_it_acts_on_a_terminal() {
        let findings = [
            Finding::green("server", "v1.36.3"),
            Finding::yellow("rights", "may not list \u{1b}[2J", "ask"),
            Finding::red("replicas", "none is ready", "look"),
        ];
        assert_eq!(
            text(&findings, Paint::PLAIN),
            "ok        server     v1.36.3\n\
             warning   rights     may not list \u{fffd}[2J\n                     -> ask\n\
             failed    replicas   none is ready\n                     -> look\n\
             \n1 to mend; 1 to look at.\n"
        );
        assert!(text(&findings, Paint::COLORED).contains("\u{1b}[31mfailed \u{1b}[0m"));
    }
}
