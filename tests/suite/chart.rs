//! The chart: what it refuses, what it gives, and that a cluster takes it.

#[path = "chart/cluster.rs"]
mod cluster;
#[path = "chart/monitoring.rs"]
mod monitoring;
#[path = "chart/oldest.rs"]
mod oldest;
#[path = "chart/refusals.rs"]
mod refusals;
#[path = "chart/values.rs"]
mod values;

use anyhow::{Context, Result, ensure};
use reload_tests::Helm;
use reload_tests::helm::{
    RELEASE, chart, documents, install_yaml, installed_manifests, kustomized, made, of_kind,
};
use serde_json::{Value, json};

use values::{argument, files};

#[tokio::test]
async fn it_passes_the_strict_lint_however_it_is_set() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    let chart = chart().display().to_string();
    let lint = ["lint", "--strict", "--quiet", &chart, "-n", RELEASE];
    let simple = ["secrets=false", "namespaces={a,b}", "createNamespace=true", "replicas=2"];
    let simple = simple.map(|values| format!("--set={values}"));
    for values in files()?.iter().map(|file| argument(file)).chain(simple) {
        let output = helm.output(&[&lint[..], &[&values]].concat()).await?.success()?;
        ensure!(!output.stdout.contains("WARNING"), "{output}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_made_from_it_in_the_checkout_is_what_it_gives() -> Result<()> {
    ensure!(
        made("install.yaml").await? == install_yaml(),
        "deploy/install.yaml is old: run `make manifests`"
    );
    let readme = std::fs::read_to_string(chart().join("README.md"))?;
    ensure!(made("README.md").await? == readme, "deploy/chart/README.md is old: run `make manifests`");
    let undocumented: Vec<_> = readme.lines().filter(|line| line.ends_with("|  |")).collect();
    ensure!(undocumented.is_empty(), "{undocumented:#?}");
    Ok(())
}

#[tokio::test]
async fn kustomize_gives_the_same_objects() -> Result<()> {
    let (mut kustomized, mut manifests) = (documents(&kustomized().await?)?, installed_manifests()?);
    for list in [&mut kustomized, &mut manifests] {
        list.sort_by_key(|manifest| format!("{} {}", manifest["kind"], manifest["metadata"]["name"]));
    }
    ensure!(kustomized == manifests, "kustomize changes objects");
    Ok(())
}

/// To YAML a bare 123 is a number.
#[tokio::test]
async fn a_name_of_digits_is_a_name() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    let sets = ["--set-string=fullnameOverride=456", "--set-string=priorityClassName=789"];
    for file in files()? {
        let chart = chart().display().to_string();
        let render = ["template", "321", &chart, "-n", "123", &argument(&file), "--set=createNamespace=true"];
        let text = helm.output(&[&render[..], &sets].concat()).await?.success()?.stdout;
        for manifest in documents(&text)? {
            no_name_is_a_number(&manifest).with_context(|| format!("{file:?}: {manifest}"))?;
        }
    }
    Ok(())
}

fn no_name_is_a_number(value: &Value) -> Result<()> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(field, value)| {
            let names =
                ["name", "namespace", "secretName", "priorityClassName", "app.kubernetes.io/instance"];
            ensure!(!names.contains(&field.as_str()) || !value.is_number(), "{field} is {value}");
            no_name_is_a_number(value)
        }),
        Value::Array(items) => items.iter().try_for_each(no_name_is_a_number),
        _ => Ok(()),
    }
}

/// GitOps tools render it again and again, and compare.
#[tokio::test]
async fn rendered_twice_it_gives_the_same_bytes_and_looks_at_no_cluster() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    for file in files()? {
        let render = ["template", &argument(&file)];
        let (one, other) =
            (helm.release(&render, RELEASE, &[]).await?, helm.release(&render, RELEASE, &[]).await?);
        ensure!(one == other, "{file:?}");
    }
    let changing =
        ["lookup", "now", "genCA", "genSelfSignedCert", "genSignedCert", "genPrivateKey", "uuidv4"];
    let templates = walk(&chart().join("templates"))?;
    ensure!(templates.len() > 20, "{} templates", templates.len());
    for (path, text) in templates {
        let actions = text.split("{{").skip(1).filter_map(|action| action.split("}}").next());
        for word in actions.flat_map(|action| action.split(|c: char| !c.is_alphanumeric())) {
            ensure!(!changing.contains(&word) && !word.starts_with("rand"), "{path}: {word}");
        }
        let objects = text.lines().filter(|line| line.starts_with("kind: ")).count();
        ensure!(objects <= 1, "{path} holds {objects} objects");
    }
    Ok(())
}

#[tokio::test]
async fn it_is_for_kubernetes_1_33_and_newer() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    let chart = chart().display().to_string();
    for (version, fits) in [("1.32.9", false), ("1.33.0", true), ("1.33.1-gke.100", true), ("1.36.3", true)] {
        let output = helm.output(&["template", RELEASE, &chart, "--kube-version", version]).await?;
        assert_eq!(output.code == 0, fits, "{version}: {output}");
    }
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

/// The path and the text of each file.
fn walk(folder: &std::path::Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(walk(&path)?),
            false => found.push((path.display().to_string(), std::fs::read_to_string(&path)?)),
        }
    }
    Ok(found)
}
