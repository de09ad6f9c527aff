//! `kubectl reload adopt` in clusters without the webhook: what it records is compared ever after, and
//! what is unclear is left alone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Method;
use kube::ResourceExt;
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::RECORD;
use reload_tests::{
    Cluster, Fault, FaultProxy, Namespace, Output, Source, Workload, eventually, with_namespace,
};
use serde_json::{Value, json};

const WHILE: Duration = Duration::from_secs(60);

/// The record of a Deployment's one pod.
async fn record(ns: &Namespace<'_>, deployment: &str) -> Result<Option<Value>> {
    let pods = ns.pods(&format!("deployment/{deployment}")).await?;
    let pod = pods.first().context("no pod")?;
    Ok(pod.annotations().get(RECORD).map(|text| serde_json::from_str(text)).transpose()?)
}

/// Deletes its pod until times tell that it started after the last write.
async fn started_well_after(ns: &Namespace<'_>, deployment: &str) -> Result<()> {
    eventually(format!("{deployment} is inferred to be current"), WHILE, async || {
        ns.kubectl().run(&["delete", "pod", "-l", &format!("app={deployment}")]).await?;
        ns.rolled_out(&format!("deployment/{deployment}")).await?;
        let verdict = ns.status().await?.verdict(&format!("deployment/{deployment}"))?;
        ensure!(verdict == "Current inferred", "{verdict}");
        Ok(())
    })
    .await
}

async fn change(ns: &Namespace<'_>, source: &str, patch: Value) -> Result<()> {
    ns.kubectl().run(&["patch", source, "--type=merge", "-p", &patch.to_string()]).await?;
    Ok(())
}

async fn adopt(ns: &Namespace<'_>, arguments: &[&str]) -> Result<Output> {
    ns.reload(&[&["adopt"], arguments].concat()).await?.success()
}

