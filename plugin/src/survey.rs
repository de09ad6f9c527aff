//! The survey: from the inventory to a verdict on every pod, reading no more than it takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::Client;
use reload_core::record::{By, Record};
use reload_core::source::{SourceId, SourceKind};
use reload_core::verdict::{
    Certainty, Finding, Pod, Recorded, Seen, Unrecorded, Verdict, judge, unmoved, worst,
};

use crate::api::ApiError;
use crate::immutable::Immutables;
use crate::inventory::{Inventory, PodMetadata};
pub(crate) use crate::judgement::JudgementArgs;
use crate::pods::{self, FetchedPod, Unjudged};
use crate::sources::read_sources;
use crate::surroundings::Surroundings;
use crate::workload::WorkloadName;

/// How much a survey looks at, and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// No more than verdicts take.
    Verdicts,
    /// The same, and what verdicts rest on is kept.
    Grounds,
    /// Every pod is looked at, also where its metadata has settled its verdict.
    Everything,
}

/// A pod and its verdict.
pub(crate) struct SurveyedPod {
    pub(crate) workload: WorkloadName,
    /// Its metadata, before it was looked at any closer.
    pub(crate) metadata: Arc<PodMetadata>,
    pub(crate) verdict: Verdict,
    pub(crate) certainty: Certainty,
    /// Every use that was looked at; none where the record alone settled it, or where it is Current and
    /// no more than verdicts was asked for.
    pub(crate) findings: Vec<Finding>,
    /// What kept it from being judged.
    pub(crate) problem: Option<Unjudged>,
    /// Whether a Secret was judged by times although its content was recorded, for want of the hash key.
    pub(crate) uncompared: bool,
    /// What it was judged by, where that was asked for and looked at.
    pub(crate) grounds: Option<Box<Pod>>,
}

/// A pod that metadata did not settle.
struct Candidate<'a> {
    metadata: &'a Arc<PodMetadata>,
    record: Result<Record, Unrecorded>,
}

/// A pod that its metadata settled.
struct Settled<'a> {
    metadata: &'a Arc<PodMetadata>,
    verdict: Verdict,
    certainty: Certainty,
}

/// Judges the pods of those workloads that `wanted` takes.
///
/// # Errors
/// When a candidate cannot be read, or the API server does not answer any more. A source that cannot
/// be read makes only its uses Unknown.
pub(crate) async fn survey(
    client: &Client,
    inventory: &Inventory,
    args: &JudgementArgs,
    wanted: impl Fn(&WorkloadName) -> bool,
) -> Result<Vec<SurveyedPod>, ApiError> {
    survey_to(Depth::Verdicts, client, inventory, args, wanted).await
}

/// The same, to this depth.
///
/// # Errors
/// As there.
pub(crate) async fn survey_to(
    depth: Depth,
    client: &Client,
    inventory: &Inventory,
    args: &JudgementArgs,
    wanted: impl Fn(&WorkloadName) -> bool,
) -> Result<Vec<SurveyedPod>, ApiError> {
    let mut immutables = Immutables::default();
    let (mut settled, mut candidates, mut bystanders) = (Vec::new(), Vec::new(), Vec::new());
    let looks_at_all = depth == Depth::Everything || args.looks_beyond_records();
    for metadata in &inventory.pods {
        let candidate = Candidate::of(metadata);
        // Of all pods: one that is not wanted keeps a name alive all the same.
        if let Ok(record) = &candidate.record {
            immutables.note_record(inventory, &metadata.namespace, record, metadata.created_at());
        }
        let asked = inventory.is_selected(metadata) && wanted(&inventory.workload(metadata));
        let settled_by_metadata = candidate.settled(inventory);
        let looked_at = asked && looks_at_all && !metadata.is_ignored();
        match settled_by_metadata.filter(|_| !looked_at) {
            None if asked => {
                candidates.push(candidate);
                continue;
            }
            Some(pod) if asked => settled.push(pod),
            _ => {}
        }
        bystanders.extend(candidate.record.is_err().then_some(&**metadata));
    }
    // These keep a name alive as well, until they are gone.
    for metadata in &inventory.leaving {
        match record(metadata) {
            Ok(record) => {
                immutables.note_record(inventory, &metadata.namespace, &record, metadata.created_at());
            }
            Err(_) => bystanders.push(metadata),
        }
    }
    tracing::info!(settled = settled.len(), candidates = candidates.len(), "metadata compared");
    warn_of_records(&candidates);

    let (mut pods, mut surveyed) = extract(client, inventory, candidates, &mut immutables, args).await?;
    immutables.look_at_bystanders(client, inventory, bystanders).await?;
    immutables.look_into_revisions(client).await?;
    let (doubtful, settled): (Vec<_>, Vec<_>) =
        settled.into_iter().partition(|pod| pod.is_doubtful(inventory, &immutables));
    let doubtful = doubtful.into_iter().map(|pod| Candidate::of(pod.metadata)).collect();
    let (more, others) = extract(client, inventory, doubtful, &mut immutables, args).await?;
    pods.extend(more);
    surveyed.extend(others);
    surveyed.extend(settled.iter().map(|pod| {
        let Settled { metadata, verdict, certainty } = *pod;
        unjudged(inventory, metadata, verdict, certainty)
    }));
    surveyed.extend(judged(depth, client, inventory, &immutables, pods, args).await?);
    Ok(surveyed)
}

