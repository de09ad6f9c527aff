//! What has to hold for the references of any JSON that passes for a pod spec.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use reload_core::reference::{Mode, references, selection};

/// A pod spec: its references are its own containers', and merge in any order.
pub(crate) fn check(input: &[u8]) {
    let Ok(spec) = serde_json::from_slice::<PodSpec>(input) else { return };
    let found = references(&spec, &BTreeSet::new());
    let containers: BTreeSet<&str> = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
        .map(|container| container.name.as_str())
        .collect();
    for reference in &found {
        assert!(containers.contains(reference.container.as_str()));
        assert!(reference.mode != Mode::Api);
        assert!(!reference.optional || reference.needs.is_empty());
    }
    let merged = selection(&found);
    assert_eq!(merged, selection(found.iter().rev()));
    for reference in &found {
        let keys = &merged[&reference.source][&reference.mode];
        assert_eq!(keys.clone().union(reference.keys.clone()), *keys);
    }
}
