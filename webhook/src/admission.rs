//! What is recorded of a pod at its admission.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, PodSpec, Volume};
use reload_core::annotation::RECORD;
use reload_core::digest::Hasher;
use reload_core::hash_key::HashKey;
use reload_core::options::Options;
use reload_core::record::{By, Owner, ReadSource, Record, SourceRecord, Unread, UseRecord};
use reload_core::reference::{Keys, Mode, Selection, references, selection};
use reload_core::source::{Source, SourceId, SourceKind};
use tokio::time::Instant;

use crate::hash_key::Known;
use crate::server_clock::ServerClock;
use crate::sources::Sources;

/// GETs of one pod that are under way at once.
const PARALLEL: usize = 32;

/// The longest that all annotations of a pod may be with ours, in bytes: the API server rejects
/// pods from 256 KiB on, and later webhooks want room as well.
const MAX_ANNOTATIONS: usize = 200 * 1024;

/// Writes records.
pub(crate) struct Recorder {
    pub(crate) sources: Sources,
    pub(crate) clock: Arc<ServerClock>,
    pub(crate) hash_key: Known,
    pub(crate) deadline: Duration,
    pub(crate) ignore: Vec<SourceId>,
    /// Whether it may read Secrets at all.
    pub(crate) secrets: bool,
    pub(crate) secret_key_names: bool,
}

/// Why a pod is admitted without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unrecordable {
    #[error("the pod uses no source")]
    NothingToRecord,
    #[error("the record would be too long")]
    TooLong,
    #[error("the pod's annotations have no room for a record")]
    NoRoom,
    #[error("the pod has too many references to look at")]
    TooManyReferences,
}

/// How many pairs of what uses and what is used are looked at, at most. Pods reach the webhook before
/// they are validated.
const MAX_PAIRS: usize = 100_000;

/// Whether there are more: variables by `envFrom` entries, and mounts by sources of volumes.
fn has_too_many_references(spec: &PodSpec) -> bool {
    let length = |list: Option<usize>| list.unwrap_or(0);
    let sources = |volume: &Volume| {
        length(volume.projected.as_ref().and_then(|projected| projected.sources.as_ref()).map(Vec::len)) + 1
    };
    let sources: usize = spec.volumes.iter().flatten().map(sources).sum();
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let pairs = containers.map(|container| {
        let env = length(container.env.as_ref().map(Vec::len));
        let env_from = length(container.env_from.as_ref().map(Vec::len));
        let mounts = length(container.volume_mounts.as_ref().map(Vec::len));
        (env + 1).saturating_mul(env_from + 1).saturating_add(mounts.saturating_mul(sources))
    });
    pairs.fold(0, usize::saturating_add) > MAX_PAIRS
}

