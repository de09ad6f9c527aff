//! Eviction: the drifted pods themselves are replaced one by one, and templates stay untouched. The
//! way for what a changed template would not roll, and for controllers of others.

use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use reload_core::verdict::Verdict;
use serde_json::{Value, json};

use super::outcome::Outcome;
use super::session::Session;
use super::{causes, refusal};
use crate::api::{ApiError, POLL, Resource, list_objects};
use crate::dry_run::DryRun;
use crate::findings::find_pod;
use crate::inventory::Inventory;
use crate::patience::Patience;
use crate::pods::{get, is_live};
use crate::restart::{MANAGER, Memory};
use crate::scope::Selector;
use crate::workload::WorkloadName;

/// Labels that a pod and its replacement need not share.
const OF_ONE_POD: [&str; 6] = [
    "apps.kubernetes.io/pod-index",
    "controller-revision-hash",
    "pod-template-generation",
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// A pod that is to be evicted, and what stands beside it.
struct Evictee {
    name: String,
    uid: String,
    controller: Option<String>,
    /// What it and its siblings are labelled with.
    selector: String,
    /// Pods of its controller that were ready before.
    ready: usize,
}

/// How it went with one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evicted {
    /// It is gone, or would be.
    Yes,
    /// Everything is to end, and it still is there.
    NotBegun,
    /// Everything is to end, and it is being replaced.
    NotAwaited,
}

