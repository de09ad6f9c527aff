//! `kubectl reload install`, `upgrade` and `uninstall` on a real control plane.

#[path = "install/cluster.rs"]
mod cluster;
#[path = "install/outage.rs"]
mod outage;
#[path = "install/refusals.rs"]
mod refusals;
#[path = "install/removal.rs"]
mod removal;
#[path = "install/rollout.rs"]
mod rollout;
#[path = "install/secrets.rs"]
mod secrets;
#[path = "install/terminal.rs"]
mod terminal;
#[path = "install/values.rs"]
mod values;
#[path = "install/version.rs"]
mod version;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use reload_tests::helm::RELEASE;
use reload_tests::listing::{difference, listing};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Namespace, Output, Source, Workload, with_namespace};
use serde_json::{Value, json};

use cluster::{LIMIT, Server, cluster, install};

const REGISTRATION: [&str; 2] = ["mutatingwebhookconfiguration", "zz-kubectl-reload"];

#[tokio::test]
async fn installed_by_one_command_it_records_pods_and_a_second_time_changes_nothing() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let (output, _server) = install(cluster, &[]).await?;
    ensure!(output.stdout.contains("deployment.apps/kubectl-reload created"), "{output}");
    let registered = position(&output, "zz-kubectl-reload created")?;
    ensure!(
        position(&output, "flowschema.flowcontrol.apiserver.k8s.io/kubectl-reload created")? < registered
    );
    ensure!(position(&output, "namespace/kubectl-reload created")? == 0, "{output}");
    with_namespace(cluster, "recorded", async |ns| {
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        ns.deploy([Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        ns.recorded("deployment/shop").await?;
        let status = cluster.kubectl().reload(&["status", "--all", "-o", "json", "-n", ns.name()]).await?;
        ensure!(status.stdout.contains("\"Current\"") && status.stdout.contains("\"recorded\""), "{status}");
        without_pods(&ns).await
    })
    .await?;

    let before = versions(cluster).await?;
    let again = cluster.kubectl().reload(&["install", "--yes", "--timeout=60s"]).await?.success()?;
    ensure!(again.stdout.starts_with("Nothing to change: version 0.1.0 is installed"), "{again}");
    ensure!(again.stdout.contains("came back with a record"), "{again}");
    assert_eq!(versions(cluster).await?, before, "something was written");
    // It has not to be asked either, and needs no terminal.
    let again = cluster.kubectl().reload(&["upgrade", "--timeout=60s"]).await?.success()?;
    ensure!(again.stdout.contains("Nothing to change"), "{again}");
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn an_upgrade_keeps_values_and_the_bundle_and_takes_away_what_is_no_part_any_more() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let (_, _server) = install(cluster, &["--set", "replicas=1,log.level=debug"]).await?;
    let kubectl = cluster.kubectl();
    let bundle = bundle(cluster).await?;
    ensure!(!bundle.is_empty(), "no caBundle");
    // As a version before would have left them; one of the two is somebody else's.
    for (name, manager) in [("kubectl-reload-old", "reload-install"), ("kubectl-reload-mine", "me")] {
        let labels = json!({"app.kubernetes.io/name": RELEASE, "app.kubernetes.io/instance": RELEASE});
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": name, "labels": labels}, "rules": []});
        let manager = format!("--field-manager={manager}");
        let apply = ["apply", "--server-side", &manager, "-f", "-"];
        kubectl.output_with_input(&apply, &role.to_string()).await?.success()?;
    }

    let before = listing(cluster).await?;
    let diff = ["upgrade", "--set", "secretKeyNames=false", "--dry-run=server"];
    let diff = kubectl.reload(&diff).await?.success()?;
    for text in [
        "deployment.apps/kubectl-reload configured (server dry run)",
        "\n  -        - --secret-key-names=true\n  +        - --secret-key-names=false\n",
        "clusterrole.rbac.authorization.k8s.io/kubectl-reload-old deleted (server dry run)",
        "role.rbac.authorization.k8s.io/kubectl-reload unchanged (server dry run)",
    ] {
        ensure!(diff.stdout.contains(text), "{text:?} is not in {diff}");
    }
    ensure!(!diff.stdout.contains("kubectl-reload-mine"), "{diff}");
    unchanged(cluster, &before).await?;

    let upgrade = ["upgrade", "--yes", "--set", "secretKeyNames=false", "--timeout=60s"];
    let upgraded = kubectl.reload(&upgrade).await?.success()?;
    ensure!(upgraded.stderr.contains("Values kept from before: log.level=debug,replicas=1"), "{upgraded}");
    assert_eq!(
        upgraded.stdout.lines().collect::<Vec<_>>(),
        [
            "deployment.apps/kubectl-reload configured",
            "clusterrole.rbac.authorization.k8s.io/kubectl-reload-old deleted",
            "Version 0.1.0 is installed in namespace kubectl-reload, and records pods: one tried in namespace \
             default came back with a record.",
        ]
    );
    let arguments = webhook_arguments(cluster).await?;
    ensure!(arguments.contains("--log-level=debug") && arguments.contains("--secret-key-names=false"));
    assert_eq!(self::bundle(cluster).await?, bundle);
    kubectl.run(&["delete", "clusterrole", "kubectl-reload-mine"]).await?;

    let reset = ["upgrade", "--yes", "--reset-values", "--timeout=60s"];
    kubectl.reload(&reset).await?.success()?;
    let arguments = webhook_arguments(cluster).await?;
    ensure!(arguments.contains("--log-level=info") && arguments.contains("--secret-key-names=true"));
    ensure!(!arguments.contains("install.kubectl-reload.dev/set"), "{arguments}");
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn what_kubectl_has_applied_is_upgraded_and_taken_away() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let kubectl = cluster.kubectl();
    let previous = concat!(env!("CARGO_MANIFEST_DIR"), "/suite/chart/previous.yaml");
    kubectl.run(&["apply", "-f", previous]).await?;
    let server = Server::start(cluster, RELEASE).await?;
    let refused = kubectl.reload(&["upgrade", "--yes", "--timeout=60s"]).await?;
    ensure!(refused.code == 2 && refused.stdout.is_empty(), "{refused}");
    for text in [
        "deployment.apps/kubectl-reload .spec.template.spec.containers[name=\"webhook\"].args: conflict with \
         \"kubectl-client-side-apply\" using apps/v1",
        "take it over by --force-conflicts",
    ] {
        ensure!(refused.stderr.contains(text), "{text:?} is not in {refused}");
    }
    let upgrade = ["upgrade", "--yes", "--force-conflicts", "--timeout=60s"];
    let upgraded = kubectl.reload(&upgrade).await?.success()?;
    ensure!(upgraded.stdout.contains("came back with a record"), "{upgraded}");
    drop(server);
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn dry_runs_write_nothing() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let before = listing(cluster).await?;
    // The server tries nothing in a namespace that is not there.
    let untried = " created (dry run: the server cannot try it yet)";
    for (mode, suffix, count) in [("client", " (dry run)", 0), ("server", " (server dry run)", 6)] {
        let mode = format!("--dry-run={mode}");
        let output = cluster.kubectl().reload(&["install", &mode, "--set", "replicas=3"]).await?.success()?;
        assert_eq!(output.stdout.lines().count(), 14, "{output}");
        assert_eq!(output.stdout.matches(untried).count(), count, "{output}");
        let mut tried = output.stdout.lines().filter(|line| !line.ends_with(untried));
        ensure!(tried.all(|line| line.ends_with(&format!("created{suffix}"))), "{output}");
        ensure!(
            output.stdout.starts_with(&format!("namespace/kubectl-reload created{suffix}\n")),
            "{output}"
        );
        let output = cluster.kubectl().reload(&["uninstall", &mode]).await?.success()?;
        assert_eq!(output.stdout, "There is no installation in namespace kubectl-reload.\n");
        unchanged(cluster, &before).await?;
    }
    let (_, _server) = install(cluster, &[]).await?;
    let (installed, known) = (listing(cluster).await?, versions(cluster).await?);
    for mode in ["--dry-run=client", "--dry-run=server"] {
        let upgrade = ["upgrade", mode, "--set", "replicas=3"];
        let output = cluster.kubectl().reload(&upgrade).await?.success()?;
        ensure!(output.stdout.contains("\n  -  replicas: 2\n  +  replicas: 3\n"), "{output}");
        assert_eq!(output.stdout.matches(" configured").count(), 1, "{output}");
        let output = cluster.kubectl().reload(&["uninstall", "--purge", mode]).await?.success()?;
        assert_eq!(output.stdout.matches(" deleted").count(), 15, "{output}");
        unchanged(cluster, &installed).await?;
        assert_eq!(versions(cluster).await?, known);
    }
    remove(cluster, &[]).await.map(drop)
}

/// A namespace with pods in it takes as long to go as these may take to end.
async fn without_pods(ns: &Namespace<'_>) -> Result<()> {
    ns.kubectl().run(&["delete", "deployments", "--all", "--cascade=foreground"]).await.map(drop)
}

/// Uninstalls, and gives what was written.
async fn remove(cluster: &Cluster, arguments: &[&str]) -> Result<Output> {
    let arguments = [&["uninstall", "--yes", "--timeout=60s"], arguments].concat();
    cluster.kubectl().reload(&arguments).await?.success()
}

/// The cluster holds the objects that it held.
async fn unchanged(cluster: &Cluster, before: &BTreeSet<String>) -> Result<()> {
    let changed = difference(before, &listing(cluster).await?);
    ensure!(changed.is_empty(), "{changed:?}");
    Ok(())
}

fn position(output: &Output, line: &str) -> Result<usize> {
    output.stdout.lines().position(|found| found.ends_with(line)).with_context(|| format!("{line}: {output}"))
}

/// The `caBundle` that is trusted now; empty where there is none.
async fn bundle(cluster: &Cluster) -> Result<String> {
    let registration = cluster.kubectl().json(&REGISTRATION).await?;
    let bundle = registration["webhooks"][0]["clientConfig"]["caBundle"].as_str();
    Ok(bundle.unwrap_or_default().to_owned())
}

async fn webhook_arguments(cluster: &Cluster) -> Result<String> {
    Ok(cluster.kubectl().json(&["deployment", RELEASE, "-n", RELEASE]).await?.to_string())
}

/// The resourceVersion of each object of the installation, but for what its controllers say of the
/// Deployment.
async fn versions(cluster: &Cluster) -> Result<BTreeMap<String, String>> {
    let label = format!("app.kubernetes.io/name={RELEASE}");
    let kinds = "namespaces,deployments,services,serviceaccounts,poddisruptionbudgets,roles,rolebindings,\
                 clusterroles,clusterrolebindings,flowschemas,prioritylevelconfigurations,\
                 mutatingwebhookconfigurations";
    let list = cluster.kubectl().json(&[kinds, "-A", "-l", &label]).await?;
    let version = |object: &Value| {
        let metadata = &object["metadata"];
        let changing = ["Deployment", "PodDisruptionBudget"].iter().any(|kind| object["kind"] == *kind);
        let version = if changing { &metadata["generation"] } else { &metadata["resourceVersion"] };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (format!("{} {}", text(&object["kind"]), text(&metadata["name"])), text(version))
    };
    Ok(list["items"].as_array().into_iter().flatten().map(version).collect())
}