/// Reads the sources of these pods and judges them.
async fn judged(
    depth: Depth,
    client: &Client,
    inventory: &Inventory,
    immutables: &Immutables,
    mut pods: Vec<(&Arc<PodMetadata>, Pod)>,
    args: &JudgementArgs,
) -> Result<Vec<SurveyedPod>, ApiError> {
    for (metadata, pod) in &mut pods {
        let workload = inventory.workload(metadata);
        let doubt = |id: &SourceId| Some((id.clone(), immutables.doubt(&workload, id)?));
        pod.doubts = pod.references.iter().filter_map(|reference| doubt(&reference.source)).collect();
    }
    let (states, hash_keys) = read_sources(client, inventory, &pods, args.install_namespace()).await?;
    let none = BTreeMap::new();
    let judged = pods.into_iter().map(|(metadata, pod)| {
        let sources = states.get(&metadata.namespace).unwrap_or(&none);
        let id = pod.record.as_ref().ok().and_then(|record| record.hash_key.as_ref());
        let hash_key = hash_keys.as_ref().zip(id).and_then(|(keys, id)| keys.get(id));
        let mut findings = judge(&pod, sources, hash_key, args.lag());
        let (verdict, certainty) = worst(&findings);
        let uncompared = id.is_some() && hash_key.is_none() && findings.iter().any(is_of_moved_secret);
        if (depth, verdict) == (Depth::Verdicts, Verdict::Current) {
            // Of thousands of pods, nobody asks why.
            findings = Vec::new();
        }
        let grounds = (depth != Depth::Verdicts).then(|| Box::new(pod));
        SurveyedPod { findings, grounds, uncompared, ..unjudged(inventory, metadata, verdict, certainty) }
    });
    Ok(judged.collect())
}

/// Whether a finding is about a Secret that was recorded in another version, judged by times.
fn is_of_moved_secret(finding: &Finding) -> bool {
    let Some(Ok(Recorded { version: Ok(Some(recorded)), .. })) = &finding.evidence.recorded else {
        return false;
    };
    let moved = matches!(&finding.evidence.now, Some(Seen::Present { version, .. }) if version != recorded);
    moved && finding.source.kind == SourceKind::Secret && finding.certainty == Certainty::Inferred
}

impl<'a> Candidate<'a> {
    fn of(metadata: &'a Arc<PodMetadata>) -> Self {
        Self { metadata, record: record(metadata) }
    }

    /// What its metadata alone tells: it asks to be left out, or nothing moved since its record.
    fn settled(&self, inventory: &Inventory) -> Option<Settled<'a>> {
        let metadata = self.metadata;
        if metadata.is_ignored() {
            return Some(Settled { metadata, verdict: Verdict::Ignored, certainty: Certainty::Recorded });
        }
        let record = self.record.as_ref().ok()?;
        let now = |id: &SourceId| inventory.version(&metadata.namespace, id);
        let certainty = match record.by {
            By::Admission => Certainty::Recorded,
            By::Adopt => Certainty::Inferred,
        };
        let current = unmoved(record, now) && metadata.is_plain(record);
        current.then_some(Settled { metadata, verdict: Verdict::Current, certainty })
    }
}

