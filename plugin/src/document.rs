//! Documents: output for programs. Each has a versioned schema: fields are added, never changed.

use clap::ValueEnum;
use serde::Serialize;

/// The version of all schemas.
pub(crate) const API_VERSION: &str = "kubectl-reload.dev/v1alpha1";

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
}

/// How a view of workloads is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// The table with all there is to tell, however wide.
    Wide,
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
    /// TYPE/NAME of each.
    Name,
}

impl Form {
    /// The text of a document, with its line end.
    ///
    /// # Errors
    /// When it has no such form.
    pub(crate) fn write(self, document: &impl Serialize) -> anyhow::Result<String> {
        Ok(match self {
            Self::Json => serde_json::to_string_pretty(document)? + "\n",
            Self::Yaml => serde_saphyr::to_string(document)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_says_what_json_says_and_nothing_acts_on_a_terminal() {
        let hostile = ["plain", "true", "1.0", "- a: b", "\u{1b}[31m", "two\nlines", "", " x ", "null", "#a"];
        let document = serde_json::json!({"kind": "Status", "texts": hostile, "none": null, "n": 3});
        let yaml = Form::Yaml.write(&document).unwrap();
        assert!(!yaml.contains('\u{1b}'), "{yaml}");
        let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, document);
        assert!(yaml.ends_with('\n') && !yaml.ends_with("\n\n"), "{yaml:?}");
    }
}
