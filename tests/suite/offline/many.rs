//! A file of thousands of workloads.

use anyhow::{Context, Result, ensure};
use reload_tests::{Cluster, with_namespace};
use serde_json::{Value, json};

use super::{offline, write};

/// Objects of so many Deployments, each with a pod that started before its ConfigMap was written.
fn many(count: usize) -> Value {
    let metadata = |kind: &str, name: String, owner: Value| {
        json!({"name": name, "namespace": "many", "uid": format!("{kind}-{name}"), "resourceVersion": "1",
            "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": owner})
    };
    let owned = |api_version: &str, kind: &str, name: String| {
        json!([{"apiVersion": api_version, "kind": kind, "name": name, "uid": format!("{kind}-{name}"),
            "controller": true}])
    };
    let container =
        json!({"name": "app", "image": "none", "envFrom": [{"configMapRef": {"name": "settings"}}]});
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
    let objects = (0..count).flat_map(|i| {
        let (web, set) = (format!("web-{i}"), format!("web-{i}-abc"));
        let running = json!({"running": {"startedAt": "2026-01-01T00:00:05Z"}});
        [
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": metadata("Deployment", web.clone(), json!([])),
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template},
                "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
                    "availableReplicas": 1}}),
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": metadata("ReplicaSet", set.clone(), owned("apps/v1", "Deployment", web)),
                "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}}),
            json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": metadata("Pod", format!("{set}-x"), owned("apps/v1", "ReplicaSet", set)),
                "spec": template["spec"],
                "status": {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 0,
                    "ready": true, "image": "none", "imageID": "", "state": running}]}}),
        ]
    });
    let source = |name: &str| {
        let mut metadata = metadata("ConfigMap", name.to_owned(), json!([]));
        let fields = json!({"f:data": {"f:a": {}}});
        metadata["managedFields"] = json!([{"manager": "helm", "operation": "Update", "time": "2026-01-02T00:00:00Z", "fieldsV1": fields}]);
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "2"}})
    };
    let sources = ["settings", "kube-root-ca.crt"].map(source);
    let objects: Vec<Value> = objects.chain(sources).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": objects})
}

#[tokio::test]
async fn thousands_of_workloads_are_all_told() -> Result<()> {
    const COUNT: usize = 5000;
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "many", async |ns| {
        let file = write(cluster, "many.json", &many(COUNT).to_string())?;
        let document = offline(&ns, &["-f", &file, "-o", "json"]).await?.success()?.json()?;
        let workloads = document["workloads"].as_array().context("no workloads")?;
        let drifted = workloads.iter().filter(|workload| workload["verdict"] == "Drifted").count();
        assert_eq!((workloads.len(), drifted), (COUNT, COUNT));
        let table = offline(&ns, &["-f", &file]).await?.success()?;
        let rows = table.stdout.lines().filter(|line| line.contains("deployment/web-")).count();
        assert_eq!(rows, COUNT);
        ensure!(table.stdout.contains("5000 workloads: 5000 possibly on old configuration."), "no summary");
        Ok(())
    })
    .await
}
