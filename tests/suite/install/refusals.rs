//! What is not written over, and by whom nothing is written.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use reload_tests::helm::RELEASE;
use reload_tests::listing::{difference, listing};
use reload_tests::{Cluster, Helm, with_namespace};
use serde_json::{Value, json};

use super::cluster::{grant, take_back};
use super::{REGISTRATION, cluster, install, remove, unchanged, versions};

#[tokio::test]
async fn what_helm_owns_is_left_to_helm_wherever_it_is() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let helm = Helm::new(cluster).await?;
    for namespace in [RELEASE, "tools"] {
        helm.release(&["install", "--create-namespace"], namespace, &[]).await?;
        let before = versions(cluster).await?;
        for (command, expected) in [
            ("install", format!("helm upgrade kubectl-reload CHART --namespace {namespace}")),
            ("upgrade", format!("helm upgrade kubectl-reload CHART --namespace {namespace}")),
            ("uninstall", format!("helm uninstall kubectl-reload --namespace {namespace}")),
        ] {
            // In its own namespace and in another one.
            for place in [namespace, "elsewhere"] {
                let output = cluster.kubectl().reload(&[command, "--yes", "-n", place]).await?;
                ensure!(output.code == 2 && output.stdout.is_empty(), "{output}");
                ensure!(output.stderr.contains("belongs to Helm (release kubectl-reload"), "{output}");
                ensure!(output.stderr.contains(&expected), "{expected:?} is not in {output}");
            }
        }
        assert_eq!(versions(cluster).await?, before);
        helm.output(&["uninstall", RELEASE, "-n", namespace, "--wait"]).await?.success()?;
        cluster.kubectl().run(&["delete", "namespace", namespace]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_git_owns_is_left_to_git() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let (_, _server) = install(cluster, &[]).await?;
    let kubectl = cluster.kubectl().namespace(RELEASE);
    for (mark, expected) in [
        (
            [
                "annotate",
                "argocd.argoproj.io/tracking-id=records:apps/Deployment:kubectl-reload/kubectl-reload",
            ],
            "Argo CD (application records)",
        ),
        (["label", "kustomize.toolkit.fluxcd.io/name=records"], "Flux (Kustomization flux-system/records)"),
    ] {
        let [verb, mark] = mark;
        let flux = "kustomize.toolkit.fluxcd.io/namespace=flux-system";
        let marks: &[&str] = if verb == "label" { &[mark, flux] } else { &[mark] };
        kubectl.run(&[&[verb, "deployment", RELEASE], marks].concat()).await?;
        for command in ["install", "upgrade", "uninstall"] {
            let output = cluster.kubectl().reload(&[command, "--yes"]).await?;
            ensure!(output.code == 2 && output.stderr.contains(expected), "{expected:?} is not in {output}");
            ensure!(output.stderr.contains("Git"), "{output}");
        }
        for mark in marks {
            let gone = format!("{}-", mark.split('=').next().unwrap_or_default());
            kubectl.run(&[verb, "deployment", RELEASE, &gone]).await?;
        }
    }
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn a_cluster_has_one_installation_and_an_upgrade_needs_one() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let none = cluster.kubectl().reload(&["upgrade", "--yes"]).await?;
    ensure!(none.code == 2 && none.stderr.contains("make one with kubectl reload install"), "{none}");
    let (_, _server) = install(cluster, &["-n", "tools"]).await?;
    let before = (listing(cluster).await?, versions(cluster).await?);
    for command in ["install", "upgrade", "uninstall"] {
        let output = cluster.kubectl().reload(&[command, "--yes"]).await?;
        ensure!(output.code == 2 && output.stderr.contains("pass -n tools"), "{output}");
    }
    unchanged(cluster, &before.0).await?;
    assert_eq!(versions(cluster).await?, before.1);
    // The variable by which other commands find the installation.
    let kubectl = cluster.kubectl().env("KUBECTL_RELOAD_NAMESPACE", "tools");
    let again = kubectl.reload(&["upgrade", "--yes", "--timeout=60s"]).await?.success()?;
    ensure!(again.stdout.contains("Nothing to change"), "{again}");
    kubectl.reload(&["uninstall", "--yes"]).await?.success().map(drop)
}

#[tokio::test]
async fn a_field_that_somebody_else_has_set_is_theirs_unless_it_is_taken() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let (_, _server) = install(cluster, &[]).await?;
    let kubectl = cluster.kubectl();
    let scale = ["scale", "deployment", RELEASE, "-n", RELEASE, "--replicas=3"];
    kubectl.run(&scale).await?;
    let refused = kubectl.reload(&["install", "--yes", "--timeout=60s"]).await?;
    ensure!(refused.code == 2, "{refused}");
    let field = "deployment.apps/kubectl-reload .spec.replicas: conflict with \"kubectl\"";
    ensure!(refused.stderr.contains(field), "{refused}");
    let as_it_is = ["install", "--yes", "--timeout=60s", "--set", "replicas=3"];
    kubectl.reload(&as_it_is).await?.success()?;
    kubectl.run(&["scale", "deployment", RELEASE, "-n", RELEASE, "--replicas=1"]).await?;
    let taken = ["install", "--yes", "--timeout=60s", "--set", "replicas=2", "--force-conflicts"];
    kubectl.reload(&taken).await?.success()?;
    assert_eq!(kubectl.json(&["deployment", RELEASE, "-n", RELEASE]).await?["spec"]["replicas"], 2);
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn a_newer_version_is_replaced_only_where_that_is_asked_for() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let (_, _server) = install(cluster, &[]).await?;
    let kubectl = cluster.kubectl();
    let newer =
        ["label", "deployment", RELEASE, "-n", RELEASE, "--overwrite", "app.kubernetes.io/version=9.0.0"];
    kubectl.run(&newer).await?;
    for command in ["install", "upgrade"] {
        let output = kubectl.reload(&[command, "--yes"]).await?;
        ensure!(output.code == 2 && output.stderr.contains("version 9.0.0 is installed"), "{output}");
        ensure!(output.stderr.contains("--allow-downgrade"), "{output}");
    }
    let allowed = ["upgrade", "--yes", "--allow-downgrade", "--force-conflicts", "--timeout=60s"];
    kubectl.reload(&allowed).await?.success()?;
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn rights_that_are_absent_are_named() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let before = listing(cluster).await?;
    let output = cluster.kubectl().reload(&["install", "--yes", "--as", "nobody"]).await?;
    ensure!(output.code == 2 && output.stderr.contains("may not get "), "{output}");
    ensure!(output.stderr.contains("kubectl auth can-i get "), "{output}");
    // Who may look and write all but roles, is told of those; nobody grants what they have not.
    let roles = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"];
    grant(cluster, "keeper", keeper(&roles)).await?;
    let output = cluster.kubectl().reload(&["install", "--yes", "--as", "keeper"]).await?;
    ensure!(output.code == 2 && output.stderr.contains("may not patch clusterroles/"), "{output}");
    ensure!(
        output.stderr.contains("kubectl auth can-i patch clusterroles.rbac.authorization.k8s.io/"),
        "{output}"
    );
    unchanged_but_for_grants(cluster, &before).await?;
    grant(cluster, "keeper", keeper(&[])).await?;
    let output = cluster.kubectl().reload(&["install", "--yes", "--as", "keeper"]).await?;
    ensure!(output.code == 2 && output.stderr.contains("attempting to grant RBAC permissions"), "{output}");
    unchanged_but_for_grants(cluster, &before).await?;

    // Who may not delete the registration deletes nothing; who may, goes on where it can.
    let (_, _server) = install(cluster, &[]).await?;
    let installed = listing(cluster).await?;
    let output = cluster.kubectl().reload(&["uninstall", "--yes", "--as", "keeper"]).await?;
    ensure!(
        output.code == 1 && output.stderr.contains("may not delete mutatingwebhookconfigurations/"),
        "{output}"
    );
    ensure!(output.stderr.contains("the webhook runs on"), "{output}");
    unchanged(cluster, &installed).await?;
    cluster.kubectl().run(&[&["delete"], &REGISTRATION[..]].concat()).await?;
    let output = cluster.kubectl().reload(&["uninstall", "--yes", "--as", "keeper"]).await?;
    ensure!(output.code == 1 && output.stderr.contains("may not delete deployments/"), "{output}");
    ensure!(output.stderr.contains("may not delete serviceaccounts/"), "{output}");
    ensure!(output.stdout.contains("run the same command again"), "{output}");
    take_back(cluster).await?;
    remove(cluster, &[]).await.map(drop)
}