impl Recorder {
    /// The record for `pod`, as the annotation's value.
    pub(crate) async fn record(&self, namespace: &str, pod: &Pod) -> Result<String, Unrecordable> {
        if pod.spec.as_ref().is_some_and(has_too_many_references) {
            tracing::warn!(%namespace, owner = ?owner(pod), "not recorded: too many references");
            return Err(Unrecordable::TooManyReferences);
        }
        let uses = self.uses(namespace, pod);
        let annotations = pod.metadata.annotations.as_ref();
        let brought = annotations.and_then(|annotations| annotations.get(RECORD));
        if uses.is_empty() && brought.is_none() {
            return Err(Unrecordable::NothingToRecord);
        }
        let key = self.hash_key.borrow().clone();
        // One deadline for all of the pod's sources, however many wait for their turn.
        let deadline = Instant::now() + self.deadline;
        let sources: BTreeMap<SourceId, SourceRecord> = futures::stream::iter(uses)
            .map(|(id, modes)| self.source(namespace, id, modes, key.as_deref(), deadline))
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let hashed = |id: &SourceId| id.kind == SourceKind::Secret;
        let record = Record {
            at: self.clock.now(),
            by: By::Admission,
            namespace: namespace.to_owned(),
            owner: owner(pod),
            hash_key: key.filter(|_| sources.keys().any(hashed)).map(|key| key.id()),
            sources,
        };
        let text = record.encode().map_err(|error| {
            tracing::warn!(%namespace, owner = ?record.owner, sources = record.sources.len(), %error, "not recorded");
            Unrecordable::TooLong
        })?;
        let others: usize = annotations
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != RECORD)
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if others + RECORD.len() + text.len() > MAX_ANNOTATIONS {
            return Err(Unrecordable::NoRoom);
        }
        Ok(text)
    }

    /// What the pod uses, without what is ignored.
    fn uses(&self, namespace: &str, pod: &Pod) -> Selection {
        let Some(spec) = &pod.spec else { return Selection::new() };
        let annotations = pod.metadata.annotations.iter().flatten();
        let options = Options::parse("the pod", annotations).unwrap_or_else(|error| {
            tracing::warn!(%namespace, owner = ?owner(pod), %error, "recorded without its options");
            Options::default()
        });
        let mut uses = selection(&references(spec, &options.extra));
        uses.retain(|source, _| !self.ignore.contains(source));
        uses
    }

    async fn source(
        &self,
        namespace: &str,
        id: SourceId,
        modes: BTreeMap<Mode, Keys>,
        key: Option<&HashKey>,
        deadline: Instant,
    ) -> (SourceId, SourceRecord) {
        if id.kind == SourceKind::Secret && !self.secrets {
            return (id, SourceRecord::Unread(Unread::Forbidden));
        }
        let record = match self.sources.read(namespace, &id, deadline).await {
            Err(why) => SourceRecord::Unread(why),
            Ok(None) => SourceRecord::Absent,
            Ok(Some(source)) => SourceRecord::Read(self.read(namespace, &id, source, modes, key)),
        };
        (id, record)
    }

    fn read(
        &self,
        namespace: &str,
        id: &SourceId,
        source: Source,
        modes: BTreeMap<Mode, Keys>,
        key: Option<&HashKey>,
    ) -> ReadSource {
        let named = self.secret_key_names || id.kind == SourceKind::ConfigMap;
        let mut uses = BTreeMap::new();
        if let (Some(content), Some(hasher)) = (&source.content, Hasher::new(id, namespace, key)) {
            for (mode, keys) in modes {
                let used = UseRecord::of(content, &hasher, mode, &keys);
                let marks = used.marks.filter(|_| named);
                uses.insert(mode, UseRecord { keys, marks, digest: used.digest });
            }
        }
        ReadSource {
            uid: source.uid,
            resource_version: source.resource_version,
            immutable: source.immutable,
            uses,
        }
    }
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
        has_too_many_references(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_pod_with_thousands_of_references_is_let_through_unlooked_at() {
        let env: Vec<_> = (0..1000).map(|i| json!({"name": format!("A{i}"), "value": "$(A0)"})).collect();
        let from: Vec<_> = (0..1000).map(|i| json!({"configMapRef": {"name": format!("m{i}")}})).collect();
        let mounts: Vec<_> = (0..1000).map(|i| json!({"name": "v", "mountPath": format!("/m{i}")})).collect();
        let sources: Vec<_> = (0..1000).map(|i| json!({"configMap": {"name": format!("m{i}")}})).collect();
        let volumes = json!([{"name": "v", "projected": {"sources": sources}}]);
        assert!(is_refused(json!({"containers": [{"name": "c", "env": env, "envFrom": from}]})));
        assert!(is_refused(
            json!({"containers": [{"name": "c", "volumeMounts": mounts}], "volumes": volumes})
        ));
        assert!(!is_refused(json!({"containers": [{"name": "c", "env": env}]})));
        assert!(!is_refused(json!({"containers": [{"name": "c"}], "volumes": volumes})));
    }
}
