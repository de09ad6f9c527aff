//! What becomes of an object, as a person compares it.

use serde_json::Value;
use similar::TextDiff;

use crate::color::{Color, Paint};
use crate::installation::object::Object;
use crate::table::printable;

/// Lines around each that changes.
const CONTEXT: usize = 3;

/// What becomes of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Create,
    /// The lines of a unified diff.
    Configure(Vec<String>),
    Unchanged,
}

impl Change {
    /// From what is there to what will be.
    ///
    /// # Errors
    /// When it cannot be written as YAML.
    pub(crate) fn between(live: Option<&Object>, after: &Value) -> anyhow::Result<Self> {
        let Some(live) = live else { return Ok(Self::Create) };
        let texts = [&live.json, after].map(|json| serde_saphyr::to_string(&bare(json)));
        let [before, after] = texts;
        let (before, after) = (before?, after?);
        if before == after {
            return Ok(Self::Unchanged);
        }
        let diff = TextDiff::from_lines(&before, &after);
        let diff = diff.unified_diff().context_radius(CONTEXT).to_string();
        Ok(Self::Configure(diff.lines().map(str::to_owned).collect()))
    }

    /// What was done to it, in kubectl's words.
    pub(crate) fn done(&self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Configure(_) => "configured",
            Self::Unchanged => "unchanged",
        }
    }

    /// The lines that change, with colours and nothing that acts on a terminal.
    pub(crate) fn diff(&self, paint: Paint) -> String {
        let Self::Configure(lines) = self else { return String::new() };
        let painted = lines.iter().map(|line| {
            let text = format!("  {}", printable(line));
            let color = match line.as_bytes().first() {
                Some(b'+') => Color::Green,
                Some(b'-') => Color::Red,
                Some(b'@') => Color::Blue,
                _ => return text,
            };
            paint.paint(color, &text)
        });
        painted.map(|line| line + "\n").collect()
    }
}

/// Without what the API server keeps for itself.
fn bare(json: &Value) -> Value {
    let mut json = json.clone();
    if let Some(object) = json.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = json.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        for field in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"] {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    let webhooks = json.pointer_mut("/webhooks").and_then(Value::as_array_mut);
    for webhook in webhooks.into_iter().flatten() {
        if let Some(Value::String(bundle)) = webhook.pointer_mut("/clientConfig/caBundle") {
            // Nobody compares certificates by their looks.
            *bundle = format!("({} bytes)", bundle.len());
        }
    }
    json
}

/// What applying a manifest makes of what is there, as far as that can be told without the API server:
/// fields are set, and none is taken away.
pub(crate) fn overlay(live: &Value, wanted: &Value) -> Value {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            let mut both = live.clone();
            for (name, value) in wanted {
                let value = live.get(name).map_or_else(|| value.clone(), |live| overlay(live, value));
                both.insert(name.clone(), value);
            }
            Value::Object(both)
        }
        (Value::Array(live), Value::Array(wanted)) if live.len() == wanted.len() => {
            live.iter().zip(wanted).map(|(live, wanted)| overlay(live, wanted)).collect()
        }
        _ => wanted.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(spec: Value) -> Object {
        let metadata = json!({"name": "x", "uid": "u", "resourceVersion": "1", "managedFields": []});
        let json = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec});
        Object::new(json).unwrap()
    }

    #[test]
    fn what_the_api_server_keeps_is_no_change() {
        let there = live(json!({"replicas": 2, "paused": false}));
        let mut after = there.json.clone();
        after["metadata"]["resourceVersion"] = json!("2");
        after["status"] = json!({"replicas": 1});
        assert_eq!(Change::between(Some(&there), &after).unwrap(), Change::Unchanged);
        after["spec"]["replicas"] = json!(3);
        assert!(matches!(Change::between(Some(&there), &after).unwrap(), Change::Configure(_)));
        assert_eq!(Change::between(None, &after).unwrap(), Change::Create);
    }

    #[test]
    fn a_manifest_is_laid_over_what_is_there() {
        let live = json!({"a": 1, "b": [{"name": "x", "kept": true}], "c": [1]});
        let wanted = json!({"b": [{"name": "y"}], "c": [1, 2], "d": 4});
        let both = json!({"a": 1, "b": [{"name": "y", "kept": true}], "c": [1, 2], "d": 4});
        assert_eq!(overlay(&live, &wanted), both);
        assert_eq!(overlay(&live, &json!({"c": [1]})), live);
    }
}
