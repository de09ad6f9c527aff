//! Sources as they are now: by metadata where that is enough, in full where a question is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use kube::Client;
use reload_core::hash_key::{HashKey, HashKeys};
use reload_core::record::SourceRecord;
use reload_core::reference::Reference;
use reload_core::source::{Source, SourceId, SourceKind};
use reload_core::verdict::{Doubt, Pod, SourceState};

use crate::api::{ApiError, Resource, get_object};
use crate::inventory::{Inventory, PodMetadata};
use crate::pods::PARALLEL;

/// Per namespace, the sources that its pods use.
pub(crate) type States = BTreeMap<String, BTreeMap<SourceId, SourceState>>;

/// The sources that these pods use, and the hash key if one is needed. One that cannot be read says
/// why.
///
/// # Errors
/// When the API server does not answer, which says nothing of a source.
pub(crate) async fn read_sources(
    client: &Client,
    inventory: &Inventory,
    pods: &[(&Arc<PodMetadata>, Pod)],
    install_namespace: &str,
) -> Result<(States, Option<HashKeys>), ApiError> {
    let mut states = States::new();
    let mut unread: BTreeSet<(&str, &SourceId)> = BTreeSet::new();
    // Those whose metadata tells enough, but for whether keys are gone.
    let mut looked_into: BTreeSet<(&str, &SourceId)> = BTreeSet::new();
    let mut secrets = false;
    for (metadata, pod) in pods {
        let namespace = metadata.namespace.as_str();
        for reference in pod.references.iter() {
            let id = &reference.source;
            let known = states.get(namespace).and_then(|states| states.get(id));
            if matches!(known, Some(SourceState::Present(Source { content: Some(_), .. }))) {
                continue;
            }
            let state = match inventory.source(namespace, id) {
                Err(why) => SourceState::NotReadable(why),
                Ok(source) => {
                    let recorded = pod.record.as_ref().ok().and_then(|record| record.sources.get(id));
                    // Metadata does not tell whether it is immutable.
                    let doubtful = pod.doubts.get(id) == Some(&Doubt::OlderIfImmutable);
                    // A planned one has its content with it.
                    if source.as_ref().is_some_and(|source| source.content.is_some()) {
                        secrets |= id.kind == SourceKind::Secret;
                    } else if doubtful || needs_content(recorded, source.as_ref(), reference) {
                        unread.insert((namespace, id));
                    } else if may_lack_keys(recorded, source.as_ref(), reference) {
                        looked_into.insert((namespace, id));
                    }
                    source.map_or(SourceState::Absent, SourceState::Present)
                }
            };
            states.entry(namespace.to_owned()).or_default().entry(id.clone()).or_insert(state);
        }
    }
    let only_looked_into: BTreeSet<_> = looked_into.difference(&unread).copied().collect();
    unread.extend(&only_looked_into);
    tracing::info!(sources = unread.len(), "contents to read");
    secrets |= unread.iter().any(|(_, id)| id.kind == SourceKind::Secret);
    let recorded_under = |pod: &Pod| pod.record.as_ref().ok().and_then(|record| record.hash_key.clone());
    let read = futures::stream::iter(
        unread
            .into_iter()
            .map(async |(namespace, id)| (namespace, id, read_source(client, namespace, id).await)),
    );
    let read: Vec<_> = read.buffer_unordered(PARALLEL).collect().await;
    for (namespace, id, state) in read {
        // Whoever may not read it knows as much as metadata tells.
        if matches!(state, Ok(SourceState::NotReadable(_))) && only_looked_into.contains(&(namespace, id)) {
            continue;
        }
        states.entry(namespace.to_owned()).or_default().insert(id.clone(), state?);
    }
    // What no record was made with needs no hash key.
    secrets &= pods.iter().any(|(_, pod)| recorded_under(pod).is_some());
    let hash_keys = if secrets { hash_keys(client, install_namespace).await? } else { None };
    if let Some(keys) = &hash_keys {
        let unknown = |pod: &Pod| recorded_under(pod).is_some_and(|id| keys.get(&id).is_none());
        let others = pods.iter().filter(|(_, pod)| unknown(pod)).count();
        if others > 0 {
            tracing::warn!(
                "{others} pods were recorded under a hash key that namespace {install_namespace} does not \
                 hold any more: their changed Secrets are judged by times alone; a restart records them anew"
            );
        }
    }
    Ok((states, hash_keys))
}

