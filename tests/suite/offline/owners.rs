//! Owners as anybody may write them on a pod.

use std::path::Path;

use anyhow::{Result, ensure};
use reload_tests::Cluster;
use serde_json::json;

use super::write;

/// The API server takes any name of an owner that is not empty.
#[tokio::test]
async fn owners_of_names_that_nothing_can_have_hide_no_other_workload() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let metadata = |name: &str| json!({"name": name, "namespace": "n", "uid": name, "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"});
    let mut source = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("settings"), "data": {"a": "2"}});
    source["metadata"]["managedFields"] = json!([{"manager": "a", "operation": "Update", "apiVersion": "v1",
        "time": "2026-01-02T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}]);
    let mut items = vec![source];
    let owners = ["web", "a/ b%", "web/status", "..", "web?watch=1", "\u{1b}[2J"];
    for (i, owner) in owners.iter().enumerate() {
        let started = json!({"running": {"startedAt": "2026-01-01T00:00:05Z"}});
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata(&format!("pod-{i}")),
            "spec": {"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "settings"}}]}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "c", "state": started}]}});
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment",
            "name": owner, "uid": owner, "controller": true}]);
        items.push(pod);
    }
    let file = write(cluster, "owners.json", &json!({"kind": "List", "items": items}).to_string())?;
    let kubectl = cluster.kubectl().kubeconfig(Path::new("/no/such/file"));
    let shown = kubectl.reload(&["status", "-f", &file]).await?.success()?;
    for owner in ["web ", "a/ b%", "web/status", "deployment/.. ", "web?watch=1"] {
        ensure!(shown.stdout.contains(owner), "{owner:?} is not in {shown}");
    }
    ensure!(!shown.stdout.contains('\u{1b}') && !shown.stderr.contains("does not answer"), "{shown}");
    Ok(())
}
