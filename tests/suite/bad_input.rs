//! Bad input gets a clear error that names the remedy, and the rest of the answer is still given.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Output, Source, Workload, with_namespace};
use serde_json::json;

/// The command ends with an error that holds all of these texts, and with no answer.
fn assert_error(output: &Output, texts: &[&str]) {
    assert_eq!(output.code, 2, "{output}");
    assert_eq!(output.stdout, "", "{output}");
    for text in texts {
        assert!(output.stderr.contains(text), "{text:?} is not in {output}");
    }
}

fn file(cluster: &Cluster, name: &str, content: &str) -> Result<PathBuf> {
    let path = cluster.folder().join(name);
    std::fs::write(&path, content)?;
    Ok(path)
}

#[tokio::test]
async fn a_cluster_that_cannot_be_had() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let unreachable = std::fs::read_to_string(cluster.kubeconfig())?;
    let port = unreachable.split("https://127.0.0.1:").nth(1).and_then(|rest| rest.split('\n').next());
    let unreachable = unreachable.replace(&format!("127.0.0.1:{}", port.unwrap_or_default()), "127.0.0.1:1");
    let missing = cluster.folder().join("no-such-file");
    let cases = [
        (
            file(cluster, "unreachable", &unreachable)?,
            vec!["does not answer", "kubectl cluster-info", "--context"],
        ),
        (missing, vec!["no cluster to connect to", "no-such-file", "--kubeconfig"]),
        (
            file(cluster, "garbled", "users: [{user: {token: sesame, token: sesame}}]")?,
            vec!["no cluster to connect to", "no kubeconfig: see line 1", "--kubeconfig"],
        ),
    ];
    for (kubeconfig, texts) in cases {
        for command in ["status", "sync"] {
            let output = cluster.kubectl().kubeconfig(&kubeconfig).reload(&[command]).await?;
            assert_error(&output, &texts);
            ensure!(!output.stderr.contains("sesame"), "a credential in {output}");
        }
    }
    let output = cluster.kubectl().reload(&["status", "--context", "elsewhere"]).await?;
    assert_error(&output, &["elsewhere", "kubectl config view"]);
    let output = cluster.kubectl().reload(&["status", "--kubeconfig", "/no/such/file"]).await?;
    assert_error(&output, &["/no/such/file", "--kubeconfig"]);
    Ok(())
}

#[tokio::test]
async fn names_that_do_not_exist() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let reload = async |arguments: &[&str]| cluster.kubectl().reload(arguments).await;
    for command in ["status", "sync"] {
        let output = reload(&[command, "-n", "nowhere"]).await?;
        assert_error(&output, &["namespace \"nowhere\" does not exist", "kubectl get namespaces"]);
        let output = reload(&[command, "deployment/nothing", "-n", "default"]).await?;
        assert_error(&output, &["deployment/nothing does not exist", "kubectl get deployment -n default"]);
        let output = reload(&[command, "gadget/x"]).await?;
        assert_error(&output, &["\"gadget\" is no kind of workload", "deployment/web"]);
        let output = reload(&[command, "-A", "-n", "default"]).await?;
        assert_error(&output, &["cannot be used with"]);
    }
    let output = reload(&["status", "-l", "a in (b", "-n", "default"]).await?;
    assert_error(&output, &["list pods", "unable to parse requirement"]);
    // kubectl takes the last of a flag that is given twice.
    let empty = reload(&["status", "-n", "nowhere", "-n", "default"]).await?.success()?;
    assert_eq!(empty.stdout, "No pods found in namespace default.\n");
    Ok(())
}