/// Whether a record or a listing that may be older than the pod leaves a question that the source
/// itself answers.
fn needs_content(recorded: Option<&SourceRecord>, now: Option<&Source>, reference: &Reference) -> bool {
    match (recorded, now) {
        (Some(SourceRecord::Read(read)), Some(now)) => {
            (read.uid.as_str(), read.resource_version.as_str()) != (&now.uid, &now.resource_version)
        }
        (Some(SourceRecord::Read(_)), None) | (Some(SourceRecord::Absent), Some(_)) => true,
        (Some(SourceRecord::Absent | SourceRecord::Unread(_)) | None, None) => !reference.optional,
        (Some(SourceRecord::Unread(_)) | None, Some(_)) => false,
    }
}

/// Whether keys may be gone from a source that was not recorded, without which a container would not start
/// again. One that somebody owns is there, as metadata has it; one that nobody owns may be gone.
fn may_lack_keys(recorded: Option<&SourceRecord>, now: Option<&Source>, reference: &Reference) -> bool {
    let (Some(SourceRecord::Unread(_)) | None, Some(now)) = (recorded, now) else { return false };
    let is_owned = |key| now.last_write.as_ref().is_some_and(|write| write.keys.contains(key));
    !reference.needs.iter().all(is_owned)
}

/// Reads a source in full.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn read_source(
    client: &Client,
    namespace: &str,
    id: &SourceId,
) -> Result<SourceState, ApiError> {
    match get_source(client, namespace, id).await {
        Ok(source) => Ok(SourceState::Present(source)),
        Err(error) if error.is_not_found() => Ok(SourceState::Absent),
        Err(error @ ApiError::Unreachable { .. }) => Err(error),
        Err(error) => {
            let why = error.not_held().map_or_else(|| error.to_string(), str::to_owned);
            Ok(SourceState::NotReadable(why))
        }
    }
}

async fn get_source(client: &Client, namespace: &str, id: &SourceId) -> Result<Source, ApiError> {
    if !id.is_valid() {
        return Err(ApiError::NotFound { what: format!("get {} {:?}", id.kind.singular(), id.name) });
    }
    let plural = id.kind.plural();
    let resource = Resource { group: "/api/v1", plural, namespace: Some(namespace), name: Some(&id.name) };
    let json = get_object(client, resource).await?;
    Source::parse(id.kind, &json)
        .map_err(|_| ApiError::Malformed { what: format!("get {id} in {namespace}") })
}

/// The hash keys, or why there are none.
pub(crate) async fn find_hash_keys(client: &Client, namespace: &str) -> Result<HashKeys, String> {
    keys_of(get_hash_keys(client, namespace).await)
}

async fn get_hash_keys(client: &Client, namespace: &str) -> Result<Source, ApiError> {
    get_source(client, namespace, &SourceId::secret(HashKey::SECRET_NAME)).await
}

fn keys_of(secret: Result<Source, ApiError>) -> Result<HashKeys, String> {
    let secret = secret.map_err(|error| error.to_string())?;
    HashKeys::from_secret(&secret).ok_or_else(|| "it holds no hash key".to_owned())
}

/// The hash keys, without which changes of Secrets are judged by times alone.
async fn hash_keys(client: &Client, namespace: &str) -> Result<Option<HashKeys>, ApiError> {
    let secret = get_hash_keys(client, namespace).await;
    if let Err(error @ ApiError::Unreachable { .. }) = secret {
        return Err(error);
    }
    let keys = keys_of(secret).inspect_err(|why| {
        tracing::warn!("changed Secrets are judged by times alone, for want of the hash key: {why}")
    });
    Ok(keys.ok())
}
