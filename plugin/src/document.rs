//! Documents: output for programs. Each has a versioned schema: fields are added, never changed.

use clap::ValueEnum;
use serde::Serialize;

use crate::table::misleads;

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
        if self == Self::Yaml {
            let yaml = serde_saphyr::to_string(document)?;
            if !yaml.contains(acts) {
                return Ok(yaml);
            }
            // JSON is YAML, too, and says that of any text.
        }
        Ok(escaped(&serde_json::to_string_pretty(document)?) + "\n")
    }
}

/// JSON in which nothing acts on a terminal: what lies within its texts and does, and is no control character
/// by JSON's own rules (RFC 8259, section 7).
fn escaped(json: &str) -> String {
    if !json.contains(acts) {
        return json.to_owned();
    }
    let escape = |c: char| if acts(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() };
    json.chars().map(escape).collect()
}

fn acts(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}') || misleads(c)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use serde_json::Value;

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
            "\u{202e}turned\u{feff}",
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
            assert!(!text.contains(|c: char| c.is_control() && c != '\n' || misleads(c)), "{text:?}");
        }
        let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, document);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), document);
        assert!(yaml.ends_with('\n') && !yaml.ends_with("\n\n"), "{yaml:?}");
    }

    /// The fields of a document, as `workloads[].name`.
    fn fields(value: &Value, path: &str, all: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields_of) => {
                for (name, value) in fields_of {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    fields(value, &path, all);
                    all.insert(path);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| fields(item, &format!("{path}[]"), all)),
            _ => {}
        }
    }

    /// The golden documents, in all folders below.
    fn golden_documents(folder: &Path, all: &mut Vec<Value>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() {
                golden_documents(&entry, all);
            } else if name.ends_with("json.snap") {
                let text = std::fs::read_to_string(&entry).unwrap();
                let json = text.splitn(3, "---\n").nth(2).unwrap();
                all.push(serde_json::from_str(json).unwrap());
            }
        }
    }

    #[test]
    fn the_page_on_documents_has_each_field_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(root.join("../docs/documents.md")).unwrap();
        let mut documents = Vec::new();
        golden_documents(&root.join("src"), &mut documents);
        let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for document in &documents {
            let kind = document["kind"].as_str().unwrap().to_owned();
            fields(document, "", kinds.entry(kind).or_default());
        }
        let sections: BTreeMap<String, BTreeSet<String>> = page
            .split("\n## ")
            .skip(1)
            .map(|section| {
                let (kind, rows) = section.split_once('\n').unwrap();
                let field = |row: &str| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned());
                let of_all = ["apiVersion", "kind"].map(str::to_owned);
                (kind.to_owned(), rows.lines().filter_map(field).chain(of_all).collect())
            })
            .collect();
        assert!(kinds.len() > 5, "{kinds:?}");
        assert_eq!(sections, kinds);
    }
}