#[tokio::test]
async fn flags_that_do_not_go_together() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let arguments = ["sync", "-A", "--strategy", "evict", "--wait=false"];
    let output = cluster.kubectl().reload(&arguments).await?;
    assert_error(&output, &["--wait=false", "one after the other"]);
    Ok(())
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_and_the_rest_is_answered() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "rights", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("a", "1")]), secret("login", &[("p", "1")])]).await?;
        ns.deploy([
            Workload::deployment("open").env_from(Source::config_map("settings")),
            Workload::deployment("closed").env_from(Source::secret("login")),
        ])
        .await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;

        let nobody = ns.reload(&["status", "--as", "nobody"]).await?;
        assert_error(
            &nobody,
            &["may not list pods in namespace rights", "kubectl auth can-i list pods -n rights"],
        );

        let rules =
            json!([{"apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["get", "list"]}]);
        grant(&ns, "reader", rules).await?;
        let status = ns.reload(&["status", "--as", "reader"]).await?.success()?;
        ensure!(status.stderr.contains("may not list secrets in namespace rights"), "{status}");
        ensure!(status.stdout.contains("configmap/settings"), "{status}");
        let closed = status.stdout.lines().find(|line| line.contains("may not list secrets"));
        ensure!(closed.is_some_and(|line| line.contains("Unknown")), "{status}");

        // Lists alone settle what did not move, and tell what more is wanted for the rest.
        let rules = json!([{"apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["list"]}]);
        grant(&ns, "lister", rules).await?;
        let status = ns.reload(&["status", "--as", "lister", "--exit-code"]).await?;
        ensure!(status.code == 2, "nothing is known to be current: {status}");
        let open = status.stdout.lines().find(|line| line.contains("configmap/settings"));
        ensure!(open.is_some_and(|line| line.contains("may not get configmaps/settings")), "{status}");

        let rules = json!([
            {"apiGroups": [""], "resources": ["pods", "configmaps", "secrets"], "verbs": ["get", "list"]},
            {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list"]},
        ]);
        grant(&ns, "watcher", rules).await?;
        let sync = ns.reload(&["sync", "--as", "watcher"]).await?;
        ensure!(sync.code == 1, "{sync}");
        ensure!(sync.stdout.contains("may not patch deployments/open in namespace rights"), "{sync}");
        ensure!(sync.stdout.contains("kubectl auth can-i patch deployments.apps/open -n rights"), "{sync}");

        // Without the hash key a Secret that changed is judged by times, and one that did not is
        // settled all the same.
        assert_eq!(ns.status().await?.verdict("deployment/closed")?, "Current recorded");
        ns.kubectl().run(&["patch", "secret", "login", "-p", "{\"stringData\":{\"p\":\"2\"}}"]).await?;
        let status = ns.reload(&["status", "--as", "watcher"]).await?.success()?;
        ensure!(status.stderr.contains("want of the hash key"), "{status}");
        ensure!(status.stderr.contains("may not get secrets/kubectl-reload-hash-key"), "{status}");
        ensure!(status.stdout.contains("Possibly, judged by times"), "{status}");
        let closed = ["status", "deployment/closed", "--exit-code"];
        let untold = ns.reload(&[&closed[..], &["--as", "watcher"]].concat()).await?;
        ensure!(untold.code == 2, "nobody could compare it: {untold}");
        let drifted = ns.reload(&closed).await?;
        ensure!(drifted.code == 1, "{drifted}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_broken_record_makes_a_pod_unrecorded_and_is_never_shown() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "broken", async |ns| {
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        let records = ["not JSON \u{1b}[2J", "{\"v\":99}", "{\"v\":1}", ""];
        let names = ["text", "later", "short", "empty"];
        ns.deploy(records.into_iter().zip(names).map(|(record, name)| {
            Workload::deployment(name).env_from(Source::config_map("settings")).annotation(RECORD, record)
        }))
        .await?;
        let shown = ns.reload(&["status", "--all"]).await?.success()?;
        ensure!(!shown.stdout.contains('\u{1b}') && !shown.stderr.contains('\u{1b}'), "{shown}");
        ensure!(shown.stderr.contains("its record is broken"), "{shown}");
        ensure!(shown.stderr.contains("its record has format 99"), "{shown}");
        let status = ns.status().await?;
        ensure!(status.drifted().is_empty(), "{status:?}");
        for name in names {
            let verdict = status.verdict(&format!("deployment/{name}"))?;
            ensure!(verdict.ends_with("inferred"), "{name}: {verdict}");
        }
        Ok(())
    })
    .await
}

/// Gives a user rights in the namespace.
async fn grant(ns: &reload_tests::Namespace<'_>, user: &str, rules: serde_json::Value) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    ns.apply([
        json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": user}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": user},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}]}),
    ])
    .await
}
