//! One pod that is evicted, and what takes its place.

use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::super::session::Session;
use crate::api::{ApiError, POLL, Resource, list_objects};
use crate::dry_run::DryRun;
use crate::patience::Patience;
use crate::pods::{get, is_live};
use crate::restart::MANAGER;
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
pub(super) struct Evictee {
    name: String,
    uid: String,
    controller: Option<String>,
    /// What it and its siblings are labelled with.
    selector: String,
    /// Pods of its controller that were ready before.
    ready: usize,
}

impl Evictee {
    /// It counts as replaced only when one more is ready than before.
    pub(super) fn wants_one_more(&mut self) {
        self.ready += 1;
    }
}

/// How it went with one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evicted {
    /// It is gone, or would be.
    Yes,
    /// Everything is to end, and it still is there.
    NotBegun,
    /// Everything is to end, and it is being replaced.
    NotAwaited,
}

impl Session<'_> {
    /// Evicts a pod as soon as budgets allow it, and waits until it is replaced.
    pub(super) async fn evict_one(
        &self,
        workload: &WorkloadName,
        evictee: &Evictee,
        patience: &Patience<'_>,
    ) -> anyhow::Result<Evicted> {
        let name = &evictee.name;
        let budgets = format!("see kubectl get poddisruptionbudgets -n {}", workload.namespace);
        patience.bar.hold_up(&format!("evicting pod {name}"));
        loop {
            if self.interrupt.is_raised() {
                return Ok(Evicted::NotBegun);
            }
            let asked = patience.ask(async || self.ask(workload, evictee).await);
            let Some(why) = self.answer(asked).await.map_err(|error| match self.interrupt.is_raised() {
                true => anyhow::anyhow!(
                    "whether pod {name} was evicted is not known, for want of an answer ({error}): run sync again"
                ),
                false => error,
            })?
            else {
                break;
            };
            anyhow::ensure!(
                self.args.mode.dry_run != DryRun::Server,
                "pod {name} could not be evicted now: {why}: {budgets}"
            );
            anyhow::ensure!(
                Instant::now() < patience.deadline,
                "pod {name} could not be evicted within {:?}: {why}: {budgets}",
                self.args.timeout
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
        match self.interrupt.or(self.replaced(workload, evictee, patience)).await {
            Some(replaced) => replaced.map(|()| Evicted::Yes),
            None => Ok(Evicted::NotAwaited),
        }
    }

    /// Waits until another pod is ready in place of one that was evicted.
    async fn replaced(
        &self,
        workload: &WorkloadName,
        evictee: &Evictee,
        patience: &Patience<'_>,
    ) -> anyhow::Result<()> {
        while !patience.ask(async || self.is_replaced(workload, evictee).await).await? {
            anyhow::ensure!(
                Instant::now() < patience.deadline,
                "pod {} was evicted, and nothing that is ready has replaced it within {:?}: see kubectl get pods \
                 -n {}",
                evictee.name,
                self.args.timeout,
                workload.namespace
            );
            patience.bar.tick();
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// `None` where it is gone already.
    pub(super) async fn evictee(
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

fn controller(pod: &Pod) -> Option<&str> {
    let owners = pod.metadata.owner_references.iter().flatten();
    owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str()).next()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    is_live(pod)
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
