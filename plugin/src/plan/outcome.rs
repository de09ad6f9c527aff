//! What becomes of a source when the file is applied.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use reload_core::record::Changes;
use reload_core::reference::Mode;
use reload_core::source::SourceId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::present::Present;
use super::source::Data;
use super::wanted::Wanted;
use crate::api::ApiError;

/// What applying does to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// There is none yet.
    Create,
    /// Keys differ.
    Change,
    /// No key differs.
    None,
    /// The API server refuses it.
    Refused,
    /// It could not be compared.
    Unknown,
}

/// A source of the file.
pub(super) struct PlannedSource {
    pub(super) namespace: String,
    pub(super) id: SourceId,
    pub(super) action: Action,
    /// Why it is refused or unknown.
    pub(super) reason: Option<String>,
    /// As files show it.
    pub(super) changes: Changes,
    /// As environment variables show it.
    env: Changes,
    /// Keys that the file does not name, and that stay.
    pub(super) kept: BTreeSet<String>,
    /// As it would be.
    object: Zeroizing<String>,
}

impl PlannedSource {
    /// Compares what is wanted with what is there.
    pub(super) fn of(wanted: Wanted, present: Result<Option<Present>, ApiError>) -> Self {
        let (present, unknown) = match present {
            Ok(present) => (present, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let nothing = Data::default();
        let before = present.as_ref().map_or(&nothing, |present| &present.data);
        let (data, kept) = applied(&wanted, present.as_ref());
        let (changes, env) = (data.changes(before, Mode::Directory), data.changes(before, Mode::Env));
        let same = changes == Changes::default() && env == Changes::default();
        let refused = present.as_ref().and_then(|present| refused(&wanted, present, same));
        let action = match (&unknown, &refused, &present) {
            (Some(_), _, _) => Action::Unknown,
            (_, Some(_), _) => Action::Refused,
            (_, _, None) => Action::Create,
            (_, _, Some(_)) if same => Action::None,
            _ => Action::Change,
        };
        let object = object(&wanted, present.as_ref(), &data);
        let Wanted { namespace, id, .. } = wanted;
        Self { namespace, id, action, reason: unknown.or(refused), changes, env, kept, object }
    }

    /// The keys that differ for a use of this mode.
    pub(super) fn changes(&self, mode: Mode) -> &Changes {
        match mode {
            Mode::Env => &self.env,
            Mode::SubPath | Mode::Directory | Mode::Api => &self.changes,
        }
    }

    /// The source as it would be, in a version that no source has.
    pub(super) fn object(&self) -> Zeroizing<String> {
        self.object.clone()
    }
}

/// The data that a source has afterwards, and which of its keys the file does not name.
fn applied(wanted: &Wanted, present: Option<&Present>) -> (Data, BTreeSet<String>) {
    let (mut data, mut kept) = (wanted.data.clone(), BTreeSet::new());
    let Some(present) = present else { return (data, kept) };
    let stays = |key: &String| !wanted.data.contains(key) && !present.takes_back(key);
    for (key, value) in present.data.data.iter().filter(|(key, _)| stays(key)) {
        data.data.insert(key.clone(), value.clone());
        kept.insert(key.clone());
    }
    for (key, value) in present.data.binary.iter().filter(|(key, _)| stays(key)) {
        data.binary.insert(key.clone(), value.clone());
        kept.insert(key.clone());
    }
    (data, kept)
}

/// Why the API server would not let the source be changed so, if it would not.
fn refused(wanted: &Wanted, present: &Present, same: bool) -> Option<String> {
    let mutable =
        wanted.immutable == Some(false) || (wanted.immutable.is_none() && present.takes_back_immutable());
    if present.immutable && (!same || mutable) {
        let why = "it is immutable: give the new content a new name, or delete it first";
        return Some(why.to_owned());
    }
    match (&wanted.kind, &present.kind) {
        (Some(wanted), Some(present)) if wanted != present => {
            Some(format!("its type is {present} and cannot be changed: delete it first"))
        }
        _ => None,
    }
}

/// Written later than any container may have started, whatever the clocks say: all running ones are
/// older than what is yet to be applied.
fn object(wanted: &Wanted, present: Option<&Present>, data: &Data) -> Zeroizing<String> {
    let now = Timestamp::now();
    let at = now.checked_add(SignedDuration::from_hours(24)).unwrap_or(now);
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at).to_string();
    let owned = present.map(Present::owned).unwrap_or_default();
    let keys = data.keys().into_iter().filter(|key| owned.contains(key) || wanted.data.contains(key));
    let owned: Map<String, Value> = keys.map(|key| (format!("f:{key}"), json!({}))).collect();
    let immutable = wanted.immutable.unwrap_or_else(|| present.is_some_and(|present| present.immutable));
    let mut fields = json!({"f:data": owned});
    if immutable {
        fields["f:immutable"] = json!({});
    }
    let mut annotations = present.map(|present| present.annotations.clone()).unwrap_or_default();
    annotations.extend(wanted.annotations.clone());
    let mut object = json!({
        "metadata": {
            "namespace": wanted.namespace,
            "name": wanted.id.name,
            "uid": present.map_or("planned", |present| &present.uid),
            "resourceVersion": "planned",
            "creationTimestamp": present.map_or(&at, |present| &present.created_at),
            "annotations": annotations,
            "managedFields": [{"manager": "apply", "time": at, "fieldsV1": fields}],
        },
        "immutable": immutable,
    });
    for (field, values) in data.fields(wanted.id.kind) {
        object[field] = values;
    }
    Zeroizing::new(object.to_string())
}

#[cfg(test)]
mod tests;
