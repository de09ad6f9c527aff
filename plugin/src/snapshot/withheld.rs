//! Contents that were taken out of a file, or masked, before it was handed on: compared, they would
//! look like changes.

use reload_core::last_write::LastWrite;
use reload_core::source::{Source, SourceKind};
use serde_json::{Map, Value};

/// What takes the place of a part of a value.
const MARKS: [&str; 6] = ["***hidden***", "**redacted**", "<redacted>", "[redacted]", "<hidden>", "<masked>"];

/// What takes the place of a whole one, but for signs around it.
const WORDS: [&str; 8] =
    ["redacted", "hidden", "masked", "removed", "omitted", "sanitized", "censored", "stripped"];

/// Why the content of a source is not what the cluster has, if so.
pub(super) fn reason(
    kind: SourceKind,
    object: &Value,
    json: &str,
    has_managed_fields: bool,
) -> Option<&'static str> {
    const WITHOUT: &str = "the file holds it without its content";
    const MASKED: &str = "the file holds it with masked values";
    let Ok(source) = Source::parse(kind, json.as_bytes()) else { return Some(MASKED) };
    let values = |field: &str| object.get(field).and_then(Value::as_object).into_iter().flat_map(Map::values);
    let texts = ["data", "binaryData"].into_iter().flat_map(values).filter_map(Value::as_str);
    if texts.clone().any(|text| is_masked(kind, text)) {
        return Some(MASKED);
    }
    // Nobody can tell an empty source from one that was emptied but by who has written what.
    let owned = source.last_write.is_some_and(|LastWrite { keys, .. }| !keys.is_empty());
    let empty = texts.count() == 0;
    (empty && (owned || !has_managed_fields)).then_some(WITHOUT)
}

fn is_masked(kind: SourceKind, text: &str) -> bool {
    if is_mask(kind, text) {
        return true;
    }
    let decoded = (kind == SourceKind::Secret).then(|| decode(text)).flatten();
    decoded.is_some_and(|text| is_mask(kind, &text))
}

fn is_mask(kind: SourceKind, text: &str) -> bool {
    let lower = text.to_lowercase();
    if MARKS.iter().any(|mark| lower.contains(mark)) {
        return true;
    }
    if lower.len() >= 3 && lower.chars().all(|c| matches!(c, '*' | '•')) {
        return true;
    }
    let word = lower.trim_matches(|c: char| !c.is_alphanumeric());
    // In a ConfigMap, a plain word may be a setting.
    let alone = word.len() == lower.len() && word != "redacted" && kind == SourceKind::ConfigMap;
    WORDS.contains(&word) && !alone
}

fn decode(base64: &str) -> Option<String> {
    let bytes: k8s_openapi::ByteString = serde_json::from_value(Value::String(base64.to_owned())).ok()?;
    String::from_utf8(bytes.0).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_masked_or_taken_out_is_no_content() {
        let metadata = json!({
            "name": "m", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z",
        });
        let of = |kind, data: Value, managed| {
            let object = json!({"metadata": metadata, "data": data});
            reason(kind, &object, &object.to_string(), managed).is_some()
        };
        let (map, secret) = (SourceKind::ConfigMap, SourceKind::Secret);
        for (name, kind, data, withheld) in [
            ("a value", secret, json!({"a": "aHVudGVyMg=="}), false),
            ("a mask that is no base64", secret, json!({"a": "***HIDDEN***"}), true),
            ("a mask that is base64 by chance", secret, json!({"a": "REDACTED"}), true),
            ("an encoded mask", secret, json!({"a": "PHJlZGFjdGVkPg==", "b": "aHVudGVyMg=="}), true),
            ("stars", secret, json!({"a": "KioqKio="}), true),
            ("an empty value", secret, json!({"a": ""}), false),
            ("a setting", map, json!({"visibility": "hidden"}), false),
            ("a mask in a text", map, json!({"url": "http://u:***HIDDEN***@h"}), true),
            ("a mask in brackets", map, json!({"url": "<removed>"}), true),
            ("nothing", map, json!({}), true),
            ("nothing at all", secret, Value::Null, true),
            ("no text", map, json!({"a": 5}), true),
        ] {
            assert_eq!(of(kind, data, false), withheld, "{name}");
        }
        assert!(!of(map, json!({}), true), "nobody has ever written anything");
    }
}
