//! What is waited for: pods that are ready, and a record that proves that they record.

use anyhow::{Result, ensure};
use http::Method;
use reload_tests::helm::RELEASE;
use reload_tests::{Cluster, FaultProxy, eventually, with_namespace};
use serde_json::{Value, json};

use super::{LIMIT, REGISTRATION, Server, bundle, cluster, install, remove, versions};

#[tokio::test]
async fn a_webhook_that_is_not_ready_is_not_registered_and_one_from_before_goes_on() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let kubectl = cluster.kubectl();
    // Pods with it are refused.
    let broken = ["--yes", "--timeout=15s", "--set", "priorityClassName=absent"];
    let output = kubectl.reload(&[&["install"], &broken[..]].concat()).await?;
    ensure!(output.code == 1, "{output}");
    for text in [
        "the webhook is not ready: 0 of 2 pods up to date and available",
        "no PriorityClass with name absent was found",
        "It is not registered",
        "kubectl reload doctor",
    ] {
        ensure!(output.stderr.contains(text), "{text:?} is not in {output}");
    }
    let registered = kubectl.output(&[&["get"], &REGISTRATION[..]].concat()).await?;
    ensure!(registered.stderr.contains("NotFound"), "{registered}");

    // It goes on from there.
    let (_, _server) = install(cluster, &["--set", "priorityClassName="]).await?;
    let registered = versions(cluster).await?.remove("MutatingWebhookConfiguration zz-kubectl-reload");
    let broken = [&["upgrade"], &broken[..], &["--set", "webhook.timeoutSeconds=3"]].concat();
    let output = kubectl.reload(&broken).await?;
    ensure!(
        output.code == 1 && output.stderr.contains("pods from before go on with the rights that they had"),
        "{output}"
    );
    assert_eq!(versions(cluster).await?.remove("MutatingWebhookConfiguration zz-kubectl-reload"), registered);
    let available = ["deployment", RELEASE, "-n", RELEASE];
    assert_eq!(kubectl.json(&available).await?["status"]["availableReplicas"], 2);
    remove(cluster, &[]).await.map(drop)
}

/// What pods of the webhook may do with sources.
async fn sources(cluster: &Cluster) -> Result<Value> {
    let role = cluster.kubectl().json(&["clusterrole", "kubectl-reload-sources"]).await?;
    Ok(role["rules"][0]["resources"].clone())
}

