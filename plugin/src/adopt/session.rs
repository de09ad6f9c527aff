//! One run of adopt: pods are judged, looked at again with their sources in full, and written to under
//! the version that was judged.

mod record;

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use reload_core::annotation::RECORD;
use reload_core::hash_key::HashKeys;
use reload_core::record::Unreadable;
use reload_core::source::{SourceId, SourceKind};
use reload_core::verdict::{self, Finding, SourceState, Unrecorded, Verdict, judge};
use serde_json::json;

use super::AdoptArgs;
use super::outcome::{Outcome, Outcomes};
use crate::api::{ApiError, Resource, get_object_at};
use crate::dry_run::DryRun;
use crate::inventory::PodMetadata;
use crate::named::Look;
use crate::pods::{PARALLEL, is_live};
use crate::scope::Target;
use crate::sources::{find_hash_keys, read_source};
use crate::survey::{Depth, SurveyedPod};
use crate::workload::WorkloadName;
use record::{Takes, record};

/// The field manager of the records.
const MANAGER: &str = "reload-adopt";

/// How often pods that have changed since they were judged are judged again.
const ROUNDS: usize = 5;

/// Workloads that are looked at once more at the same time.
const WORKLOADS: usize = 4;

/// A pod that was judged, and its metadata before that.
type Judged<'a> = (&'a PodMetadata, &'a verdict::Pod);

/// One run of adopt.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    pub(super) args: &'a AdoptArgs,
    pub(super) namespace: Option<String>,
    pub(super) targets: Vec<Target>,
}

impl Session<'_> {
    /// Adopts what can be; `confirm` is asked once, with what is planned.
    pub(super) async fn run(
        &self,
        confirm: impl FnOnce(&Outcomes) -> anyhow::Result<()>,
    ) -> anyhow::Result<Outcomes> {
        let mut outcomes = Outcomes::default();
        let mut confirm = Some(confirm);
        for _ in 0..ROUNDS {
            let look = self.look().await?;
            let first = confirm.is_some();
            let mut pods: Vec<&SurveyedPod> = look.pods.iter().filter(|pod| look.takes(pod)).collect();
            pods.retain(|pod| first || is_in_conflict(&outcomes, pod));
            for pod in &pods {
                outcomes.set(&pod.workload, &pod.metadata.name, planned(pod));
            }
            if let Some(confirm) = confirm.take() {
                confirm(&outcomes)?;
            }
            self.adopt_all(pods, &mut outcomes).await;
            if !outcomes.0.values().flat_map(BTreeMap::values).any(|outcome| *outcome == Outcome::Conflict) {
                break;
            }
        }
        for outcome in outcomes.0.values_mut().flat_map(BTreeMap::values_mut) {
            if *outcome == Outcome::Conflict {
                *outcome = Outcome::LeftAlone("it keeps changing: adopt it again later".to_owned());
            }
        }
        Ok(outcomes)
    }

    async fn look(&self) -> anyhow::Result<Look> {
        let selector = self.args.scope.selector();
        let (namespace, judgement) = (self.namespace.as_deref(), &self.args.judgement);
        Ok(Look::at(&self.targets, Depth::Grounds, self.client, namespace, selector, judgement).await?)
    }

    async fn adopt_all(&self, pods: Vec<&SurveyedPod>, outcomes: &mut Outcomes) {
        let mut workloads: BTreeMap<&WorkloadName, Vec<Judged<'_>>> = BTreeMap::new();
        for pod in pods.into_iter().filter(|pod| planned(pod) == Outcome::Ready) {
            if let Some(judged) = &pod.grounds {
                workloads.entry(&pod.workload).or_default().push((&pod.metadata, judged));
            }
        }
        let mut used = workloads.values().flatten().flat_map(|(_, judged)| judged.references.iter());
        let hash_keys = match used.any(|used| used.source.kind == SourceKind::Secret) {
            true => self.hash_keys().await,
            false => None,
        };
        let adopted = futures::stream::iter(workloads)
            .map(|(workload, pods)| self.adopt(workload, pods, hash_keys.as_ref()))
            .buffer_unordered(WORKLOADS);
        let adopted: Vec<_> = adopted.collect().await;
        for (workload, name, outcome) in adopted.into_iter().flatten() {
            outcomes.set(workload, name, outcome);
        }
    }

    async fn hash_keys(&self) -> Option<HashKeys> {
        let keys = find_hash_keys(self.client, self.args.judgement.install_namespace()).await;
        keys.inspect_err(|why| {
            tracing::warn!("Secrets are recorded without their content, for want of the hash key: {why}");
        })
        .ok()
    }

    /// The pods of one workload, which share their sources.
    async fn adopt<'a>(
        &self,
        workload: &'a WorkloadName,
        pods: Vec<Judged<'a>>,
        hash_keys: Option<&HashKeys>,
    ) -> Vec<(&'a WorkloadName, &'a str, Outcome)> {
        let namespace = workload.namespace.as_str();
        let seen =
            futures::stream::iter(pods.iter().map(|(metadata, _)| self.see(namespace, &metadata.name)));
        let seen: Vec<_> = seen.buffered(PARALLEL).collect().await;
        // Before the first read, as at admission: what is written later is newer than the record.
        let dates = seen.iter().filter_map(|seen| seen.as_ref().ok()?.1);
        let at = dates.min().unwrap_or_else(Timestamp::now);
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let used = pods.iter().flat_map(|(_, judged)| judged.references.iter());
        let ids: BTreeSet<&SourceId> = used.map(|reference| &reference.source).collect();
        let read = futures::stream::iter(ids).map(async |id| (id.clone(), self.read(namespace, id).await));
        let sources: BTreeMap<SourceId, SourceState> = read.buffer_unordered(PARALLEL).collect().await;
        let takes =
            Takes { at, sources: &sources, hash_key: hash_keys.map(HashKeys::current), args: self.args };
        let mut outcomes = Vec::new();
        for ((metadata, judged), seen) in pods.into_iter().zip(seen) {
            let outcome = match seen {
                Err(error) if error.is_not_found() => Outcome::LeftAlone("it is gone meanwhile".to_owned()),
                Err(error) => Outcome::Failed(error.to_string()),
                Ok((now, _)) if !is_live(&now) => Outcome::LeftAlone("it is ending".to_owned()),
                Ok((now, _))
                    if now.metadata.resource_version.as_deref() != Some(metadata.resource_version()) =>
                {
                    Outcome::Conflict
                }
                Ok((now, _)) => self.adopt_one(&now, (metadata, judged), &takes).await,
            };
            outcomes.push((workload, metadata.name.as_str(), outcome));
        }
        outcomes
    }

    async fn read(&self, namespace: &str, id: &SourceId) -> SourceState {
        let read = read_source(self.client, namespace, id).await;
        read.unwrap_or_else(|error| SourceState::NotReadable(error.to_string()))
    }

    /// The pod as it is now, and when that was by the API server's clock.
    async fn see(&self, namespace: &str, name: &str) -> Result<(Pod, Option<Timestamp>), ApiError> {
        let (json, date) = get_object_at(self.client, resource(namespace, name)).await?;
        let malformed = |_| ApiError::Malformed { what: format!("get pod {name} in namespace {namespace}") };
        Ok((serde_json::from_slice(&json).map_err(malformed)?, date))
    }

    /// A pod that is what was surveyed, its sources read in full.
    async fn adopt_one(&self, now: &Pod, (metadata, judged): Judged<'_>, takes: &Takes<'_>) -> Outcome {
        let findings = judge(judged, takes.sources, takes.hash_key, self.args.judgement.lag());
        if let Some(why) = obstacle(judged, &findings).or_else(|| too_early(judged, takes.at)) {
            return Outcome::LeftAlone(why);
        }
        let text = match record(now, &metadata.identity(), &judged.references, takes) {
            Ok(text) => text,
            Err(why) => return Outcome::LeftAlone(why),
        };
        if self.args.mode.dry_run == DryRun::Client {
            return Outcome::Adopted;
        }
        let patch = json!({
            "uid": now.metadata.uid,
            "resourceVersion": metadata.resource_version(),
            "annotations": {RECORD: text},
        });
        let params = PatchParams {
            dry_run: self.args.mode.dry_run == DryRun::Server,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let PodMetadata { namespace, name, .. } = metadata;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        match pods.patch_metadata(name, &params, &Patch::Merge(json!({"metadata": patch}))).await {
            Ok(_) => Outcome::Adopted,
            Err(kube::Error::Api(status)) if status.code == 409 => Outcome::Conflict,
            Err(error) => match ApiError::of(error, "patch", &resource(namespace, name)) {
                error if error.is_not_found() => Outcome::LeftAlone("it is gone meanwhile".to_owned()),
                error => Outcome::Failed(error.to_string()),
            },
        }
    }
}

