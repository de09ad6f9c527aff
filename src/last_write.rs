//! When the data of a source was last written, read off its `managedFields`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// The latest time of the `managedFields` entries that own any key of `data`, `binaryData` or
/// `stringData`.
///
/// It is no earlier than the last write of the keys that the entries own, may be later (a label set
/// by the same manager moves it), and says nothing of removed or unowned keys: a manager that
/// removes another's key leaves no trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWrite {
    /// Whole seconds, by the API server's clock.
    pub at: Timestamp,
    /// The manager of that entry.
    pub manager: String,
    /// The keys that any such entry owns.
    pub keys: BTreeSet<String>,
}

/// One entry of `metadata.managedFields`, as far as it tells of data.
#[derive(Debug, Deserialize)]
pub struct ManagedFields {
    #[serde(default)]
    manager: String,
    #[serde(default, deserialize_with = "held")]
    time: Option<Timestamp>,
    #[serde(rename = "fieldsV1")]
    fields: Option<Fields>,
}

#[derive(Debug, Default, Deserialize)]
struct Fields {
    #[serde(rename = "f:data")]
    data: Option<Owned>,
    #[serde(rename = "f:binaryData")]
    binary_data: Option<Owned>,
    #[serde(rename = "f:stringData")]
    string_data: Option<Owned>,
    #[serde(rename = "f:immutable")]
    immutable: Option<IgnoredAny>,
}

impl ManagedFields {
    /// An entry by its parts: its time in seconds since 1970, its fields as JSON.
    ///
    /// # Errors
    /// When the fields are no such JSON. What is wrong with them is for nobody to print.
    pub fn new(manager: String, time: Option<i64>, fields: Option<&[u8]>) -> Result<Self, serde_json::Error> {
        let time = time.map(|second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX));
        let fields = fields.map(serde_json::from_slice).transpose()?;
        Ok(Self { manager, time, fields })
    }

    /// Whether somebody has set `immutable`, which metadata alone does not show.
    pub fn sets_immutable(&self) -> bool {
        self.fields.as_ref().is_some_and(|fields| fields.immutable.is_some())
    }
}

type Owned = BTreeMap<String, IgnoredAny>;

/// Whoever may write an object may write any time into its entries. One that cannot be held is as late
/// as any can be: then it proves nothing to be current.
fn held<'de, D: Deserializer<'de>>(time: D) -> Result<Option<Timestamp>, D::Error> {
    let time = Option::<String>::deserialize(time)?;
    Ok(time.map(|time| time.parse().unwrap_or(Timestamp::MAX)))
}

impl Fields {
    fn keys(&self) -> impl Iterator<Item = &str> {
        let owned = [&self.data, &self.binary_data, &self.string_data].into_iter().flatten();
        owned.flat_map(|owned| owned.keys().filter_map(|field| field.strip_prefix("f:")))
    }
}

impl LastWrite {
    /// The last write that the entries tell of; `None` when no timed entry owns any data.
    pub fn of(entries: &[ManagedFields]) -> Option<Self> {
        let mut last: Option<Self> = None;
        for entry in entries {
            let (Some(time), Some(fields)) = (entry.time, &entry.fields) else { continue };
            let mut keys = fields.keys().map(str::to_owned).peekable();
            if keys.peek().is_none() {
                continue;
            }
            let last = last.get_or_insert_with(|| Self {
                at: time,
                manager: entry.manager.clone(),
                keys: BTreeSet::new(),
            });
            last.keys.extend(keys);
            if time > last.at {
                last.at = time;
                last.manager.clone_from(&entry.manager);
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn last_write(entries: Value) -> Option<LastWrite> {
        let entries: Vec<ManagedFields> = serde_json::from_value(entries).unwrap();
        LastWrite::of(&entries)
    }

    #[test]
    fn the_latest_entry_that_owns_data_counts() {
        let write = last_write(json!([
            {"manager": "a", "time": "2026-01-01T00:00:05Z", "fieldsV1": {"f:data": {".": {}, "f:x": {}}}},
            {"manager": "b", "time": "2026-01-01T00:00:07Z",
             "fieldsV1": {"f:stringData": {"f:y": {}}, "f:metadata": {"f:labels": {"f:z": {}}}}},
            {"manager": "c", "time": "2026-01-01T00:00:09Z", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
        ]));
        let write = write.unwrap();
        assert_eq!(write.at, "2026-01-01T00:00:07Z".parse().unwrap());
        assert_eq!(write.manager, "b");
        assert_eq!(write.keys, ["x".to_owned(), "y".to_owned()].into());
    }

    #[test]
    fn a_time_that_cannot_be_held_is_as_late_as_any() {
        for time in ["9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "soon"] {
            let entry = json!({"manager": "a", "time": time, "fieldsV1": {"f:data": {"f:x": {}}}});
            assert_eq!(last_write(json!([entry])).unwrap().at, Timestamp::MAX, "{time}");
        }
        let entry = |time| ManagedFields::new("a".to_owned(), Some(time), Some(br#"{"f:data":{"f:x":{}}}"#));
        for time in [i64::MAX, i64::MIN, 253_402_300_799] {
            let entry = entry(time).unwrap();
            assert_eq!(LastWrite::of(&[entry]).unwrap().at, Timestamp::MAX, "{time}");
        }
        assert!(ManagedFields::new(String::new(), None, Some(b"{")).is_err());
    }

    #[test]
    fn no_entry_of_data_tells_nothing() {
        for entries in [
            json!([]),
            json!([{}]),
            json!([{"manager": "a", "fieldsV1": {"f:data": {"f:x": {}}}}]),
            json!([{"manager": "a", "time": "2026-01-01T00:00:05Z", "fieldsV1": {"f:data": {".": {}}}}]),
        ] {
            assert_eq!(last_write(entries.clone()), None, "{entries}");
        }
    }
}