impl Session<'_> {
    /// Evicts those pods of a workload that still are drifted when it is their turn.
    pub(super) async fn evict(
        &self,
        workload: &WorkloadName,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Outcome> {
        let report = self.look(workload, patience).await?;
        if report.is_some_and(|report| report.verdict == Verdict::Rolling)
            && let Some(outcome) = self.rolled(workload, patience).await?
        {
            return Ok(outcome);
        }
        let begun = self.clock.now();
        let namespace = Some(workload.namespace.as_str());
        let memory = patience.ask(async || Memory::fetch(self.client, workload).await).await?;
        let remembered = memory.as_ref().filter(|_| !self.args.again);
        let inventory = patience
            .ask(async || Inventory::fetch(self.client, namespace, Selector::default()).await)
            .await?;
        let (mut evicted, mut in_vain) = (Vec::new(), None);
        for (name, uid) in inventory.pods_of(workload) {
            if self.interrupt.is_raised() {
                return Ok(stopped(evicted.len()));
            }
            patience.bar.show(&format!("pod {name} is judged again"));
            let found = patience
                .ask(async || find_pod(self.client, workload, &uid, &self.args.judgement).await)
                .await?;
            let Some(report) = found.filter(|report| self.args.selection.takes(report)) else { continue };
            if let Some(why) = refusal(&report, self.args.strategy) {
                return Ok(match evicted.len() {
                    0 => Outcome::Refused(why),
                    count => Outcome::Failed(format!("{count} of its pods evicted; of others, {why}")),
                });
            }
            if let Some(why) = remembered.and_then(|memory| memory.refusal(&report)) {
                in_vain = Some(why);
                continue;
            }
            if self.args.mode.dry_run == DryRun::None {
                // Before it is evicted: whatever ends this run, the next one knows.
                let memory = Memory::of(evicted.iter().chain([&report]), begun, memory.as_ref());
                self.remember(workload, &memory).await;
            }
            if self.args.mode.dry_run != DryRun::Client {
                match self.evict_one(workload, &name, uid, patience).await? {
                    Evicted::Yes => {}
                    Evicted::NotBegun => return Ok(stopped(evicted.len())),
                    Evicted::NotAwaited => return Ok(stopped(evicted.len() + 1)),
                }
            }
            evicted.push(report);
        }
        let Some(report) = evicted.last() else {
            return Ok(in_vain.map_or(Outcome::InSync("is in sync meanwhile"), Outcome::Refused));
        };
        if self.args.mode.dry_run != DryRun::None {
            return Ok(Outcome::Restarted);
        }
        let note = format!("Drifted pods evicted for {}", causes(report));
        self.note(workload, None, "Evict", note).await;
        Ok(match in_vain {
            Some(why) => Outcome::Failed(format!("{} of its pods evicted; of others, {why}", evicted.len())),
            None => self.outcome_of_restart(workload, patience).await,
        })
    }

    /// Keeps what pods were evicted for, so that nobody evicts their successors for the same.
    async fn remember(&self, workload: &WorkloadName, memory: &Memory) {
        if let Err(error) = memory.keep(self.writes, workload).await {
            tracing::warn!("a drift that outlives this eviction will not be told as such: {error}");
        }
    }

    /// Evicts a pod as soon as budgets allow it, and waits until it is replaced.
    async fn evict_one(
        &self,
        workload: &WorkloadName,
        name: &str,
        uid: String,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Evicted> {
        let evictee = patience.ask(async || self.evictee(workload, name, uid.clone()).await).await?;
        let Some(evictee) = evictee else { return Ok(Evicted::Yes) };
        patience.bar.hold_up(&format!("evicting pod {name}"));
        while let Some(why) = patience.ask(async || self.ask(workload, &evictee).await).await? {
            anyhow::ensure!(
                Instant::now() < patience.deadline,
                "pod {name} could not be evicted within {:?}: {why}: see kubectl get poddisruptionbudgets -n {}",
                self.args.timeout,
                workload.namespace
            );
            patience.bar.hold_up(&format!("pod {name} waits: {why}"));
            if self.interrupt.or(tokio::time::sleep(POLL)).await.is_none() {
                return Ok(Evicted::NotBegun);
            }
        }
        if self.args.mode.dry_run == DryRun::Server {
            return Ok(Evicted::Yes);
        }
        patience.bar.show(&format!("pod {name} is being replaced"));
        while !patience.ask(async || self.is_replaced(workload, &evictee).await).await? {
            anyhow::ensure!(
                Instant::now() < patience.deadline,
                "pod {name} was evicted, and nothing that is ready has replaced it within {:?}: see kubectl get \
                 pods -n {}",
                self.args.timeout,
                workload.namespace
            );
            patience.bar.tick();
            if self.interrupt.or(tokio::time::sleep(POLL)).await.is_none() {
                return Ok(Evicted::NotAwaited);
            }
        }
        Ok(Evicted::Yes)
    }

    /// `None` where it is gone already.
    async fn evictee(
        &self,
        workload: &WorkloadName,
        name: &str,
        uid: String,
    ) -> Result<Option<Evictee>, ApiError> {
        let pod: Option<Pod> = get(self.client, &workload.namespace, name).await?;
        let Some(pod) = pod.filter(|pod| pod.metadata.uid.as_ref() == Some(&uid)) else { return Ok(None) };
        let labels = pod.metadata.labels.iter().flatten();
        let shared = labels.filter(|(key, _)| !OF_ONE_POD.contains(&key.as_str()));
        let selector: Vec<String> = shared.map(|(key, value)| format!("{key}={value}")).collect();
        let mut evictee = Evictee {
            name: name.to_owned(),
            uid,
            controller: controller(&pod).map(str::to_owned),
            selector: selector.join(","),
            ready: 0,
        };
        evictee.ready = self.siblings(workload, &evictee).await?.iter().filter(|pod| is_ready(pod)).count();
        Ok(Some(evictee))
    }

    /// The pods of the same controller, itself included, as long as they are there.
    async fn siblings(&self, workload: &WorkloadName, evictee: &Evictee) -> Result<Vec<Pod>, ApiError> {
        let namespace = Some(workload.namespace.as_str());
        let resource = Resource { group: "/api/v1", plural: "pods", namespace, name: None };
        let query = [("labelSelector", evictee.selector.as_str())];
        let mut pods: Vec<Pod> = list_objects(self.client, resource, &query).await?;
        pods.retain(|pod| controller(pod) == evictee.controller.as_deref());
        Ok(pods)
    }

    /// Whether it is gone and as many pods are ready as before.
    async fn is_replaced(&self, workload: &WorkloadName, evictee: &Evictee) -> Result<bool, ApiError> {
        let pods = self.siblings(workload, evictee).await?;
        let is_there = pods.iter().any(|pod| pod.metadata.uid.as_ref() == Some(&evictee.uid));
        Ok(!is_there && pods.iter().filter(|pod| is_ready(pod)).count() >= evictee.ready)
    }

    /// Asks for its eviction; gives why it has to wait, if so. It may be gone, which is as well; a conflict
    /// says so only where another has its name, else somebody has just written it.
    async fn ask(&self, workload: &WorkloadName, evictee: &Evictee) -> Result<Option<String>, ApiError> {
        let dry_run = self.args.mode.dry_run == DryRun::Server;
        // Sent as it is: the client's own call misspells the options, and the API server would not see
        // which of two pods of one name is meant.
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": evictee.name, "namespace": workload.namespace},
            "deleteOptions": {"preconditions": {"uid": evictee.uid}},
        });
        let params = PostParams { dry_run, field_manager: Some(MANAGER.to_owned()) };
        let pods: Api<Pod> = Api::namespaced(self.writes.clone(), &workload.namespace);
        match pods.create_subresource::<_, Value>("eviction", &evictee.name, &params, &eviction).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let pod: Option<Pod> = get(self.client, &workload.namespace, &evictee.name).await?;
                let is_there = pod.is_some_and(|pod| pod.metadata.uid.as_ref() == Some(&evictee.uid));
                Ok(is_there.then_some(status.message))
            }
            Err(kube::Error::Api(status)) if status.code == 429 => {
                // The causes name the budget.
                let causes = status.details.iter().flat_map(|details| &details.causes);
                let causes: Vec<&str> = causes.map(|cause| cause.message.as_str()).collect();
                Ok(Some(if causes.is_empty() { status.message.clone() } else { causes.join("; ") }))
            }
            Err(error) => {
                let namespace = Some(workload.namespace.as_str());
                let name = Some(evictee.name.as_str());
                let resource = Resource { group: "/api/v1", plural: "pods/eviction", namespace, name };
                Err(ApiError::of(error, "create", &resource))
            }
        }
    }
}

/// After an interruption.
fn stopped(evicted: usize) -> Outcome {
    match evicted {
        0 => Outcome::NotBegun,
        1 => {
            Outcome::Begun("had one pod evicted, which is replaced by itself; no other was begun".to_owned())
        }
        pods => Outcome::Begun(format!(
            "had {pods} pods evicted, which are replaced by themselves; no other was begun"
        )),
    }
}

fn controller(pod: &Pod) -> Option<&str> {
    let owners = pod.metadata.owner_references.iter().flatten();
    owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str()).next()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    is_live(pod)
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
