//! The survey: from the inventory to a verdict on every pod, reading no more than it takes.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;
use reload_core::hash_key::HashKey;
use reload_core::options::InvalidOption;
use reload_core::record::{PodIdentity, Record, SourceRecord};
use reload_core::source::{IGNORED, Source, SourceId, SourceKind};
use reload_core::verdict::{
    Certainty, Finding, Lag, Pod, SourceState, Unrecorded, Verdict, judge, unmoved, worst,
};

use crate::api::{ApiError, Resource, get_object};
use crate::inventory::{Inventory, PodMetadata, Revision};
use crate::pods::{self, PARALLEL};
use crate::scope::parse_namespace;
use crate::workload::WorkloadName;

/// What verdicts rest on besides the cluster.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Judgement")]
pub(crate) struct JudgementArgs {
    /// Namespace of the kubectl-reload installation, which holds the hash key of Secrets.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_NAMESPACE",
        hide_env_values = true,
        value_parser = parse_namespace,
        default_value = "kubectl-reload",
        value_name = "NAMESPACE"
    )]
    install_namespace: String,

    /// Sources that are not looked at, as configmap/NAME or secret/NAME.
    #[arg(long, value_delimiter = ',', default_values = IGNORED, value_name = "SOURCE")]
    ignore: Vec<SourceId>,

    /// How long after a change a container may still start with the old files, in seconds: the
    /// kubelet's sync period and its jitter.
    #[arg(long, default_value_t = 150, value_name = "SECONDS")]
    kubelet_lag: u32,
}

impl JudgementArgs {
    fn lag(&self) -> Lag {
        Lag { files: jiff::SignedDuration::from_secs(self.kubelet_lag.into()), ..Lag::default() }
    }
}

/// A pod and its verdict.
pub(crate) struct SurveyedPod {
    pub(crate) workload: WorkloadName,
    pub(crate) revision: Revision,
    pub(crate) created_at: Timestamp,
    pub(crate) verdict: Verdict,
    pub(crate) certainty: Certainty,
    /// Every use that was looked at; none where the record alone settled it.
    pub(crate) findings: Vec<Finding>,
    /// What kept it from being judged.
    pub(crate) problem: Option<InvalidOption>,
}

/// A pod that metadata did not settle.
struct Candidate<'a> {
    metadata: &'a PodMetadata,
    identity: PodIdentity,
    record: Result<Record, Unrecorded>,
}

type States = BTreeMap<String, BTreeMap<SourceId, SourceState>>;

/// Judges the pods of those workloads that `wanted` takes.
///
/// # Errors
/// When a candidate cannot be read. A source that cannot be read makes only its uses Unknown.
pub(crate) async fn survey(
    client: &Client,
    inventory: &Inventory,
    args: &JudgementArgs,
    wanted: impl Fn(&WorkloadName) -> bool,
) -> Result<Vec<SurveyedPod>, ApiError> {
    let mut surveyed = Vec::new();
    let mut candidates = Vec::new();
    for metadata in &inventory.pods {
        let workload = inventory.workload(metadata);
        if !wanted(&workload) {
            continue;
        }
        let identity = metadata.identity();
        let record = record(metadata, &identity);
        let now = |id: &SourceId| inventory.version(&metadata.namespace, id);
        match record {
            _ if metadata.is_ignored() => {
                surveyed.push(unjudged(inventory, metadata, Verdict::Ignored, Certainty::Recorded));
            }
            Ok(record) if unmoved(&record, now) => {
                surveyed.push(unjudged(inventory, metadata, Verdict::Current, Certainty::Recorded));
            }
            record => candidates.push(Candidate { metadata, identity, record }),
        }
    }
    tracing::info!(settled = surveyed.len(), candidates = candidates.len(), "metadata compared");

    let (pods, others) = extract(client, inventory, candidates, args).await?;
    surveyed.extend(others);
    let (states, hash_key) = read_sources(client, inventory, &pods, args).await;
    for (metadata, pod) in &pods {
        let none = BTreeMap::new();
        let sources = states.get(&metadata.namespace).unwrap_or(&none);
        let findings = judge(pod, sources, hash_key.as_ref(), args.lag());
        let (verdict, certainty) = worst(&findings);
        surveyed.push(SurveyedPod { findings, ..unjudged(inventory, metadata, verdict, certainty) });
    }
    Ok(surveyed)
}

fn unjudged(
    inventory: &Inventory,
    metadata: &PodMetadata,
    verdict: Verdict,
    certainty: Certainty,
) -> SurveyedPod {
    SurveyedPod {
        workload: inventory.workload(metadata),
        revision: metadata.revision().clone(),
        created_at: metadata.created_at(),
        verdict,
        certainty,
        findings: Vec::new(),
        problem: None,
    }
}

fn record(pod: &PodMetadata, identity: &PodIdentity) -> Result<Record, Unrecorded> {
    let record = Record::parse(pod.record().ok_or(Unrecorded::None)?);
    let trusted = record.map_err(Unrecorded::from).and_then(|record| {
        record.check(identity)?;
        Ok(record)
    });
    trusted.inspect_err(|why| {
        tracing::warn!(
            "pod {} in namespace {} counts as unrecorded: {why}",
            identity.name,
            identity.namespace
        );
    })
}