#[tokio::test]
async fn pods_from_before_keep_their_rights_until_new_ones_are_ready() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let (_, _server) = install(cluster, &[]).await?;
    let kubectl = cluster.kubectl();
    let narrower = ["upgrade", "--yes", "--timeout=3s", "--set", "secrets=false,priorityClassName=absent"];
    let output = kubectl.reload(&narrower).await?;
    ensure!(output.code == 1, "{output}");
    ensure!(output.stderr.contains("pods from before go on with the rights that they had"), "{output}");
    assert_eq!(sources(cluster).await?, json!(["configmaps", "secrets"]));
    ensure!(!output.stdout.contains("kubectl-reload-sources"), "{output}");

    let mended = ["upgrade", "--yes", "--timeout=60s", "--set", "priorityClassName="];
    let output = kubectl.reload(&mended).await?.success()?;
    assert_eq!(sources(cluster).await?, json!(["configmaps"]));
    let line = |text: &str| output.stdout.lines().position(|line| line.contains(text));
    let (deployment, role) = (line("deployment.apps/kubectl-reload "), line("kubectl-reload-sources "));
    ensure!(deployment.is_some() && deployment < role, "{output}");

    // What takes nothing away is there before the pods that need it.
    let wider = ["upgrade", "--yes", "--timeout=60s", "--set", "secrets=true"];
    let output = kubectl.reload(&wider).await?.success()?;
    assert_eq!(sources(cluster).await?, json!(["configmaps", "secrets"]));
    let line = |text: &str| output.stdout.lines().position(|line| line.contains(text));
    let (deployment, role) = (line("deployment.apps/kubectl-reload "), line("kubectl-reload-sources "));
    ensure!(role.is_some() && role < deployment, "{output}");
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn a_rollout_that_was_stuck_before_is_waited_for_anew() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let kubectl = cluster.kubectl();
    let values = ["--yes", "--set", "priorityClassName=late"];
    let output = kubectl.reload(&[&["install", "--timeout=1s"], &values[..]].concat()).await?;
    ensure!(output.code == 1, "{output}");
    let deployment = ["deployment", RELEASE, "-n", RELEASE];
    let soon = ["--type=merge", "-p", "{\"spec\":{\"progressDeadlineSeconds\":1}}"];
    kubectl.run(&[&["patch"], &deployment[..], &soon].concat()).await?;
    eventually("the rollout is stuck", LIMIT, async || {
        let found = kubectl.json(&deployment).await?["status"]["conditions"].to_string();
        ensure!(found.contains("ProgressDeadlineExceeded"), "{found}");
        Ok(())
    })
    .await?;
    let stuck = kubectl.reload(&[&["install", "--timeout=1s"], &values[..]].concat()).await?;
    ensure!(stuck.code == 1 && stuck.stderr.contains("rollout stuck"), "{stuck}");

    let proxy = FaultProxy::start(cluster).await?;
    let again = kubectl.clone().kubeconfig(&proxy.kubeconfig());
    let metadata = json!({"name": "late"});
    let class = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata, "value": 1});
    let make = async {
        let path = "/apis/apps/v1/namespaces/kubectl-reload/deployments/kubectl-reload";
        eventually("it is waited for", LIMIT, async || {
            ensure!(proxy.times(&Method::GET, path).len() > 3, "{:?}", proxy.seen());
            Ok(())
        })
        .await?;
        kubectl.apply(&[class]).await
    };
    let install = [&["install", "--timeout=60s"], &values[..]].concat();
    let (output, server, made) = tokio::join!(again.reload(&install), Server::start(cluster, RELEASE), make);
    made?;
    let (output, server) = (output?.success()?, server?);
    ensure!(output.stderr.contains("rollout stuck"), "{output}");
    kubectl.run(&["delete", "priorityclass", "late"]).await?;
    drop(server);
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn a_webhook_that_records_nothing_is_told_and_left_as_it_is() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    // Its pods are ready, as fake ones are, and nobody answers.
    let output = cluster.kubectl().reload(&["install", "--yes", "--timeout=15s"]).await?;
    ensure!(output.code == 1, "{output}");
    for text in ["has not set the registration's caBundle", "Nothing was taken back", "kubectl reload doctor"]
    {
        ensure!(output.stderr.contains(text), "{text:?} is not in {output}");
    }
    ensure!(bundle(cluster).await?.is_empty());
    let output = cluster.kubectl().reload(&["upgrade", "--wait=false", "--yes"]).await?.success()?;
    ensure!(output.stdout.contains("it was not waited for"), "{output}");
    remove(cluster, &[]).await.map(drop)
}

/// A webhook that may read nothing answers with records all the same, of sources that are unread.
#[tokio::test]
async fn a_record_of_what_could_not_be_read_is_no_proof() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let kubectl = cluster.kubectl();
    kubectl.run(&["create", "namespace", RELEASE]).await?;
    let account = format!("--serviceaccount={RELEASE}:blind");
    kubectl.run(&["create", "serviceaccount", "blind", "-n", RELEASE]).await?;
    // All that the webhook may do but for sources.
    let role = format!("--role={RELEASE}");
    kubectl.run(&["create", "rolebinding", "blind", "-n", RELEASE, &role, &account]).await?;
    let role = format!("--clusterrole={RELEASE}-registration");
    kubectl.run(&["create", "clusterrolebinding", "blind", &role, &account]).await?;
    let (output, server) = tokio::join!(
        kubectl.reload(&["install", "--yes", "--timeout=20s"]),
        Server::start_as(cluster, RELEASE, Some("blind"))
    );
    let (output, server) = (output?, server?);
    ensure!(output.code == 1 && !output.stdout.contains("came back with a record"), "{output}");
    for text in [
        "the webhook could not read configmap/kubectl-reload-proof (it may not get it",
        "kubectl auth can-i get configmaps --as system:serviceaccount:kubectl-reload:kubectl-reload -n default",
        "Nothing was taken back",
    ] {
        ensure!(output.stderr.contains(text), "{text:?} is not in {output}");
    }
    drop(server);
    kubectl.run(&["delete", "clusterrolebinding", "blind"]).await?;
    remove(cluster, &[]).await?;
    kubectl.run(&["delete", "namespace", RELEASE]).await.map(drop)
}