impl Settled<'_> {
    fn is_doubtful(&self, inventory: &Inventory, immutables: &Immutables) -> bool {
        if self.verdict != Verdict::Current || immutables.is_empty_in(&self.metadata.namespace) {
            return false;
        }
        let workload = inventory.workload(self.metadata);
        let doubtful =
            |record: Record| record.sources.keys().any(|id| immutables.doubt(&workload, id).is_some());
        record(self.metadata).is_ok_and(doubtful)
    }
}

/// Says of how many pods the record is not believed, and why.
fn warn_of_records(candidates: &[Candidate<'_>]) {
    let mut whys: BTreeMap<String, Vec<&PodMetadata>> = BTreeMap::new();
    for Candidate { metadata, record } in candidates {
        match record {
            Ok(_) | Err(Unrecorded::None) => {}
            Err(why) => whys.entry(why.to_string()).or_default().push(metadata),
        }
    }
    for (why, pods) in whys {
        let others = match pods.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let PodMetadata { name, namespace, .. } = pods[0];
        tracing::warn!("pod {name} in namespace {namespace}{others} counts as unrecorded: {why}");
    }
}

impl SurveyedPod {
    /// With this verdict, and nothing to tell of it.
    pub(crate) fn unjudged(
        workload: WorkloadName,
        metadata: Arc<PodMetadata>,
        verdict: Verdict,
        certainty: Certainty,
    ) -> Self {
        Self {
            workload,
            metadata,
            verdict,
            certainty,
            findings: Vec::new(),
            problem: None,
            uncompared: false,
            grounds: None,
        }
    }
}

fn unjudged(
    inventory: &Inventory,
    metadata: &Arc<PodMetadata>,
    verdict: Verdict,
    certainty: Certainty,
) -> SurveyedPod {
    SurveyedPod::unjudged(inventory.workload(metadata), Arc::clone(metadata), verdict, certainty)
}

/// The record of a pod, where it has one that is its own.
fn record(pod: &PodMetadata) -> Result<Record, Unrecorded> {
    let record = Record::parse(pod.record().ok_or(Unrecorded::None)?)?;
    record.check(&pod.identity())?;
    Ok(record)
}

/// The candidates in full; and those that are left out, or whose options are not understood.
async fn extract<'a>(
    client: &Client,
    inventory: &Inventory,
    candidates: Vec<Candidate<'a>>,
    immutables: &mut Immutables,
    args: &JudgementArgs,
) -> Result<(Vec<(&'a Arc<PodMetadata>, Pod)>, Vec<SurveyedPod>), ApiError> {
    let wanted: Vec<&PodMetadata> = candidates.iter().map(|candidate| &**candidate.metadata).collect();
    let workloads = candidates.iter().map(|candidate| inventory.workload(candidate.metadata)).collect();
    let (mut fetched, surroundings) = tokio::try_join!(
        pods::fetch(client, inventory, &wanted),
        Surroundings::fetch(client, inventory.namespace.as_deref(), &workloads),
    )?;
    let (mut pods, mut others) = (Vec::with_capacity(candidates.len()), Vec::new());
    for Candidate { metadata, record } in candidates {
        let namespace = &metadata.namespace;
        // A pod that is gone or has ended meanwhile has no verdict; nor has another of its name.
        let pod = fetched.remove(metadata.uid()).filter(FetchedPod::is_live);
        let Some(pod) = pod else { continue };
        match &record {
            Ok(record) => immutables.note_awaited(inventory, metadata, record, &pod),
            Err(_) => immutables.note_pod(inventory, metadata, &pod),
        }
        let mut unclear = None;
        let ignored = |id: &SourceId| {
            let asked = inventory.is_ignored(namespace, id).unwrap_or_else(|error| {
                unclear = Some(Unjudged::from(error));
                false
            });
            asked || args.ignores(id)
        };
        let around = surroundings.options(&inventory.workload(metadata));
        let extracted = around
            .map_err(Unjudged::from)
            .and_then(|around| pods::extract(pod, metadata, record, &around, ignored));
        match (extracted, unclear) {
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
