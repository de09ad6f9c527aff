//! What of a pod matters for its record. The pod itself is let go of before anything is waited for.

use std::collections::BTreeMap;

use reload_core::annotation::RECORD;
use reload_core::options::{Carrier, Options};
use reload_core::record::{MAX_SOURCES, Owner};
use reload_core::reference::{Keys, Mode, Selection, pairs, references, selection};
use reload_core::source::SourceId;

use crate::admission::Unrecordable;
use crate::review::Pod;

/// The longest that what a pod brings along may be in the log, in characters.
const MAX_QUOTE: usize = 300;

/// What of a text goes to the log: pods reach the webhook before their names are validated.
pub(crate) fn quote(text: &str) -> String {
    text.chars().take(MAX_QUOTE).flat_map(char::escape_debug).collect()
}

/// A pod to record.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) owner: Owner,
    /// What it uses, without what is ignored.
    pub(crate) uses: Selection,
    /// The length of its annotations, in bytes, without a record that it brought along.
    pub(crate) annotations: usize,
    /// Whether it brought one.
    pub(crate) has_record: bool,
}

impl Subject {
    /// Of a pod with so many pairs of what uses and what is used, at most.
    ///
    /// # Errors
    /// [`Unrecordable::TooManyReferences`]
    pub(crate) fn of(pod: &Pod, ignore: &[SourceId], most_pairs: usize) -> Result<Self, Unrecordable> {
        let others = pod.annotations.iter().filter(|(name, _)| *name != RECORD);
        Ok(Self {
            owner: owner(pod),
            uses: uses(pod, ignore, most_pairs)?,
            annotations: others.map(|(name, value)| name.len() + value.len()).sum(),
            has_record: pod.annotations.contains_key(RECORD),
        })
    }

    /// What it takes of memory, in bytes, roughly. It may be many times what the pod takes as text:
    /// each source of a container's `envFrom` has a list of the keys that are overridden.
    pub(crate) fn size(&self) -> usize {
        /// A key's place in a set, beside its text.
        const KEY: usize = 64;
        let of_keys = |keys: &Keys| {
            let (Keys::All { except: keys } | Keys::Some(keys)) = keys;
            keys.iter().map(|key| key.len() + KEY).sum::<usize>()
        };
        let of_source = |(source, modes): (&SourceId, &BTreeMap<Mode, Keys>)| {
            source.name.len() + modes.values().map(of_keys).sum::<usize>()
        };
        let (Owner::Controller(owner) | Owner::Pod(owner) | Owner::Generated(owner)) = &self.owner;
        self.uses.iter().map(of_source).sum::<usize>() + owner.len()
    }
}

fn uses(pod: &Pod, ignore: &[SourceId], most_pairs: usize) -> Result<Selection, Unrecordable> {
    let Some(spec) = &pod.spec else { return Ok(Selection::new()) };
    let options = Options::parse(Carrier::Pod, "the pod", &pod.annotations).unwrap_or_else(|error| {
        // It quotes what the annotation says, which may be long.
        let error = quote(&error.to_string());
        let name = pod.name.as_ref().or(pod.generate_name.as_ref());
        let name = quote(name.map_or("", String::as_str));
        tracing::warn!(name, error, "recorded without its options");
        Options::default()
    });
    // Each of them is a reference of every container.
    if options.extra.len() > MAX_SOURCES || pairs(spec, options.extra.len()) > most_pairs {
        return Err(Unrecordable::TooManyReferences);
    }
    let mut uses = selection(&references(spec, &options.extra));
    uses.retain(|source, _| !ignore.contains(source));
    Ok(uses)
}

fn owner(pod: &Pod) -> Owner {
    let controller = pod
        .owners
        .iter()
        .filter(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.clone())
        .next();
    Owner::at_admission(controller, pod.name.clone(), pod.generate_name.clone())
}

#[cfg(test)]
mod tests {
    use reload_core::reference::MAX_PAIRS;
    use serde_json::json;

    use super::*;

    fn of(spec: serde_json::Value) -> Result<Subject, Unrecordable> {
        Subject::of(&Pod { spec: serde_json::from_value(spec).unwrap(), ..Pod::default() }, &[], MAX_PAIRS)
    }

    fn is_refused(spec: serde_json::Value) -> bool {
        matches!(of(spec), Err(Unrecordable::TooManyReferences))
    }

    #[test]
    fn a_pod_with_millions_of_pairs_to_look_at_is_let_through_unlooked_at() {
        let env: Vec<_> = (0..1000).map(|i| json!({"name": format!("A{i}"), "value": "$(A0)"})).collect();
        let from: Vec<_> = (0..1000).map(|i| json!({"configMapRef": {"name": format!("m{i}")}})).collect();
        let mounts: Vec<_> = (0..4000).map(|i| json!({"name": "v", "mountPath": format!("/m{i}")})).collect();
        let items: Vec<_> = (0..3900).map(|i| json!({"key": format!("k{i}"), "path": "p"})).collect();
        let volumes = json!([{"name": "v", "configMap": {"name": "m", "items": items}}]);
        assert!(is_refused(json!({"containers": [{"name": "c", "env": env, "envFrom": from}]})));
        assert!(is_refused(
            json!({"containers": [{"name": "c", "volumeMounts": mounts}], "volumes": volumes})
        ));
        assert!(!is_refused(json!({"containers": [{"name": "c", "env": env}]})));
        assert!(!is_refused(json!({"containers": [{"name": "c"}], "volumes": volumes})));
    }
    #[test]
    fn the_size_is_that_of_all_keys_that_are_kept_and_not_of_the_pod() {
        let env: Vec<_> = (0..300).map(|i| json!({"name": format!("A{i}")})).collect();
        let from: Vec<_> = (0..100).map(|i| json!({"configMapRef": {"name": format!("m{i}")}})).collect();
        let spec = json!({"containers": [{"name": "c", "env": env, "envFrom": from}]});
        let text = spec.to_string().len();
        let size = of(spec).unwrap().size();
        assert!(size > 100 * 300 * 64 && size > 100 * text, "{size} of {text}");
        let small = of(json!({"containers": [{"name": "c"}]})).unwrap().size();
        assert!(small < 100, "{small}");
    }
}
