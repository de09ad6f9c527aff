//! Eviction: the drifted pods themselves are replaced one by one, and templates stay untouched. The
//! way for what a changed template would not roll, and for controllers of others.

use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::session::Session;
use super::{DryRun, Outcome, causes, label, refusal, tell_progress};
use crate::api::{ApiError, POLL, Resource, list_objects};
use crate::findings::find_pod;
use crate::inventory::Inventory;
use crate::pods::{get, is_live};
use crate::report::WorkloadReport;
use crate::restart::{MANAGER, tell};
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

impl Session<'_> {
    /// Evicts those pods of a workload that still are drifted when it is their turn.
    pub(super) async fn evict(&self, workload: &WorkloadName, deadline: Instant) -> anyhow::Result<Outcome> {
        let inventory = Inventory::fetch(self.client, Some(&workload.namespace), None).await?;
        let mut last = None;
        for (name, uid) in inventory.pods_of(workload) {
            let found = find_pod(self.client, workload, &uid, &self.args.judgement).await?;
            let Some(report) = found.filter(|report| self.args.selection.takes(report)) else { continue };
            if let Some(why) = refusal(&report, self.args.strategy) {
                return Ok(Outcome::Refused(why));
            }
            if self.args.dry_run != DryRun::Client {
                self.evict_one(workload, &name, uid, deadline).await?;
            }
            last = Some(report);
        }
        let Some(report) = last else { return Ok(Outcome::InSync("is in sync meanwhile")) };
        if self.args.dry_run == DryRun::None {
            self.note(workload, &report).await;
        }
        Ok(Outcome::Restarted)
    }

    async fn note(&self, workload: &WorkloadName, report: &WorkloadReport) {
        let note = format!("Drifted pods evicted for {}", causes(report));
        tell(self.client, workload, None, "Evict", note, Timestamp::now()).await;
    }

    /// Evicts a pod as soon as budgets allow it, and waits until it is replaced.
    async fn evict_one(
        &self,
        workload: &WorkloadName,
        name: &str,
        uid: String,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        let Some(evictee) = self.evictee(workload, name, uid).await? else { return Ok(()) };
        tell_progress(&format!("{}: evicting pod {name}", label(workload)));
        let mut told = None;
        while let Some(why) = self.ask(workload, &evictee).await? {
            anyhow::ensure!(
                Instant::now() < deadline,
                "pod {name} could not be evicted within {:?}: {why}: see kubectl get poddisruptionbudgets -n {}",
                self.args.timeout,
                workload.namespace
            );
            if told.as_ref() != Some(&why) {
                tell_progress(&format!("{}: pod {name} waits: {why}", label(workload)));
                told = Some(why);
            }
            tokio::time::sleep(POLL).await;
        }
        if self.args.dry_run == DryRun::Server {
            return Ok(());
        }
        while !self.is_replaced(workload, &evictee).await? {
            anyhow::ensure!(
                Instant::now() < deadline,
                "pod {name} was evicted, and nothing that is ready has replaced it within {:?}: see kubectl get \
                 pods -n {}",
                self.args.timeout,
                workload.namespace
            );
            tokio::time::sleep(POLL).await;
        }
        Ok(())
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

    /// Asks for its eviction; gives why it has to wait, if so. It may be gone, which is as well.
    async fn ask(&self, workload: &WorkloadName, evictee: &Evictee) -> Result<Option<String>, ApiError> {
        let dry_run = self.args.dry_run == DryRun::Server;
        // Sent as it is: the client's own call misspells the options, and the API server would not see
        // which of two pods of one name is meant.
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": evictee.name, "namespace": workload.namespace},
            "deleteOptions": {"preconditions": {"uid": evictee.uid}},
        });
        let params = PostParams { dry_run, field_manager: Some(MANAGER.to_owned()) };
        let pods: Api<Pod> = Api::namespaced(self.evictions.clone(), &workload.namespace);
        match pods.create_subresource::<_, Value>("eviction", &evictee.name, &params, &eviction).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
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

fn controller(pod: &Pod) -> Option<&str> {
    let owners = pod.metadata.owner_references.iter().flatten();
    owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str()).next()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    is_live(pod)
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
