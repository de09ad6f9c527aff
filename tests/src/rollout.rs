//! Has a rollout finished? The rules of `kubectl rollout status`, and stricter: no old pod is left.

use anyhow::{Result, bail, ensure};
use serde_json::Value;

/// Fails with what is still missing until all pods of the workload run its present template; gives how
/// many it has.
pub fn finished(workload: &Value) -> Result<u64> {
    let status = |field: &str| workload["status"][field].as_u64().unwrap_or(0);
    let generation = workload["metadata"]["generation"].as_u64().unwrap_or(0);
    ensure!(
        status("observedGeneration") >= generation,
        "its controller has not seen generation {generation}"
    );
    let replicas = workload["spec"]["replicas"].as_u64().unwrap_or(1);
    match workload["kind"].as_str() {
        Some("Deployment") => {
            all("updated", status("updatedReplicas"), replicas)?;
            all("present", status("replicas"), replicas)?;
            all("available", status("availableReplicas"), replicas)?;
            Ok(replicas)
        }
        Some("StatefulSet") => {
            let current = &workload["status"]["currentRevision"];
            let update = &workload["status"]["updateRevision"];
            ensure!(replicas == 0 || current == update, "its revision is {current}, and not yet {update}");
            all("present", status("replicas"), replicas)?;
            all("available", status("availableReplicas"), replicas)?;
            Ok(replicas)
        }
        Some("DaemonSet") => {
            let nodes = status("desiredNumberScheduled");
            ensure!(nodes > 0, "no node is to run it");
            all("updated", status("updatedNumberScheduled"), nodes)?;
            all("available", status("numberAvailable"), nodes)?;
            Ok(nodes)
        }
        kind => bail!("a {} has no rollout", kind.unwrap_or("thing without kind")),
    }
}

fn all(what: &str, pods: u64, wanted: u64) -> Result<()> {
    ensure!(pods == wanted, "{pods} of {wanted} pods are {what}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_has_finished_when_all_pods_are_new_and_available() {
        let deployment =
            json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
        let set = json!({"observedGeneration": 2, "replicas": 3, "availableReplicas": 3, "currentRevision": "b", "updateRevision": "b"});
        let daemons = json!({"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2});
        for (case, kind, status, change, error) in [
            ("done", "Deployment", &deployment, json!({}), None),
            ("done", "StatefulSet", &set, json!({}), None),
            ("done", "DaemonSet", &daemons, json!({}), None),
            (
                "not seen yet",
                "Deployment",
                &deployment,
                json!({"observedGeneration": 1}),
                Some("its controller has not seen generation 2"),
            ),
            (
                "an old pod is left",
                "Deployment",
                &deployment,
                json!({"replicas": 4}),
                Some("4 of 3 pods are present"),
            ),
            (
                "a new pod does not start",
                "Deployment",
                &deployment,
                json!({"availableReplicas": 2}),
                Some("2 of 3 pods are available"),
            ),
            (
                "one pod is old",
                "StatefulSet",
                &set,
                json!({"currentRevision": "a"}),
                Some("its revision is \"a\", and not yet \"b\""),
            ),
            (
                "one pod is old",
                "DaemonSet",
                &daemons,
                json!({"updatedNumberScheduled": 1}),
                Some("1 of 2 pods are updated"),
            ),
            ("other", "Job", &deployment, json!({}), Some("a Job has no rollout")),
        ] {
            let mut workload = json!({
                "kind": kind,
                "metadata": {"generation": 2},
                "spec": {"replicas": 3},
                "status": status,
            });
            for (field, value) in change.as_object().unwrap() {
                workload["status"][field] = value.clone();
            }
            let seen = finished(&workload).err().map(|error| error.to_string());
            assert_eq!(seen.as_deref(), error, "{kind}: {case}");
        }
    }
}
