//! What was found, for people and for programs.

use serde::Serialize;

use super::finding::{Finding, Level};
use crate::color::{Color, Paint};
use crate::document::API_VERSION;
use crate::table::printable;

/// The JSON and YAML output. Its schema is versioned: fields are added, never changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// The worst of all.
    pub(super) level: Level,
    findings: &'a [Finding],
}

impl<'a> Document<'a> {
    pub(super) fn of(findings: &'a [Finding]) -> Self {
        let level = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Green);
        Self { api_version: API_VERSION, kind: "Doctor", level, findings }
    }
}

/// A line for each finding and one below it for what to do, and a summary.
pub(super) fn text(findings: &[Finding], paint: Paint) -> String {
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
mod tests;
