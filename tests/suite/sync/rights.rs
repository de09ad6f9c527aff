//! Rights that are absent: each is named where it is needed, and the rest is done.

use anyhow::{Result, ensure};
use reload_tests::{Cluster, Namespace, Source, Workload, with_namespace};
use serde_json::{Value, json};

use super::drifted;

/// Gives a user rights in the namespace.
async fn grant(ns: &Namespace<'_>, user: &str, rules: Value) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    ns.apply([
        json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": user}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": user},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}]}),
    ])
    .await
}

fn reader() -> Vec<Value> {
    vec![
        json!({"apiGroups": [""], "resources": ["pods", "configmaps", "secrets"], "verbs": ["get", "list"]}),
        json!({"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list"]}),
    ]
}

#[tokio::test]
async fn who_may_restart_one_workload_restarts_it_and_is_told_of_the_others() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "some-rights", async |ns| {
        let _webhook = ns.webhook().await?;
        let source = Source::config_map("settings");
        drifted(&ns, ["a", "b", "c"].map(|name| Workload::deployment(name).env_from(source))).await?;
        let one = json!({"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["b"],
            "verbs": ["patch"]});
        let rules = [reader(), vec![one]].concat();
        grant(&ns, "keeper-of-b", json!(rules)).await?;
        let sync = ns.reload(&["sync", "--yes", "--as", "keeper-of-b"]).await?;
        ensure!(sync.code == 1, "{sync}");
        ensure!(sync.stdout.contains("Of 3 workloads: 1 failed; 2 not begun."), "{sync}");

        let sync = ns.reload(&["sync", "--yes", "--keep-going", "--as", "keeper-of-b"]).await?;
        ensure!(sync.code == 1, "{sync}");
        for text in [
            "deployment/a in some-rights failed: may not patch deployments/a in namespace some-rights",
            "kubectl auth can-i patch deployments.apps/a -n some-rights",
            "deployment/b in some-rights restarted (configmap/settings: a changed)",
            "deployment/c in some-rights failed: may not patch deployments/c in namespace some-rights",
            "Of 3 workloads: 1 restarted; 2 failed.",
        ] {
            ensure!(sync.stdout.contains(text), "{text:?} is not in {sync}");
        }
        assert_eq!(ns.status().await?.drifted(), ["deployment/a", "deployment/c"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_may_not_evict_is_told_the_right_by_its_name() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "no-evict", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        let keep = json!({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]});
        grant(&ns, "onlooker", json!([reader(), vec![keep]].concat())).await?;
        let before = ns.pod_uids("deployment/shop").await?;
        let sync = ns.reload(&["sync", "--strategy", "evict", "--as", "onlooker"]).await?;
        ensure!(sync.code == 1 && sync.stdout.contains("may not create pods/eviction"), "{sync}");
        ensure!(sync.stdout.contains("--subresource=eviction -n no-evict"), "{sync}");
        assert_eq!(ns.pod_uids("deployment/shop").await?, before);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_may_evict_and_not_keep_what_for_evicts_only_where_asked_to() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "no-memory", async |ns| {
        let _webhook = ns.webhook().await?;
        drifted(&ns, [Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        let evict = json!({"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]});
        grant(&ns, "evictor", json!([reader(), vec![evict]].concat())).await?;
        let before = ns.pod_uids("deployment/shop").await?;
        let arguments = ["sync", "--strategy", "evict", "--as", "evictor"];
        let sync = ns.reload(&arguments).await?;
        ensure!(sync.code == 1, "{sync}");
        for text in ["cannot be kept on it", "may not patch deployments/shop", "--again"] {
            ensure!(sync.stdout.contains(text), "{text:?} is not in {sync}");
        }
        assert_eq!(ns.pod_uids("deployment/shop").await?, before);
        ns.reload(&[&arguments[..], &["--again"]].concat()).await?.success()?;
        ensure!(ns.pod_uids("deployment/shop").await?.is_disjoint(&before), "an old pod is left");
        Ok(())
    })
    .await
}