/// The rules of who may look at what is installed, and write it but for these; and delete nothing.
fn keeper(but: &[&str]) -> Value {
    let resources = [
        "namespaces",
        "deployments",
        "services",
        "serviceaccounts",
        "poddisruptionbudgets",
        "roles",
        "rolebindings",
        "clusterroles",
        "clusterrolebindings",
        "flowschemas",
        "prioritylevelconfigurations",
        "mutatingwebhookconfigurations",
    ];
    let written: Vec<&str> = resources.into_iter().filter(|resource| !but.contains(resource)).collect();
    json!([
        {"apiGroups": ["*"], "resources": resources, "verbs": ["get", "list"]},
        {"apiGroups": ["*"], "resources": written, "verbs": ["create", "patch"]},
    ])
}

async fn unchanged_but_for_grants(cluster: &Cluster, before: &BTreeSet<String>) -> Result<()> {
    let mut changed = difference(before, &listing(cluster).await?);
    changed.retain(|object| !object.ends_with("/keeper"));
    ensure!(changed.is_empty(), "{changed:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_there_before_is_taken_over_only_where_that_is_asked_for() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "taken", async |ns| {
        ns.kubectl().run(&["create", "serviceaccount", RELEASE]).await?;
        let before = listing(cluster).await?;
        for arguments in [&["--yes"] as &[&str], &["--dry-run=server"]] {
            let refused =
                cluster.kubectl().reload(&[&["install", "-n", "taken"], arguments].concat()).await?;
            ensure!(refused.code == 2 && refused.stdout.is_empty(), "{refused}");
            for text in ["there is already serviceaccount/kubectl-reload", "--force-conflicts"] {
                ensure!(refused.stderr.contains(text), "{text:?} is not in {refused}");
            }
        }
        unchanged(cluster, &before).await?;
        let (_, server) = install(cluster, &["-n", "taken", "--force-conflicts"]).await?;
        drop(server);
        remove(cluster, &["-n", "taken"]).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_namespace_of_others_is_installed_into_and_left_as_it_is() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "shared", async |ns| {
        // As Flux labels what it makes.
        let flux = ["kustomize.toolkit.fluxcd.io/name=spaces", "kustomize.toolkit.fluxcd.io/namespace=flux"];
        cluster.kubectl().run(&[&["label", "namespace", "shared"], &flux[..]].concat()).await?;
        let before = cluster.kubectl().json(&["namespace", "shared"]).await?["metadata"]["labels"].clone();
        let (output, server) = install(cluster, &["-n", "shared"]).await?;
        ensure!(output.stderr.contains("Namespace shared is left as it is"), "{output}");
        ensure!(!output.stdout.contains("namespace/shared"), "{output}");
        drop(server);
        remove(cluster, &["-n", ns.name()]).await?;
        let namespace = cluster.kubectl().json(&["namespace", "shared"]).await?;
        assert_eq!(namespace["metadata"]["labels"], before);
        ensure!(namespace["metadata"]["deletionTimestamp"].is_null(), "{namespace}");
        Ok(())
    })
    .await
}
