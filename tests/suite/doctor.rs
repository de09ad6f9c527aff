//! `kubectl reload doctor` on clusters in which something is wrong, and in which nothing is.

use std::time::Duration;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reload_tests::helm::{installed_manifests, of_kind};
use reload_tests::manifest::{config_map, secret};
use reload_tests::{
    Cluster, Namespace, Output, Source, Webhook, WebhookOptions, Workload, eventually, with_namespace,
};
use serde_json::{Value, json};

/// `certificate red`, of everything that is not green.
fn faults(output: &Output) -> Result<Vec<String>> {
    let document = output.json()?;
    assert_eq!(document["kind"], "Doctor");
    for finding in document["findings"].as_array().into_iter().flatten() {
        ensure!((finding["level"] == "green") == finding["remedy"].is_null(), "{finding}");
    }
    Ok(faults_of(&document))
}

fn faults_of(document: &Value) -> Vec<String> {
    let findings = document["findings"].as_array().into_iter().flatten();
    let faults = findings.filter(|finding| finding["level"] != "green");
    faults.map(|finding| format!("{} {}", finding["check"], finding["level"]).replace('"', "")).collect()
}

async fn doctor(ns: &Namespace<'_>, arguments: &[&str]) -> Result<Output> {
    let registration = ns.webhook_options().registration;
    ns.reload(&[&["doctor", "--registration", &registration], arguments].concat()).await
}

#[tokio::test]
async fn an_installation_is_checked_piece_by_piece() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "doctor", async |ns| {
        // As it is installed, and not as patient as in other suites.
        let options = WebhookOptions { timeout_seconds: None, flags: Vec::new(), ..ns.webhook_options() };
        let mut webhook = Webhook::start(cluster, options).await?;
        ns.apply([config_map("settings", &[("a", "1")]), secret("login", &[("p", "open-sesame")])]).await?;
        let web = Workload::deployment("web").env_from(Source::config_map("settings"));
        ns.deploy([web.env_from(Source::secret("login"))]).await?;
        ns.recorded("deployment/web").await?;

        let well = doctor(&ns, &[]).await?.success()?;
        for text in [
            "All is well",
            "fits the registration",
            "1 of 1 has a record",
            "names a URL",
            "came back with its record",
        ] {
            ensure!(well.stdout.contains(text), "{text:?} is not in {well}");
        }
        ensure!(!well.stdout.contains('\u{1b}'), "colours in a pipe: {well}");
        let colored = doctor(&ns, &["--color", "always"]).await?.success()?;
        ensure!(colored.stdout.contains("\u{1b}[32mok"), "{colored}");

        // Nobody mends what is broken from here on.
        webhook.stop().await?;
        let options = ns.webhook_options();
        let ca = ns.kubectl().json(&["configmap", "kube-root-ca.crt"]).await?;
        let ca = BASE64_STANDARD.encode(ca["data"]["ca.crt"].as_str().unwrap_or_default());
        let patch = json!([
            {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"},
            {"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ca},
        ]);
        let registration = format!("mutatingwebhookconfiguration/{}", options.registration);
        ns.kubectl().run(&["patch", &registration, "--type=json", "-p", &patch.to_string()]).await?;
        let install = options.install_namespace.as_str();
        let delete = ["delete", "secret", "kubectl-reload-hash-key", "-n", install];
        cluster.kubectl().run(&delete).await?;
        let ill = doctor(&ns, &["-o", "json", "-v=9"]).await?;
        assert_eq!(ill.code, 1, "{ill}");
        let expected = ["registration red", "admission yellow", "certificate red", "hash key yellow"];
        assert_eq!(faults(&ill)?, expected, "{ill}");
        ensure!(!ill.stdout.contains("PRIVATE KEY") && !ill.stderr.contains("PRIVATE KEY"), "a key is shown");

        let remove = json!([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]);
        ns.kubectl().run(&["patch", &registration, "--type=json", "-p", &remove.to_string()]).await?;
        let mended = doctor(&ns, &["-o", "yaml"]).await?;
        assert_eq!(mended.code, 1, "{mended}");
        let document: Value = serde_saphyr::from_str(&mended.stdout)?;
        assert_eq!(document["level"], "red");
        // The way that pods go is tried, not only looked at.
        ensure!(faults_of(&document).contains(&"admission red".to_owned()), "{mended}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_an_installation_that_alone_is_told() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "uninstalled", async |ns| {
        let output = doctor(&ns, &["-o", "json"]).await?.success()?;
        assert_eq!(faults(&output)?, ["installation yellow"]);
        let other = ns.reload(&["doctor", "--server", "https://127.0.0.1:1", "-o", "json"]).await?;
        assert_eq!(other.code, 1, "{other}");
        assert_eq!(faults(&other)?, ["server red"]);
        Ok(())
    })
    .await
}

/// As far as doctor asks.
async fn rollouts_are_served(ns: &Namespace<'_>) -> Result<()> {
    let names = json!({"plural": "rollouts", "singular": "rollout", "kind": "Rollout"});
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let version = json!({"name": "v1alpha1", "served": true, "storage": true, "schema": schema});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "rollouts.argoproj.io"},
        "spec": {"group": "argoproj.io", "names": names, "scope": "Namespaced", "versions": [version]},
    });
    ns.cluster().kubectl().apply(&[definition]).await?;
    eventually("Rollouts are served", Duration::from_secs(60), async || {
        ns.kubectl().run(&["get", "rollouts.argoproj.io"]).await
    })
    .await
    .map(drop)
}

