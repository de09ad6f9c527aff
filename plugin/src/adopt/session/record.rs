//! The record of a pod that is adopted: what the webhook would write, of what was judged.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use reload_core::annotation::RECORD;
use reload_core::digest::Hasher;
use reload_core::hash_key::HashKey;
use reload_core::options::{Carrier, Options};
use reload_core::record::{
    By, MAX_ANNOTATIONS, Owner, PodIdentity, ReadSource, Record, SourceRecord, Unread, UseRecord,
};
use reload_core::reference::{Keys, Mode, Reference, references, selection};
use reload_core::source::{SourceId, SourceKind};
use reload_core::verdict::SourceState;

use crate::adopt::AdoptArgs;

/// What records are made of.
pub(super) struct Takes<'a> {
    /// When, by the API server's clock.
    pub(super) at: Timestamp,
    /// Read in full, after that.
    pub(super) sources: &'a BTreeMap<SourceId, SourceState>,
    /// Without it Secrets are recorded without their content.
    pub(super) hash_key: Option<&'a HashKey>,
    pub(super) args: &'a AdoptArgs,
}

/// The annotation's value for a pod that is the same as `identity`, of which these references were judged.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn record(
    now: &Pod,
    identity: &PodIdentity,
    judged: &[Reference],
    takes: &Takes<'_>,
) -> Result<String, String> {
    let of_source = |(id, modes)| {
        let record = takes.record_of(&identity.namespace, &id, modes);
        (id, record)
    };
    let mut sources: BTreeMap<SourceId, SourceRecord> =
        selection(judged).into_iter().map(of_source).collect();
    // What was not judged, as it is left out by an option, is not vouched for either.
    for id in used(now, takes) {
        sources.entry(id).or_insert(SourceRecord::Unread(Unread::Other));
    }
    let hashed = sources.keys().any(|id| id.kind == SourceKind::Secret);
    let (controller, name) = (identity.controller.clone(), Some(identity.name.clone()));
    let record = Record {
        at: takes.at,
        by: By::Adopt,
        namespace: identity.namespace.clone(),
        owner: Owner::at_admission(controller, name, identity.generate_name.clone()),
        hash_key: takes.hash_key.filter(|_| hashed).map(HashKey::id),
        sources,
    };
    record.check(identity).map_err(|why| format!("the record would not be believed: {why}"))?;
    let text = record.encode().map_err(|error| error.to_string())?;
    let annotations = now.metadata.annotations.iter().flatten().filter(|(name, _)| *name != RECORD);
    let others: usize = annotations.map(|(name, value)| name.len() + value.len()).sum();
    if others + RECORD.len() + text.len() > MAX_ANNOTATIONS {
        return Err("its annotations have no room for a record".to_owned());
    }
    Ok(text)
}

/// All sources that a pod uses but for those that are never recorded.
fn used(pod: &Pod, takes: &Takes<'_>) -> BTreeSet<SourceId> {
    let Some(spec) = &pod.spec else { return BTreeSet::new() };
    let annotations = pod.metadata.annotations.iter().flatten();
    let options = Options::parse(Carrier::Pod, "the pod", annotations).unwrap_or_default();
    let sources = references(spec, &options.extra).into_iter().map(|reference| reference.source);
    sources.filter(|id| !takes.args.judgement.ignores(id)).collect()
}

impl Takes<'_> {
    fn record_of(&self, namespace: &str, id: &SourceId, modes: BTreeMap<Mode, Keys>) -> SourceRecord {
        match self.sources.get(id) {
            Some(SourceState::Present(source)) => {
                let named = self.args.secret_key_names || id.kind == SourceKind::ConfigMap;
                let used = |mode, keys: &Keys| {
                    let hasher = Hasher::new(id, namespace, self.hash_key)?;
                    Some(UseRecord::of(source.content.as_ref()?, &hasher, mode, keys))
                };
                SourceRecord::Read(ReadSource::of(source, modes, named, used))
            }
            Some(SourceState::Absent) => SourceRecord::Absent,
            Some(SourceState::NotReadable(_)) | None => SourceRecord::Unread(Unread::Other),
        }
    }
}
