//! What of a pod matters for its record. The pod itself is let go of before anything is waited for.

use k8s_openapi::api::core::v1::Pod;
use reload_core::annotation::RECORD;
use reload_core::options::{Carrier, Options};
use reload_core::record::{MAX_SOURCES, Owner};
use reload_core::reference::{MAX_PAIRS, Selection, pairs, references, selection};
use reload_core::source::SourceId;

use crate::admission::Unrecordable;

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
    /// # Errors
    /// [`Unrecordable::TooManyReferences`]
    pub(crate) fn of(pod: &Pod, ignore: &[SourceId]) -> Result<Self, Unrecordable> {
        let annotations = pod.metadata.annotations.iter().flatten();
        let others = annotations.clone().filter(|(name, _)| *name != RECORD);
        Ok(Self {
            owner: owner(pod),
            uses: uses(pod, ignore)?,
            annotations: others.map(|(name, value)| name.len() + value.len()).sum(),
            has_record: annotations.map(|(name, _)| name).any(|name| name == RECORD),
        })
    }
}

fn uses(pod: &Pod, ignore: &[SourceId]) -> Result<Selection, Unrecordable> {
    let Some(spec) = &pod.spec else { return Ok(Selection::new()) };
    let annotations = pod.metadata.annotations.iter().flatten();
    let options = Options::parse(Carrier::Pod, "the pod", annotations).unwrap_or_else(|error| {
        // It quotes what the annotation says, which may be long.
        let error = quote(&error.to_string());
        let name = pod.metadata.name.as_ref().or(pod.metadata.generate_name.as_ref());
        let name = quote(name.map_or("", String::as_str));
        tracing::warn!(name, error, "recorded without its options");
        Options::default()
    });
    // Each of them is a reference of every container.
    if options.extra.len() > MAX_SOURCES || pairs(spec, options.extra.len()) > MAX_PAIRS {
        return Err(Unrecordable::TooManyReferences);
    }
    let mut uses = selection(&references(spec, &options.extra));
    uses.retain(|source, _| !ignore.contains(source));
    Ok(uses)
}

fn owner(pod: &Pod) -> Owner {
    let owners = pod.metadata.owner_references.iter().flatten();
    let controller =
        owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone()).next();
    Owner::at_admission(controller, pod.metadata.name.clone(), pod.metadata.generate_name.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_refused(spec: serde_json::Value) -> bool {
        let pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap();
        matches!(Subject::of(&pod, &[]), Err(Unrecordable::TooManyReferences))
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
}