fn resource<'a>(namespace: &'a str, name: &'a str) -> Resource<'a> {
    Resource { group: "/api/v1", plural: "pods", namespace: Some(namespace), name: Some(name) }
}

fn is_in_conflict(outcomes: &Outcomes, pod: &SurveyedPod) -> bool {
    let known = outcomes.0.get(&pod.workload).and_then(|pods| pods.get(&pod.metadata.name));
    known == Some(&Outcome::Conflict)
}

/// What is to come of a pod, as far as the survey tells.
fn planned(pod: &SurveyedPod) -> Outcome {
    if let Some(problem) = &pod.problem {
        return Outcome::LeftAlone(problem.to_string());
    }
    if pod.verdict == Verdict::Ignored {
        return Outcome::LeftAlone("it is left out on request".to_owned());
    }
    // What metadata settled has a record.
    let Some(judged) = pod.grounds.as_deref() else { return Outcome::Recorded };
    match &judged.record {
        Ok(_) => Outcome::Recorded,
        // Of a newer version of this project, which knows it.
        Err(why @ Unrecorded::Unreadable(Unreadable::Version(_))) => Outcome::LeftAlone(why.to_string()),
        Err(_) if judged.references.is_empty() => Outcome::NothingToRecord,
        Err(_) => obstacle(judged, &pod.findings).map_or(Outcome::Ready, Outcome::LeftAlone),
    }
}

/// Why a pod is not known to run on what is there now, if so.
fn obstacle(pod: &verdict::Pod, findings: &[Finding]) -> Option<String> {
    if let Some(finding) = findings.iter().find(|finding| finding.verdict != Verdict::Current) {
        let verdict = match finding.verdict {
            Verdict::Drifted => "it may have drifted",
            _ => "the evidence does not tell",
        };
        return Some(format!("{verdict} ({}: {})", finding.source, finding.words()));
    }
    let started = |container: &str| pod.runs.get(container).is_some_and(|run| run.started_at.is_some());
    let waiting = pod.references.iter().find(|reference| !started(&reference.container))?;
    Some(format!("container {} has yet to start", waiting.container))
}

/// Times are whole seconds: a record tells nothing of a container that started in its second.
fn too_early(pod: &verdict::Pod, at: Timestamp) -> Option<String> {
    let mut runs = pod.runs.iter();
    let (container, _) = runs.find(|(_, run)| run.started_at.is_some_and(|started| started >= at))?;
    Some(format!("container {container} has only just started: adopt it again in a moment"))
}
