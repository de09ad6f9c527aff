//! What has to hold for any input whatever. The fuzz targets and the test of the corpus share it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use reload_core::record::{MAX_LENGTH, Record, SourceRecord};
use reload_core::reference::{Mode, references, selection};

/// An annotation: it is read or refused, and what is read can be written and read again.
pub fn record(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(record) = Record::parse(text) else { return };
    let Ok(written) = record.encode() else { return };
    assert!(written.len() <= MAX_LENGTH);
    let Ok(again) = Record::parse(&written) else { panic!("not read back: {written}") };
    assert_eq!(again.encode().ok().as_deref(), Some(written.as_str()));
    assert_eq!(without_uses(again), without_uses(record));
}

/// Uses, or their marks, may be lost when a record is written.
fn without_uses(mut record: Record) -> Record {
    for source in record.sources.values_mut() {
        if let SourceRecord::Read(read) = source {
            read.uses.clear();
        }
    }
    record
}

/// A pod spec: its references are its own containers', and merge in any order.
pub fn pod_spec(input: &[u8]) {
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