/// One that may make no Secret finds its certificates, and no hash key.
#[tokio::test]
async fn without_a_hash_key_nothing_is_proven_where_secrets_are_recorded() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let kubectl = cluster.kubectl();
    let (_, server) = install(cluster, &[]).await?;
    drop(server);
    let (inside, account) = (["-n", RELEASE], format!("--serviceaccount={RELEASE}:keyless"));
    let certificates =
        ["--verb=get,update", "--resource=secrets", "--resource-name=kubectl-reload-certificates"];
    kubectl.run(&[&["create", "serviceaccount", "keyless"], &inside[..]].concat()).await?;
    kubectl.run(&[&["create", "role", "keyless"], &certificates[..], &inside].concat()).await?;
    let bind = ["create", "rolebinding", "keyless", "--role=keyless", &account];
    kubectl.run(&[&bind[..], &inside].concat()).await?;
    for role in ["registration", "sources"] {
        let (name, role) = (format!("keyless-{role}"), format!("--clusterrole={RELEASE}-{role}"));
        kubectl.run(&["create", "clusterrolebinding", &name, &role, &account]).await?;
    }
    kubectl.run(&[&["delete", "secret", "kubectl-reload-hash-key"], &inside[..]].concat()).await?;
    let server = Server::start_as(cluster, RELEASE, Some("keyless")).await?;
    let output = kubectl.reload(&["install", "--yes", "--timeout=20s"]).await?;
    ensure!(output.code == 1 && !output.stdout.contains("came back with a record"), "{output}");
    let text = "there is no Secret kubectl-reload-hash-key in namespace kubectl-reload";
    ensure!(output.stderr.contains(text), "{output}");
    // Where none are recorded, none is needed.
    kubectl.reload(&["install", "--yes", "--timeout=60s", "--set", "secrets=false"]).await?.success()?;
    drop(server);
    kubectl.run(&["delete", "clusterrolebinding", "keyless-registration", "keyless-sources"]).await?;
    remove(cluster, &[]).await?;
    kubectl.run(&["delete", "namespace", RELEASE]).await.map(drop)
}

#[tokio::test]
async fn the_proof_keeps_to_what_namespaces_ask_for_and_finds_one_that_takes_pods() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let kubectl = cluster.kubectl();
    let restrict = ["label", "namespace", "default", "pod-security.kubernetes.io/enforce=restricted"];
    kubectl.run(&restrict).await?;
    let quota = |hard: Value| json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "proof"}, "spec": {"hard": hard}});
    let asks =
        json!({"limits.cpu": "1", "limits.memory": "1Gi", "requests.cpu": "1", "requests.memory": "1Gi"});
    kubectl.apply(&[quota(asks)]).await?;
    let (output, server) = install(cluster, &[]).await?;
    ensure!(output.stdout.contains("one tried in namespace default came back"), "{output}");
    with_namespace(cluster, "open", async |_| {
        kubectl.apply(&[quota(json!({"pods": "0"}))]).await?;
        let again = async || {
            let output = kubectl.reload(&["install", "--yes", "--timeout=60s"]).await?.success()?;
            ensure!(output.stdout.contains("one tried in namespace "), "{output}");
            ensure!(!output.stdout.contains("in namespace default came back"), "{output}");
            Ok(())
        };
        eventually("the quota is in force", LIMIT, again).await
    })
    .await?;
    kubectl.run(&["delete", "resourcequota", "proof"]).await?;
    kubectl.run(&["label", "namespace", "default", "pod-security.kubernetes.io/enforce-"]).await?;
    drop(server);
    remove(cluster, &[]).await.map(drop)
}
