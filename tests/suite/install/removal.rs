//! What goes, and what stays.

use anyhow::{Result, ensure};
use reload_tests::helm::RELEASE;
use reload_tests::listing::{as_before, difference, listing};
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Namespace, Source, Workload, eventually, with_namespace};
use serde_json::{Value, json};

use super::cluster::{grant, take_back};
use super::{LIMIT, cluster, install, remove, without_pods};

/// Workloads whose pods have records; of one the source has changed since.
pub(crate) async fn shop(ns: &Namespace<'_>) -> Result<()> {
    ns.apply([config_map("settings", &[("a", "1")]), secret("login", &[("user", "ada")])]).await?;
    let uses = |name| Workload::deployment(name).env_from(Source::config_map("settings"));
    ns.deploy([uses("a").replicas(3), uses("b").env_from(Source::secret("login"))]).await?;
    ns.recorded("deployment/a").await?;
    ns.recorded("deployment/b").await
}

pub(crate) async fn records(cluster: &Cluster) -> Result<usize> {
    let pods = cluster.kubectl().json(&["pods", "-A"]).await?;
    Ok(pods.to_string().matches(&format!("\"{RECORD}\"")).count())
}

#[tokio::test]
async fn uninstalled_it_leaves_no_trace_but_the_records_and_once_more_is_no_error() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "keeps", async |ns| {
        let before = listing(cluster).await?;
        let (_, server) = install(cluster, &[]).await?;
        shop(&ns).await?;
        assert_eq!(records(cluster).await?, 4);
        let uids = ns.pod_uids("deployment/a").await?;
        drop(server);

        let output = remove(cluster, &[]).await?;
        let lines: Vec<&str> = output.stdout.lines().collect();
        ensure!(lines.first().is_some_and(|line| line.contains("/zz-kubectl-reload deleted")), "{output}");
        ensure!(lines.get(1).is_some_and(|line| line.starts_with("deployment.apps/")), "{output}");
        let last = &lines[lines.len() - 2..];
        assert_eq!(last, ["namespace/kubectl-reload deleted", "The webhook is uninstalled."], "{output}");
        assert_eq!(records(cluster).await?, 4);
        // What was recorded of a Secret that has not changed since holds without the key, too; of one
        // that has, it is never guessed at.
        ns.apply([secret("login", &[("user", "eve")])]).await?;
        let status = cluster.kubectl().reload(&["status", "--all", "-o", "json", "-n", ns.name()]).await?;
        let status = status.success()?.json()?;
        let verdicts: Vec<_> = status["workloads"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|workload| {
                (workload["name"].as_str(), workload["verdict"].as_str(), workload["certainty"].as_str())
            })
            .collect();
        ensure!(verdicts.contains(&(Some("a"), Some("Current"), Some("recorded"))), "{verdicts:?}");
        ensure!(!verdicts.contains(&(Some("b"), Some("Drifted"), Some("recorded"))), "{verdicts:?}");
        ns.kubectl().run(&["delete", "deployment", "a", "b"]).await?;
        ns.kubectl().run(&["delete", "configmap/settings", "secret/login"]).await?;
        as_before(cluster, &before, LIMIT).await?;
        ensure!(!uids.is_empty());
        let again = remove(cluster, &[]).await?;
        assert_eq!(again.stdout, "There is no installation in namespace kubectl-reload.\n");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn records_go_where_that_is_asked_for_and_nothing_restarts() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "purged", async |ns| {
        let (_, server) = install(cluster, &[]).await?;
        shop(&ns).await?;
        let uids = (ns.pod_uids("deployment/a").await?, ns.pod_uids("deployment/b").await?);
        let templates = async || -> Result<String> {
            let list = ns.kubectl().json(&["deployments"]).await?;
            let items = list["items"].as_array().into_iter().flatten();
            Ok(items.map(|item| item["metadata"]["generation"].to_string()).collect())
        };
        let before = templates().await?;
        drop(server);
        let output = remove(cluster, &["--purge"]).await?;
        ensure!(output.stdout.contains("records of 4 pods deleted"), "{output}");
        assert_eq!(records(cluster).await?, 0);
        assert_eq!((ns.pod_uids("deployment/a").await?, ns.pod_uids("deployment/b").await?), uids);
        assert_eq!(templates().await?, before);
        without_pods(&ns).await
    })
    .await
}

#[tokio::test]
async fn a_namespace_with_something_else_in_it_stays_and_so_does_what_it_is() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let before = listing(cluster).await?;
    let (_, server) = install(cluster, &[]).await?;
    let kubectl = cluster.kubectl().namespace(RELEASE);
    kubectl.apply(&[config_map("mine", &[("a", "1")])]).await?;
    // Of the same label, and by somebody else.
    kubectl.run(&["create", "serviceaccount", "also-mine"]).await?;
    kubectl.run(&["label", "serviceaccount", "also-mine", "app.kubernetes.io/name=kubectl-reload"]).await?;
    drop(server);
    let output = remove(cluster, &[]).await?;
    for text in ["configmaps/mine", "serviceaccounts/also-mine", "The namespace stays", "also-mine stays"] {
        ensure!(output.stderr.contains(text), "{text:?} is not in {output}");
    }
    eventually("nothing of it is left", LIMIT, async || {
        let mut left = difference(&before, &listing(cluster).await?);
        left.retain(|object| !object.contains("kube-root-ca.crt") && !object.ends_with("/default"));
        let expected = [
            "+ConfigMap kubectl-reload/mine",
            "+Namespace /kubectl-reload",
            "+ServiceAccount kubectl-reload/also-mine",
        ];
        ensure!(left == expected, "{left:#?}");
        Ok(())
    })
    .await?;
    cluster.kubectl().run(&["delete", "namespace", RELEASE]).await?;
    as_before(cluster, &before, LIMIT).await
}

