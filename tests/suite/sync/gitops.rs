//! GitOps controllers that put a restarted workload back to what their repository says: the restart
//! stays, and there is one rollout.

use anyhow::{Context, Result, ensure};
use reload_tests::{Cluster, Namespace, Source, Workload, with_namespace};
use serde_json::{Value, json};

/// How often the template was changed, the first time included.
async fn revision(ns: &Namespace<'_>, name: &str) -> Result<Value> {
    let object = ns.kubectl().json(&["deployment", name]).await?;
    Ok(object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone())
}

fn shop(name: &str) -> Value {
    let workload = Workload::deployment(name).replicas(2).env_from(Source::config_map("settings"));
    let mut manifest = workload.manifest();
    manifest["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/name": "shop"});
    manifest
}

/// `kubectl apply` of one manifest in some way.
async fn apply(ns: &Namespace<'_>, manifest: &Value, flags: &[&str]) -> Result<()> {
    let file = ns.cluster().folder().join(format!("{}-gitops.json", ns.name()));
    std::fs::write(&file, manifest.to_string())?;
    let file = file.to_str().context("no UTF-8")?;
    ns.kubectl().run(&[&["apply", "-f", file], flags].concat()).await.map(drop)
}

/// What Flux's kustomize-controller does at every reconciliation (fluxcd/pkg, `ssa`): fields of
/// managers whose name begins with `kubectl` become its own by a patch of managedFields, and then it
/// applies what the repository says, with force, so that those of them that the repository does not
/// have are removed.
async fn reconcile_as_flux(ns: &Namespace<'_>, manifest: &Value) -> Result<()> {
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
    let object =
        ns.kubectl().output(&["get", "deployment", name, "--show-managed-fields", "-o", "json"]).await?;
    let mut entries = object.success()?.json()?["metadata"]["managedFields"].clone();
    let entries = entries.as_array_mut().context("no managedFields")?;
    let (mut theirs, mut own) = (json!({}), None);
    entries.retain_mut(|entry| {
        let manager = entry["manager"].as_str().unwrap_or_default();
        let taken = manager.starts_with("kubectl") && entry["subresource"].is_null();
        if taken || (manager == FLUX && entry["operation"] == "Apply") {
            merge(&mut theirs, &entry["fieldsV1"]);
            own = Some(entry.clone());
            return false;
        }
        true
    });
    if let Some(mut entry) = own {
        (entry["manager"], entry["operation"], entry["fieldsV1"]) = (json!(FLUX), json!("Apply"), theirs);
        entries.push(entry);
    }
    let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": entries}]);
    ns.kubectl().run(&["patch", "deployment", name, "--type=json", "-p", &patch.to_string()]).await?;
    apply(ns, manifest, &["--server-side", "--force-conflicts", "--field-manager", FLUX]).await
}

const FLUX: &str = "kustomize-controller";

/// The union of two sets of fields.
fn merge(into: &mut Value, from: &Value) {
    let Some(fields) = from.as_object() else { return };
    for (name, below) in fields {
        if into[name].is_null() {
            into[name] = json!({});
        }
        merge(&mut into[name], below);
    }
}

#[tokio::test]
async fn flux_does_not_take_a_restart_back() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "flux", async |ns| {
        let _webhook = ns.webhook().await?;
        let names = ["ours", "theirs"];
        ns.apply([reload_tests::manifest::config_map("settings", &[("a", "1")])]).await?;
        for name in names {
            apply(&ns, &shop(name), &["--server-side", "--field-manager", FLUX]).await?;
            ns.rolled_out(&format!("deployment/{name}")).await?;
        }
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        ns.reload(&["sync", "deployment/ours"]).await?.success()?;
        ns.kubectl().run(&["rollout", "restart", "deployment/theirs"]).await?;
        ns.rolled_out("deployment/theirs").await?;
        let pods = ns.pod_uids("deployment/ours").await?;
        for name in names {
            reconcile_as_flux(&ns, &shop(name)).await?;
            ns.rolled_out(&format!("deployment/{name}")).await?;
        }
        // The restart of kubectl is taken back, which rolls once more: so the replay is like Flux.
        assert_eq!(revision(&ns, "theirs").await?, "3");
        assert_eq!(revision(&ns, "ours").await?, "2");
        assert_eq!(ns.pod_uids("deployment/ours").await?, pods);
        assert_eq!(ns.status().await?.verdict("deployment/ours")?, "Current recorded");
        let again = ns.reload(&["sync", "deployment/ours"]).await?.success()?;
        assert_eq!(again.stdout, "Nothing to restart.\n");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn argo_cd_does_not_take_a_restart_back() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "argo-cd", async |ns| {
        let _webhook = ns.webhook().await?;
        let argo = ["--field-manager", "argocd-controller"];
        let server_side = [&argo[..], &["--server-side", "--force-conflicts"]].concat();
        ns.apply([reload_tests::manifest::config_map("settings", &[("a", "1")])]).await?;
        for (name, flags) in [("three-way", &argo[..]), ("server-side", &server_side)] {
            apply(&ns, &shop(name), flags).await?;
            ns.rolled_out(&format!("deployment/{name}")).await?;
        }
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        ns.reload(&["sync", "--yes"]).await?.success()?;
        for (name, flags) in [("three-way", &argo[..]), ("server-side", &server_side)] {
            let workload = format!("deployment/{name}");
            let pods = ns.pod_uids(&workload).await?;
            // A self-heal right after the restart, and a sync with another number of replicas later.
            apply(&ns, &shop(name), flags).await?;
            let mut more = shop(name);
            more["spec"]["replicas"] = json!(3);
            apply(&ns, &more, flags).await?;
            ns.rolled_out(&workload).await?;
            assert_eq!(revision(&ns, name).await?, "2", "{name}");
            ensure!(ns.pod_uids(&workload).await?.is_superset(&pods), "{name}: its pods were replaced");
            assert_eq!(ns.status().await?.verdict(&workload)?, "Current recorded", "{name}");
        }
        assert_eq!(ns.reload(&["sync"]).await?.success()?.stdout, "Nothing to restart.\n");
        Ok(())
    })
    .await
}