/// The candidates in full; and those that are left out, or whose options are not understood.
async fn extract<'a>(
    client: &Client,
    inventory: &Inventory,
    candidates: Vec<Candidate<'a>>,
    args: &JudgementArgs,
) -> Result<(Vec<(&'a PodMetadata, Pod)>, Vec<SurveyedPod>), ApiError> {
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Candidate { metadata, .. } in &candidates {
        wanted.entry(&metadata.namespace).or_default().push(&metadata.name);
    }
    let fetched = pods::fetch(client, wanted).await?;
    let (mut pods, mut others) = (Vec::new(), Vec::new());
    for Candidate { metadata, identity, record } in candidates {
        let namespace = &metadata.namespace;
        // A pod that is gone or has ended meanwhile has no verdict; nor has another of its name.
        let pod = fetched.get(&(namespace.clone(), metadata.name.clone()));
        let Some(pod) = pod.filter(|pod| metadata.is_same(pod) && pods::is_live(pod)) else { continue };
        let mut unclear = None;
        let ignored = |id: &SourceId| {
            let asked = inventory.is_ignored(namespace, id).unwrap_or_else(|error| {
                unclear = Some(error);
                false
            });
            asked || args.ignore.contains(id)
        };
        match (pods::extract(pod, identity, record, ignored), unclear) {
            (Err(problem), _) | (Ok(_), Some(problem)) => {
                let unknown = unjudged(inventory, metadata, Verdict::Unknown, Certainty::Inferred);
                others.push(SurveyedPod { problem: Some(problem), ..unknown });
            }
            (Ok(extracted), None) if extracted.ignored => {
                others.push(unjudged(inventory, metadata, Verdict::Ignored, Certainty::Recorded));
            }
            (Ok(extracted), None) => pods.push((metadata, extracted.pod)),
        }
    }
    Ok((pods, others))
}

/// The sources that these pods use, and the hash key if one is needed.
async fn read_sources(
    client: &Client,
    inventory: &Inventory,
    pods: &[(&PodMetadata, Pod)],
    args: &JudgementArgs,
) -> (States, Option<HashKey>) {
    let mut states = States::new();
    let mut unread: BTreeSet<(&str, &SourceId)> = BTreeSet::new();
    for (metadata, pod) in pods {
        let namespace = metadata.namespace.as_str();
        for reference in &pod.references {
            let id = &reference.source;
            let state = match inventory.source(namespace, id) {
                Err(why) => SourceState::NotReadable(why),
                Ok(source) => {
                    let recorded = pod.record.as_ref().ok().and_then(|record| record.sources.get(id));
                    if needs_content(recorded, source.as_ref(), reference.optional) {
                        unread.insert((namespace, id));
                    }
                    source.map_or(SourceState::Absent, SourceState::Present)
                }
            };
            states.entry(namespace.to_owned()).or_default().entry(id.clone()).or_insert(state);
        }
    }
    tracing::info!(sources = unread.len(), "contents to read");
    let secrets = unread.iter().any(|(_, id)| id.kind == SourceKind::Secret);
    let recorded_under = |pod: &Pod| pod.record.as_ref().ok().and_then(|record| record.hash_key.clone());
    let read = futures::stream::iter(
        unread
            .into_iter()
            .map(async |(namespace, id)| (namespace, id, read_source(client, namespace, id).await)),
    );
    let read: Vec<_> = read.buffer_unordered(PARALLEL).collect().await;
    for (namespace, id, state) in read {
        states.entry(namespace.to_owned()).or_default().insert(id.clone(), state);
    }
    let hash_key = if secrets { hash_key(client, &args.install_namespace).await } else { None };
    if let Some(id) = hash_key.as_ref().map(HashKey::id) {
        let others =
            pods.iter().filter(|(_, pod)| recorded_under(pod).is_some_and(|other| other != id)).count();
        if others > 0 {
            tracing::warn!(
                "{others} pods were recorded under another hash key than {id}, that of namespace {}: their \
                 changed Secrets are judged by times alone; a restart records them anew",
                args.install_namespace
            );
        }
    }
    (states, hash_key)
}

/// Whether a record or a listing that may be older than the pod leaves a question that the source
/// itself answers.
fn needs_content(recorded: Option<&SourceRecord>, now: Option<&Source>, optional: bool) -> bool {
    match (recorded, now) {
        (Some(SourceRecord::Read(read)), Some(now)) => {
            (read.uid.as_str(), read.resource_version.as_str()) != (&now.uid, &now.resource_version)
        }
        (Some(SourceRecord::Read(_)), None) | (Some(SourceRecord::Absent), Some(_)) => true,
        (Some(SourceRecord::Absent | SourceRecord::Unread(_)) | None, None) => !optional,
        (Some(SourceRecord::Unread(_)) | None, Some(_)) => false,
    }
}

async fn read_source(client: &Client, namespace: &str, id: &SourceId) -> SourceState {
    match get_source(client, namespace, id).await {
        Ok(source) => SourceState::Present(source),
        Err(error) if error.is_not_found() => SourceState::Absent,
        Err(error) => SourceState::NotReadable(error.to_string()),
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

/// The hash key, without which changes of Secrets are judged by times alone.
async fn hash_key(client: &Client, namespace: &str) -> Option<HashKey> {
    let id = SourceId::secret(HashKey::SECRET_NAME);
    let key = match get_source(client, namespace, &id).await {
        Ok(secret) => HashKey::from_secret(&secret).ok_or_else(|| "it holds no hash key".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    key.inspect_err(|why| {
        tracing::warn!("changed Secrets are judged by times alone, for want of the hash key: {why}")
    })
    .ok()
}