/// A kind of custom resources, in a group of this test.
fn definition(plural: &str, kind: &str, version: &str) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    let versions = json!([{"name": version, "served": true, "storage": true, "schema": schema}]);
    let names = json!({"plural": plural, "singular": kind.to_lowercase(), "kind": kind});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.left.example.com")},
        "spec": {"group": "left.example.com", "names": names, "scope": "Namespaced", "versions": versions},
    })
}

/// The group prefers v1, in which the first of them is not served; the second is called as what is no
/// possession of anybody.
#[tokio::test]
async fn objects_of_any_version_and_group_keep_the_namespace() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let (_, server) = install(cluster, &[]).await?;
    let kubectl = cluster.kubectl().namespace(RELEASE);
    let definitions = [definition("scrapes", "Scrape", "v1alpha1"), definition("events", "Event", "v1")];
    kubectl.apply(&definitions).await?;
    let names = ["crd/scrapes.left.example.com", "crd/events.left.example.com"];
    let established = ["wait", "--for=condition=established", "--timeout=60s"];
    kubectl.run(&[&established[..], &names].concat()).await?;
    let objects = [("v1alpha1", "Scrape"), ("v1", "Event")].map(|(version, kind)| {
        json!({"apiVersion": format!("left.example.com/{version}"), "kind": kind, "metadata": {"name": "mine"}})
    });
    eventually("the kinds are served", LIMIT, async || kubectl.apply(&objects).await).await?;
    drop(server);
    let output = remove(cluster, &[]).await?;
    for text in ["The namespace stays", "events/mine", "scrapes/mine"] {
        ensure!(output.stderr.contains(text), "{text:?} is not in {output}");
    }
    let namespace = cluster.kubectl().json(&["namespace", RELEASE]).await?;
    ensure!(namespace["metadata"]["deletionTimestamp"].is_null(), "{namespace}");
    cluster.kubectl().run(&[&["delete"], &names[..]].concat()).await?;
    cluster.kubectl().run(&["delete", "namespace", RELEASE]).await.map(drop)
}

/// All that is installed.
pub(crate) const INSTALLED: [&str; 16] = [
    "namespaces",
    "deployments",
    "services",
    "serviceaccounts",
    "secrets",
    "configmaps",
    "poddisruptionbudgets",
    "networkpolicies",
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "flowschemas",
    "prioritylevelconfigurations",
    "priorityclasses",
    "mutatingwebhookconfigurations",
];

/// The rules of who may look at these and delete them.
pub(crate) fn remover(resources: &[&str]) -> Value {
    json!([{"apiGroups": ["*"], "resources": resources, "verbs": ["get", "list", "delete"]}])
}

#[tokio::test]
async fn where_not_all_can_be_looked_at_the_namespace_stays_and_the_exit_code_says_so() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let (_, server) = install(cluster, &[]).await?;
    drop(server);
    // Who knows whether there is a Lease?
    grant(cluster, "remover", remover(&INSTALLED)).await?;
    let kubectl = cluster.kubectl();
    for words in ["Not all is gone: mend that", "There is no installation in namespace"] {
        let output = kubectl.reload(&["uninstall", "--yes", "--timeout=60s", "--as", "remover"]).await?;
        ensure!(output.code == 1 && output.stdout.contains(words), "{output}");
        ensure!(output.stderr.contains("what else is in it is not known: may not list"), "{output}");
    }
    take_back(cluster).await?;
    let output = remove(cluster, &[]).await?;
    ensure!(output.stdout.contains("namespace/kubectl-reload deleted"), "{output}");
    Ok(())
}

#[tokio::test]
async fn with_the_hash_key_kept_records_of_secrets_can_be_compared_once_it_is_back() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "resumes", async |ns| {
        let (_, server) = install(cluster, &[]).await?;
        shop(&ns).await?;
        drop(server);
        let output = remove(cluster, &["--keep-hash-key"]).await?;
        ensure!(output.stdout.contains("secret/kubectl-reload-hash-key kept"), "{output}");
        ensure!(!output.stdout.contains("namespace/kubectl-reload deleted"), "{output}");
        let (_, server) = install(cluster, &[]).await?;
        ns.apply([secret("login", &[("user", "eve")])]).await?;
        let status = cluster.kubectl().reload(&["status", "-o", "name", "-n", ns.name()]).await?.success()?;
        assert_eq!(status.stdout, "deployment/b\n", "{status}");
        drop(server);
        without_pods(&ns).await?;
        remove(cluster, &[]).await.map(drop)
    })
    .await
}
