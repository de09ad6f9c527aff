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
            Self::Json => escaped(&serde_json::to_string_pretty(document)?) + "\n",
            Self::Yaml => serde_saphyr::to_string(document)?,
        })
    }
}

/// JSON in which nothing acts on a terminal: what lies within its texts and is a control character there,
/// and none by JSON's own rules (RFC 8259, section 7).
fn escaped(json: &str) -> String {
    if !json.contains(is_control) {
        return json.to_owned();
    }
    let escape = |c: char| if is_control(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() };
    json.chars().map(escape).collect()
}

fn is_control(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_says_what_json_says_and_nothing_acts_on_a_terminal() {
        let hostile = [
            "plain",
            "true",
            "1.0",
            "- a: b",
            "\u{1b}[31m",
            "\u{9b}31m\u{7f}\u{85}",
            "two\nlines",
            "",
            " x ",
            "null",
            "#a",
        ];
        let document = serde_json::json!({"kind": "Status", "texts": hostile, "none": null, "n": 3});
        let yaml = Form::Yaml.write(&document).unwrap();
        let json = Form::Json.write(&document).unwrap();
        for text in [&yaml, &json] {
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        }
        let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, document);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), document);
        assert!(yaml.ends_with('\n') && !yaml.ends_with("\n\n"), "{yaml:?}");
    }
}
