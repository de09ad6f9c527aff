//! Pods that are asked for by dry run, and how long each takes.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use reload_tests::Namespace;
use reload_tests::webhook::RECORD;
use serde_json::json;
use tokio::time::Instant;

/// How long the creation of a pod may take: `timeoutSeconds` of the registration, and a second.
const CREATED: Duration = Duration::from_secs(3);

/// What the creation of a pod takes without a webhook where the machine itself is slow.
const SLOW: Duration = Duration::from_millis(500);

/// Asks for pods, one after the other, until `meanwhile` is over. Each has to be admitted within the time
/// that the API server waits for a webhook, and a second for all else; one that took longer is asked for
/// again right then where a pod that no webhook sees took long as well: a slow machine is no fault.
pub(super) async fn made_in_time<T>(
    ns: &Namespace<'_>,
    meanwhile: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut meanwhile = std::pin::pin!(meanwhile);
    let unseen = Api::namespaced(ns.client(), "kube-system");
    let mut made = 0;
    loop {
        let one = async {
            let start = Instant::now();
            try_pods(ns, 1).await?;
            let took = start.elapsed();
            if took <= CREATED {
                return Ok(());
            }
            let start = Instant::now();
            try_pods_of(&unseen, 1).await?;
            let control = start.elapsed();
            ensure!(control > SLOW, "a pod took {took:?}, and {control:?} without a webhook");
            Ok(())
        };
        tokio::select! {
            done = &mut meanwhile => {
                let done = done?;
                ensure!(made > 0, "no pod was made meanwhile");
                return Ok(done);
            }
            one = one => {
                one?;
                made += 1;
            }
        }
    }
}

/// Asks for so many pods at once, by dry run. All have to be admitted; gives how many got a record.
pub(super) async fn try_pods(ns: &Namespace<'_>, count: usize) -> Result<usize> {
    try_pods_of(&ns.api(), count).await
}

pub(super) async fn try_pods_of(pods: &Api<Pod>, count: usize) -> Result<usize> {
    // Restricted, as the webhook's own namespace wants them.
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"generateName": "probe-"},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "probe",
                "image": "none",
                "envFrom": [{"configMapRef": {"name": "settings", "optional": true}}],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    }))?;
    let dry_run = PostParams { dry_run: true, field_manager: None };
    let made = try_join_all((0..count).map(|_| pods.create(&dry_run, &pod))).await?;
    Ok(made.iter().filter(|pod| pod.annotations().contains_key(RECORD)).count())
}
