//! Findings: what a check says, how bad it is, and what to do.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Green,
    /// Worth a look.
    Yellow,
    /// To be mended.
    Red,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn green(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, level: Level::Green, message: message.into(), remedy: None }
    }

    pub(super) fn yellow(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Yellow, message: message.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn red(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Red, ..Self::yellow(check, message, remedy) }
    }

    /// Something that could not be looked at; the error says why, and names the right where one is missing.
    pub(super) fn unknown(check: &'static str, why: &str) -> Self {
        Self::yellow(
            check,
            format!("not known: {why}"),
            "mend that, or ask somebody who may look at it to run this command",
        )
    }
}
