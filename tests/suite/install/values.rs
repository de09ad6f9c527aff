//! `--set` means what it means to Helm.

use anyhow::{Context, Result, ensure};
use reload_tests::binaries::Binaries;
use reload_tests::{Helm, Output};
use serde_json::Value;

/// The manifests that `install` would apply, without a cluster.
async fn printed(arguments: &[&str]) -> Result<Output> {
    let plugin = tokio::task::spawn_blocking(Binaries::locate).await??.plugin()?;
    let arguments = [&["install", "--dry-run=client"], arguments].concat();
    let run = tokio::process::Command::new(plugin)
        .args(&arguments)
        .env("KUBECONFIG", "/nonexistent")
        .output()
        .await?;
    Ok(Output {
        command: format!("kubectl-reload {}", arguments.join(" ")),
        code: run.status.code().unwrap_or(-1),
        stdout: String::from_utf8(run.stdout)?,
        stderr: String::from_utf8(run.stderr)?,
    })
}

/// As `deploy/manifests.sh` takes Helm's labels off, in one order.
fn comparable(mut manifests: Vec<Value>) -> Vec<Value> {
    for manifest in &mut manifests {
        if let Some(labels) = manifest["metadata"]["labels"].as_object_mut() {
            labels.remove("app.kubernetes.io/managed-by");
            labels.remove("helm.sh/chart");
        }
    }
    manifests.sort_by_key(|manifest| format!("{} {}", manifest["kind"], manifest["metadata"]["name"]));
    manifests
}

#[tokio::test]
async fn each_value_gives_what_helm_gives_in_any_namespace() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    let digest = format!("image.digest=sha256:{}", "0a".repeat(32));
    let sets: [&[&str]; 22] = [
        &[],
        &["image.repository=registry.example.com:5000/webhook"],
        &["image.tag=v0.2.0-rc.1"],
        &[&digest, "image.repository=mirror/webhook", "image.tag=ignored"],
        &["image.pullPolicy=Always"],
        &["imagePullSecrets[0].name=registry"],
        &["replicas=5"],
        &["secrets=false"],
        &["secretKeyNames=false"],
        &["webhook.failurePolicy=Fail"],
        &["webhook.timeoutSeconds=10"],
        &["webhook.deadline=900ms"],
        &["webhook.timeoutSeconds=1", "webhook.deadline=500ms"],
        &["port=10250"],
        &["hostNetwork=true"],
        &["flowControl.enabled=false"],
        &["priorityClassName=system-cluster-critical"],
        &["podSecurityContext.runAsUser=null"],
        &["podSecurityContext.runAsGroup=null", "podSecurityContext.runAsUser=1000"],
        &["log.format=plain"],
        &["log.level=warn"],
        &["secrets=false", "hostNetwork=true", "port=9443", "replicas=1", "log.level=error"],
    ];
    let mut seen = Vec::new();
    for (values, namespace) in sets.iter().zip(["kubectl-reload", "tools"].into_iter().cycle()) {
        seen.extend(values.iter().filter_map(|value| value.split('=').next()));
        let ours = [&["-o", "json", "-n", namespace], &sets_of(values)[..]].concat();
        let ours = printed(&ours).await?.success()?.json()?;
        let ours = ours["items"].as_array().context("no list")?.clone();
        let theirs = helm.manifests(namespace, &[&["createNamespace=true"], *values].concat()).await?;
        assert_eq!(comparable(ours), comparable(theirs), "{values:?} in {namespace}");
    }
    let help = printed(&["--set", "x=y"]).await?;
    let known = help.stderr.split("but: ").nth(1).and_then(|rest| rest.split(". The").next());
    for name in known.with_context(|| format!("{help}"))?.split(", ") {
        ensure!(seen.contains(&name.trim()), "{name} is not compared");
    }
    Ok(())
}

fn sets_of<'a>(values: &[&'a str]) -> Vec<&'a str> {
    values.iter().flat_map(|value| ["--set", *value]).collect()
}

#[tokio::test]
async fn what_is_printed_needs_no_cluster_and_is_yaml_as_well() -> Result<()> {
    let json = printed(&["-o", "json"]).await?.success()?.json()?;
    let yaml = printed(&["-o", "yaml"]).await?.success()?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml.stdout)?;
    assert_eq!(Some(&documents), json["items"].as_array());
    Ok(())
}

#[tokio::test]
async fn wrong_values_are_refused_with_what_to_write() -> Result<()> {
    for (arguments, expected) in [
        (&["--set", "replica=3"] as &[&str], "replica cannot be set here, but: image.repository"),
        (&["--set", "replicas=many"], "replicas has to be a whole number from 1 to 20"),
        (&["--set", "port"], "write NAME=VALUE"),
        (
            &["-o", "yaml", "--set", "webhook.timeoutSeconds=1"],
            "is not shorter than webhook.timeoutSeconds, 1 s",
        ),
        (&["-o", "yaml", "--set", "hostNetwork=true,port=10250"], "10250 is the kubelet's"),
        (&["-o", "yaml", "-n", "kube-system"], "name another namespace by --namespace"),
        (&["-n", "Tools"], "no namespace has such a name"),
    ] {
        let output = printed(arguments).await?;
        ensure!(output.code == 2 && output.stderr.contains(expected), "{expected:?} is not in {output}");
    }
    Ok(())
}
