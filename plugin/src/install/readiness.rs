//! Waiting for the webhook: until its pods are ready, and until the API server trusts it.

use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;

use super::session::Session;
use crate::api::{ApiError, POLL, Resource, list_objects};
use crate::installation::{LABEL, NAME, REGISTRATION_NAME, deployment};
use crate::patience::Patience;
use crate::rollout::{Progress, Rollable};
use crate::workload::{Kind, WorkloadName};

/// A rollout that is stuck for so long while it is waited for stays so, also without a limit.
const STUCK: Duration = Duration::from_secs(10 * 60);

impl Session<'_> {
    /// Waits until all pods of the webhook are of the newest template and ready.
    pub(super) async fn rolled_out(&self, patience: &Patience<'_>) -> anyhow::Result<()> {
        let workload = WorkloadName {
            namespace: self.namespace.to_owned(),
            kind: Kind::Deployment,
            name: NAME.to_owned(),
        };
        let mut stuck_since = None;
        loop {
            let rollable = patience.ask(async || Rollable::get(self.objects.client, &workload).await).await?;
            let progress = rollable.progress();
            if progress == Progress::Complete {
                return Ok(());
            }
            let stuck_for = match &progress {
                // It may be stuck from before, and what it lacked be there by now.
                Progress::Stuck(why) => {
                    patience.bar.hold_up(why);
                    stuck_since.get_or_insert_with(Instant::now).elapsed()
                }
                progress => {
                    patience.bar.advance(progress);
                    stuck_since = None;
                    Duration::ZERO
                }
            };
            if Instant::now() < patience.deadline && stuck_for < STUCK {
                tokio::time::sleep(POLL).await;
                continue;
            }
            let why = self.obstacle().await.map(|why| format!(" ({why})")).unwrap_or_default();
            anyhow::bail!("{progress}{why}");
        }
    }

    /// Waits until the registration names the CAs that the webhook serves by.
    pub(super) async fn trusted(
        &self,
        patience: &Patience<'_>,
    ) -> anyhow::Result<MutatingWebhookConfiguration> {
        let resource = Resource {
            group: "/apis/admissionregistration.k8s.io/v1",
            plural: "mutatingwebhookconfigurations",
            namespace: None,
            name: Some(REGISTRATION_NAME),
        };
        let registrations = Api::<MutatingWebhookConfiguration>::all(self.objects.client.clone());
        loop {
            let registration = patience.ask(async || {
                let found = registrations.get(REGISTRATION_NAME).await;
                found.map_err(|error| ApiError::of(error, "get", &resource))
            });
            let registration = registration.await?;
            let mut webhooks = registration.webhooks.iter().flatten();
            if webhooks.all(|webhook| {
                webhook.client_config.ca_bundle.as_ref().is_some_and(|bundle| !bundle.0.is_empty())
            }) {
                return Ok(registration);
            }
            anyhow::ensure!(
                Instant::now() < patience.deadline,
                "the webhook has not set the registration's caBundle in time"
            );
            patience.bar.tell("is ready; waiting until it has set the registration's caBundle");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Why its pods are not ready, as far as they tell.
    async fn obstacle(&self) -> Option<String> {
        let resource =
            Resource { group: "/api/v1", plural: "pods", namespace: Some(self.namespace), name: None };
        let (deployment, pods) = tokio::join!(
            deployment(self.objects.client, self.namespace),
            list_objects::<Pod>(self.objects.client, resource, &[("labelSelector", LABEL)]),
        );
        let of_deployment = deployment.ok().flatten().as_ref().and_then(refusal);
        of_deployment.or_else(|| {
            let mut pods = pods.ok()?;
            // The newest are those that do not come up.
            pods.sort_by_key(|pod| std::cmp::Reverse(pod.metadata.creation_timestamp.clone()));
            pods.iter().find_map(trouble)
        })
    }
}

/// Why no pod is made.
fn refusal(deployment: &Deployment) -> Option<String> {
    let mut conditions = deployment.status.as_ref()?.conditions.iter().flatten();
    let condition = conditions.find(|condition| {
        condition.type_.as_deref() == Some("ReplicaFailure") && condition.status.as_deref() == Some("True")
    })?;
    condition.message.clone()
}

/// Why a pod is not ready.
fn trouble(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let scheduled = conditions.find(|condition| condition.type_ == "PodScheduled");
    if let Some(condition) = scheduled.filter(|condition| condition.status == "False") {
        return Some(format!("pod {name}: {}", condition.message.as_deref().unwrap_or("not scheduled")));
    }
    let containers = status.container_statuses.iter().flatten();
    let why = containers.filter(|container| !container.ready).find_map(of_container)?;
    Some(format!("pod {name}: {why}"))
}

fn of_container(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().filter(|reason| *reason != "ContainerCreating")?;
        return Some(match &waiting.message {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        });
    }
    if let Some(ended) = &state.terminated {
        return Some(format!("it ended with exit code {}: see its log", ended.exit_code));
    }
    Some("it runs and is not ready: see its log".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_pod_says_why_it_is_not_ready() {
        let container = |state: Value| json!([{"name": "webhook", "ready": false, "image": "", "imageID": "", "restartCount": 0, "state": state}]);
        for (status, expected) in [
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]}),
                Some("pod w: 0/1 nodes"),
            ),
            (
                json!({"containerStatuses": container(json!({"waiting": {"reason": "ErrImagePull", "message": "none"}}))}),
                Some("pod w: ErrImagePull: none"),
            ),
            (
                json!({"containerStatuses": container(json!({"terminated": {"exitCode": 2}}))}),
                Some("pod w: it ended with exit code 2: see its log"),
            ),
            (
                json!({"containerStatuses": container(json!({"waiting": {"reason": "ContainerCreating"}}))}),
                None,
            ),
        ] {
            let pod: Pod =
                serde_json::from_value(json!({"metadata": {"name": "w"}, "status": status})).unwrap();
            assert_eq!(trouble(&pod).as_deref(), expected);
        }
    }
}
