//! The chart: what it refuses, what it gives, and that a cluster takes it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use reload_tests::helm::{RELEASE, chart, install_yaml, new_install_yaml, of_kind};
use reload_tests::{Cluster, Helm, eventually};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn it_passes_the_strict_lint_however_it_is_set() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    let chart = chart().display().to_string();
    for values in [
        "replicas=2",
        "secrets=false",
        "namespaces={a,b}",
        "flowControl.enabled=false",
        "createNamespace=true",
    ] {
        let arguments = ["lint", "--strict", "--quiet", &chart, "-n", RELEASE, "--set", values];
        let output = helm.output(&arguments).await?.success()?;
        ensure!(!output.stdout.contains("WARNING"), "{output}");
    }
    Ok(())
}

#[tokio::test]
async fn values_that_make_no_sense_are_refused_with_what_to_write() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    for (value, expected) in [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("secrets=maybe", "at '/secrets': got string, want boolean"),
        ("namespaces=shop", "at '/namespaces': got string, want array"),
        ("namespaces={Shop}", "'Shop' does not match pattern"),
        ("namespaces={kube-system}", "at '/namespaces/0'"),
        ("namespaces={kubectl-reload}", "where the webhook itself is installed"),
        ("ignore={pod/x}", "'pod/x' does not match pattern"),
        ("log.level=loud", "value must be one of 'error', 'warn', 'info', 'debug'"),
        ("image.digest=latest", "'latest' does not match pattern"),
        ("image.repository=", "at '/image/repository'"),
        ("fullnameOverride=a_b", "'a_b' does not match pattern"),
    ] {
        let chart = chart().display().to_string();
        let output = helm.output(&["template", RELEASE, &chart, "-n", RELEASE, "--set", value]).await?;
        ensure!(
            output.code != 0 && output.stderr.contains(expected),
            "{value}: {expected:?} is not in {output}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_manifests_in_the_checkout_are_those_of_the_chart() -> Result<()> {
    ensure!(new_install_yaml().await? == install_yaml(), "deploy/install.yaml is old: run `make manifests`");
    Ok(())
}

#[tokio::test]
async fn names_follow_the_release_but_for_the_registration() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    for (value, expected) in [
        ("replicas=2", "kubectl-reload"),
        ("nameOverride=records", "kubectl-reload-records"),
        ("fullnameOverride=records", "records"),
    ] {
        let manifests = helm.manifests("tools", &[value]).await?;
        let deployment = of_kind(&manifests, "Deployment")?;
        assert_eq!(deployment["metadata"]["name"], expected, "{value}");
        let registration = of_kind(&manifests, "MutatingWebhookConfiguration")?;
        assert_eq!(registration["metadata"]["name"], "zz-kubectl-reload");
        let service = &registration["webhooks"][0]["clientConfig"]["service"];
        let service = (&service["namespace"], &service["name"]);
        assert_eq!(service, (&json!("tools"), &json!(expected)), "{value}");
        let hostname = format!("--hostname={expected}.tools.svc");
        let arguments =
            deployment.pointer("/spec/template/spec/containers/0/args").context("no arguments")?;
        ensure!(arguments.as_array().is_some_and(|all| all.contains(&json!(hostname))), "{arguments}");
    }
    Ok(())
}

#[tokio::test]
async fn its_versions_are_those_of_the_workspace() -> Result<()> {
    let manifests = Helm::without_cluster().await?.manifests(RELEASE, &[]).await?;
    let deployment = of_kind(&manifests, "Deployment")?;
    let version = env!("CARGO_PKG_VERSION");
    let image = deployment.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
    ensure!(
        image.is_some_and(|image| image.ends_with(&format!(":{version}"))),
        "{image:?} is not of {version}"
    );
    assert_eq!(deployment["metadata"]["labels"]["helm.sh/chart"], format!("kubectl-reload-{version}"));
    Ok(())
}

/// On fake nodes, which run no image; see `node_install` for what the pods do.
#[tokio::test]
async fn a_cluster_takes_it_and_spreads_its_restricted_pods_over_the_nodes() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": RELEASE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    cluster.kubectl().apply(&[namespace]).await?;
    let helm = Helm::new(cluster).await?;
    helm.release(&["install", "--wait", "--timeout", "60s"], RELEASE, &[]).await?;

    let pods = Api::<Pod>::namespaced(cluster.client().await?, RELEASE);
    let nodes = eventually("two pods run", LIMIT, async || {
        let pods = pods.list(&ListParams::default()).await?.items;
        let nodes: Option<BTreeSet<_>> =
            pods.iter().map(|pod| pod.spec.as_ref()?.node_name.clone()).collect();
        ensure!(pods.len() == 2, "{} pods", pods.len());
        nodes.context("one is not scheduled")
    })
    .await?;
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    let kubectl = cluster.kubectl().namespace(RELEASE);
    let budget = kubectl.json(&["poddisruptionbudget", RELEASE]).await?;
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    helm.output(&["uninstall", RELEASE, "-n", RELEASE, "--wait"]).await?.success()?;

    let manifests = chart().join("../install.yaml").display().to_string();
    cluster.kubectl().run(&["apply", "-f", &manifests]).await?;
    cluster.kubectl().run(&["delete", "--wait=false", "-f", &manifests]).await?;
    Ok(())
}