#[tokio::test]
async fn each_right_that_is_missing_is_told_with_what_fails_without_it() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unentitled", async |ns| {
        rollouts_are_served(&ns).await?;
        let role = ["create", "role", "some", "--verb=get,list", "--resource=pods,configmaps,replicasets"];
        ns.kubectl().run(&role).await?;
        ns.kubectl().run(&["create", "rolebinding", "some", "--role=some", "--user=some"]).await?;
        let some = doctor(&ns, &["--as", "some"]).await?.success()?;
        for text in [
            "may not list secrets in namespace unentitled: drift by Secrets is not found out",
            "kubectl auth can-i patch deployments.apps -n unentitled",
            "may not create pods/eviction in namespace unentitled: sync --strategy evict replaces no pod",
            "kubectl auth can-i create pods --subresource=eviction -n unentitled",
            "may not patch rollouts in namespace unentitled: sync cannot restart Rollouts",
            "may not get secrets/kubectl-reload-hash-key in namespace kubectl-reload-unentitled",
        ] {
            ensure!(some.stdout.contains(text), "{text:?} is not in {some}");
        }
        ensure!(!some.stdout.contains("may not list pods"), "{some}");
        let nobody = doctor(&ns, &["--as", "nobody"]).await?;
        ensure!(nobody.code == 1 && nobody.stdout.contains("may not list pods"), "{nobody}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn replicas_behind_a_service_are_asked_through_the_api_server() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "served", async |ns| {
        let labels =
            json!({"app.kubernetes.io/name": "kubectl-reload", "app.kubernetes.io/version": "0.0.1"});
        let workload = Workload::deployment("webhook").replicas(2).with("/metadata", "labels", labels);
        ns.deploy([workload]).await?;
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "webhook"},
            "spec": {"ports": [{"port": 443}]},
        });
        let mut registration = of_kind(&installed_manifests()?, "MutatingWebhookConfiguration")?;
        registration["metadata"]["name"] = json!("zz-served");
        registration["webhooks"][0]["clientConfig"] =
            json!({"service": {"namespace": "served", "name": "webhook"}});
        registration["webhooks"][0]["objectSelector"] = json!({"matchLabels": {"no": "pod"}});
        ns.apply([service, registration]).await?;
        let asked = ["doctor", "--registration", "zz-served", "--install-namespace", "served", "-o", "json"];
        let output = ns.reload(&asked).await?;
        assert_eq!(output.code, 1, "{output}");
        let faults = faults(&output)?;
        for fault in ["registration red", "endpoint yellow", "certificate yellow", "hash key yellow"] {
            ensure!(faults.iter().any(|found| found == fault), "{fault} is not in {output}");
        }
        ensure!(output.stdout.contains("2 of 2 of deployment/webhook are ready"), "{output}");
        ensure!(output.stdout.contains("webhook v0.0.1"), "{output}");
        ns.kubectl().run(&["delete", "mutatingwebhookconfiguration", "zz-served"]).await?;
        Ok(())
    })
    .await
}