#[tokio::test]
async fn what_changes_after_a_pod_was_adopted_is_known_by_its_key() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "adopted", async |ns| {
        ns.apply([config_map("settings", &[("colour", "hidden-red"), ("size", "1")])]).await?;
        let source = Source::config_map("settings");
        ns.deploy([Workload::deployment("shop").env("C", source, "colour").env("S", source, "size")]).await?;
        started_well_after(&ns, "shop").await?;
        let before = ns.pod_uids("deployment/shop").await?;

        let dry = adopt(&ns, &["--dry-run", "-o", "json"]).await?.json()?;
        assert_eq!((&dry["kind"], &dry["dryRun"]), (&json!("Adopt"), &json!(true)));
        assert_eq!(dry["workloads"][0]["pods"][0]["outcome"], "adopted");
        let checked = adopt(&ns, &["--dry-run=server"]).await?;
        ensure!(checked.stdout.contains("1 would be adopted (server dry run)"), "{checked}");
        ensure!(record(&ns, "shop").await?.is_none(), "a dry run wrote");

        let adopted = adopt(&ns, &["deployment/shop"]).await?;
        ensure!(adopted.stdout.contains("deployment/shop in adopted: 1 pod adopted"), "{adopted}");
        let written = record(&ns, "shop").await?.context("no record")?;
        assert_eq!(written["by"], "adopt");
        ensure!(!written.to_string().contains("hidden"), "{written}");
        let pods = ns.pods("deployment/shop").await?;
        let managers = pods[0].managed_fields().iter().filter_map(|entry| entry.manager.as_deref());
        ensure!(managers.into_iter().any(|manager| manager == "reload-adopt"), "{:?}", pods[0].metadata);
        let pod = pods[0].name_any();
        assert_eq!(ns.status().await?.verdict("deployment/shop")?, "Current inferred");

        let again = adopt(&ns, &[]).await?;
        assert_eq!(again.stdout, "Of 1 pod: 0 adopted; 1 had a record already.\n", "{again}");
        assert_eq!(record(&ns, "shop").await?, Some(written), "written again");
        assert_eq!(adopt(&ns, &["-o", "name"]).await?.stdout, "");

        change(&ns, "configmap/settings", json!({"data": {"colour": "hidden-blue"}})).await?;
        let status = ns.status().await?;
        assert_eq!(status.verdict("deployment/shop")?, "Drifted recorded");
        assert_eq!(status.causes("deployment/shop")?, ["configmap/settings changed: ~colour"]);
        let shown = ns.reload(&["explain", &format!("pod/{pod}")]).await?.success()?;
        ensure!(shown.stdout.contains("recorded when it was adopted"), "{shown}");
        assert_eq!(ns.pod_uids("deployment/shop").await?, before, "restarted");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_that_changes_right_before_its_record_is_judged_again() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "touched", async |ns| {
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        ns.deploy([Workload::deployment("shop").env_from(Source::config_map("settings"))]).await?;
        started_well_after(&ns, "shop").await?;
        let name = ns.pods("deployment/shop").await?[0].name_any();
        let proxy = FaultProxy::start(cluster).await?;
        // Time to change the pod between the last look at it and the record.
        proxy.fail(Fault::Slow(Duration::from_millis(1500))).await;
        let kubectl = ns.kubectl().kubeconfig(&proxy.kubeconfig());
        let touch = async {
            let source = "/api/v1/namespaces/touched/configmaps/settings";
            eventually("its source is read", WHILE, async || {
                ensure!(!proxy.times(&Method::GET, source).is_empty(), "not yet");
                Ok(())
            })
            .await?;
            ns.kubectl().run(&["annotate", "pod", &name, "example.com/touched=yes"]).await?;
            proxy.mend()
        };
        let (adopted, touched) = tokio::join!(kubectl.reload(&["adopt"]), touch);
        touched?;
        let adopted = adopted?.success()?;
        ensure!(adopted.stdout.contains("deployment/shop in touched: 1 pod adopted"), "{adopted}");
        let pod = format!("/api/v1/namespaces/touched/pods/{name}");
        assert_eq!(proxy.times(&Method::PATCH, &pod).len(), 2, "the first meets another version");
        assert_eq!(record(&ns, "shop").await?.context("no record")?["by"], "adopt");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_unclear_is_left_alone_and_said_why() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unclear", async |ns| {
        ns.apply([config_map("old", &[("a", "1")]), config_map("settings", &[("a", "1")])]).await?;
        let uses = |name, source| Workload::deployment(name).env("A", Source::config_map(source), "a");
        ns.deploy([uses("clear", "old"), Workload::deployment("plain")]).await?;
        started_well_after(&ns, "clear").await?;
        change(&ns, "configmap/settings", json!({"data": {"a": "2"}})).await?;
        // Files may be behind for minutes, so that its evidence does not tell.
        let files = Workload::deployment("files").file("/etc/a", Source::config_map("settings"), "a");
        let left_out = uses("ignored", "old").annotation("kubectl-reload.dev/ignore", "true");
        ns.deploy([files, left_out]).await?;

        let needs_yes = ns.reload(&["adopt", "deployment/clear", "deployment/files"]).await?.success()?;
        ensure!(needs_yes.stdout.contains("files in unclear: 1 pod left alone"), "{needs_yes}");
        ensure!(needs_yes.stdout.contains("written about when it started"), "{needs_yes}");
        ensure!(record(&ns, "clear").await?.is_some());
        let rest = adopt(&ns, &["--yes"]).await?;
        ensure!(rest.stdout.contains("left out on request"), "{rest}");
        let summary = "Of 4 pods: 0 adopted; 2 left alone; 1 had a record already; 1 uses no source.";
        ensure!(rest.stdout.contains(summary), "{rest}");
        for name in ["files", "ignored", "plain"] {
            ensure!(record(&ns, name).await?.is_none(), "{name}");
        }

        // What drifted, possibly, is no base for anything.
        let wrong = ns.reload(&["adopt", "deployment/none"]).await?;
        ensure!(wrong.code == 2 && wrong.stderr.contains("does not exist"), "{wrong}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_may_not_write_is_told_which_right_is_missing() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unwritten", async |ns| {
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        let uses = |name| Workload::deployment(name).env("A", Source::config_map("settings"), "a");
        ns.deploy([uses("one"), uses("two")]).await?;
        started_well_after(&ns, "one").await?;
        started_well_after(&ns, "two").await?;
        let resources = "--resource=pods,configmaps,secrets,replicasets,deployments";
        ns.kubectl().run(&["create", "role", "reader", "--verb=get,list", resources]).await?;
        ns.kubectl().run(&["create", "rolebinding", "reader", "--role=reader", "--user=reader"]).await?;
        let failed = ns.reload(&["adopt", "deployment/one", "--as=reader"]).await?;
        let text = "1 pod failed: may not patch pods/one-";
        ensure!(failed.code == 1 && failed.stdout.contains(text), "{failed}");
        ensure!(failed.stdout.contains("kubectl auth can-i patch pods/one-"), "{failed}");
        // Of more than one workload, somebody has to be asked.
        let unasked = ns.reload(&["adopt"]).await?;
        ensure!(unasked.code == 2 && unasked.stderr.contains("2 pods of 2 workloads"), "{unasked}");
        ensure!(unasked.stderr.contains("pass --yes"), "{unasked}");
        for name in ["one", "two"] {
            ensure!(record(&ns, name).await?.is_none(), "{name}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn secrets_need_the_hash_key_and_several_workloads_a_yes() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "keyed", async |ns| {
        ns.apply([secret("login", &[("password", "hidden-a"), ("user", "hidden-b")])]).await?;
        let uses = |name| Workload::deployment(name).env("P", Source::secret("login"), "password");
        ns.deploy([uses("one"), uses("two")]).await?;
        started_well_after(&ns, "one").await?;
        started_well_after(&ns, "two").await?;

        let unkeyed = adopt(&ns, &["deployment/one"]).await?;
        ensure!(unkeyed.stderr.contains("without their content, for want of the hash key"), "{unkeyed}");
        let written = record(&ns, "one").await?.context("no record")?.to_string();
        ensure!(!written.contains("password") && !written.contains("hidden"), "{written}");
        assert_eq!(ns.status().await?.verdict("deployment/one")?, "Current inferred");

        // The installation brings the hash key, and records none of the pods that are there.
        let _webhook = ns.webhook().await?;
        ns.kubectl().run(&["scale", "deployment/one", "--replicas=0"]).await?;
        let keyed = adopt(&ns, &["deployment/two"]).await?;
        ensure!(keyed.stderr.is_empty(), "{keyed}");
        let written = record(&ns, "two").await?.context("no record")?.to_string();
        ensure!(written.contains("password") && !written.contains("hidden"), "{written}");
        ns.deploy([uses("later")]).await?;
        let later = record(&ns, "later").await?;
        ensure!(later.as_ref().is_some_and(|record| record["by"] == "admission"), "{later:?}");
        adopt(&ns, &["--yes"]).await?;
        assert_eq!(record(&ns, "later").await?, later, "the webhook's record was replaced");
        change(&ns, "secret/login", json!({"stringData": {"password": "hidden-c"}})).await?;
        let status = ns.status().await?;
        assert_eq!(status.causes("deployment/two")?, ["secret/login changed: ~password"]);
        assert_eq!(status.verdict("deployment/two")?, "Drifted recorded");
        Ok(())
    })
    .await
}
