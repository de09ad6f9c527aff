//! What the documentation tells people to type does what it says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Namespace, Source, Workload, with_namespace};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pages() -> Result<Vec<(String, String)>> {
    let docs = std::fs::read_dir(root().join("docs"))?;
    let mut paths = docs.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.push(root().join("README.md"));
    paths.sort();
    let page = |path: PathBuf| {
        let text = std::fs::read_to_string(&path)?;
        Ok((path.file_name().context("no name")?.to_string_lossy().into_owned(), text))
    };
    paths.into_iter().map(page).collect()
}

/// The plugin's commands of a page, each as its arguments; those that take a file or a pipe have suites
/// of their own.
fn commands(page: &str) -> Vec<Vec<&str>> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("$ kubectl reload "));
    let commands = lines.map(|line| line.split("  #").next().unwrap_or(line).trim());
    commands
        .filter(|command| !command.contains(['|', '>', '<']) && !command.contains(" -f "))
        .map(|command| command.split_whitespace().collect())
        .collect()
}

/// A workload that uses a source, both of the names that the documentation gives them.
async fn shop(ns: &Namespace<'_>) -> Result<()> {
    ns.apply([config_map("web-settings", &[("LOG_LEVEL", "info")])]).await?;
    ns.deploy([Workload::deployment("web").env_from(Source::config_map("web-settings"))]).await
}

#[tokio::test]
async fn each_command_of_the_plugin_is_understood() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "docs-commands", async |ns| {
        shop(&ns).await?;
        let mut count = 0;
        for (name, page) in pages()? {
            for command in commands(&page) {
                // It looks at this namespace by itself.
                let everywhere = |argument: &&&str| !matches!(**argument, "-n" | "shop" | "-A");
                let mut arguments: Vec<&str> = command.iter().filter(everywhere).copied().collect();
                // What they write has a suite of its own, `install`.
                let installs = matches!(arguments.first(), Some(&("install" | "upgrade" | "uninstall")));
                if installs && !arguments.iter().any(|argument| argument.starts_with("--dry-run")) {
                    arguments.push("--dry-run=client");
                }
                let output = ns.reload(&arguments).await?;
                let none = installs && output.stderr.contains("there is no installation in namespace");
                // 1 is an answer: something is drifted, or amiss.
                ensure!(none || matches!(output.code, 0 | 1), "{name}: kubectl reload {command:?}\n{output}");
                count += 1;
            }
        }
        ensure!(count > 15, "only {count} commands were found");
        Ok(())
    })
    .await
}

/// The manifests of a recipe, by its position among those that have some.
fn recipe(position: usize) -> Result<String> {
    let page = std::fs::read_to_string(root().join("docs/recipes.md"))?;
    let manifests = page.split("```yaml\n").nth(position + 1).and_then(|rest| rest.split("```").next());
    Ok(manifests.context("no manifests")?.to_owned())
}

#[tokio::test]
async fn the_nightly_job_has_the_rights_that_it_needs() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "docs-nightly", async |ns| {
        let _webhook = ns.webhook().await?;
        shop(&ns).await?;
        let manifests = recipe(0)?.replace("namespace: shop", &format!("namespace: {}", ns.name()));
        let strict = ["apply", "--validate=strict", "-f", "-"];
        ns.kubectl().output_with_input(&strict, &manifests).await?.success()?;
        ns.kubectl()
            .run(&["patch", "configmap", "web-settings", "-p", "{\"data\":{\"LOG_LEVEL\":\"debug\"}}"])
            .await?;
        let account = format!("--as=system:serviceaccount:{}:reload", ns.name());
        let synced = ns.reload(&["sync", "--yes", "--keep-going", &account]).await?.success()?;
        ensure!(synced.stdout.contains("deployment/web"), "{synced}");
        // But for the hash key and the annotations of nodes and namespaces, nothing was lacking.
        ensure!(!synced.stderr.contains("sync leaves no Event"), "{synced}");
        ensure!(ns.status().await?.drifted().is_empty(), "still drifted");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_job_that_exports_drift_has_the_rights_that_it_needs() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "docs-exported", async |ns| {
        let webhook = ns.webhook().await?;
        shop(&ns).await?;
        let manifests =
            recipe(1)?.replace("namespace: monitoring", &format!("namespace: {}", ns.name()));
        let strict = ["apply", "--validate=strict", "-f", "-"];
        ns.kubectl().output_with_input(&strict, &manifests).await?.success()?;
        ns.kubectl()
            .run(&["patch", "configmap", "web-settings", "-p", "{\"data\":{\"LOG_LEVEL\":\"debug\"}}"])
            .await?;
        let job = ns.kubectl().json(&["cronjob", "reload-status"]).await?;
        let command = job.pointer("/spec/jobTemplate/spec/template/spec/initContainers/0/command");
        let command = command.and_then(serde_json::Value::as_array).context("no command")?;
        // The file is where the pod has a volume.
        let arguments = command.iter().skip(1).filter_map(|argument| argument.as_str());
        let arguments = arguments.filter(|argument| !argument.starts_with("--output-file="));
        let account = format!("--as=system:serviceaccount:{}:reload-status", ns.name());
        let arguments: Vec<&str> = arguments.chain([account.as_str()]).collect();
        let kubectl = cluster.kubectl().env("KUBECTL_RELOAD_NAMESPACE", &webhook.options().install_namespace);
        let exported = kubectl.reload(&arguments).await?.success()?;
        let drifted = "kubectl_reload_workloads{namespace=\"docs-exported\",verdict=\"Drifted\",certainty=\"recorded\"} 1\n";
        ensure!(exported.stdout.contains(drifted), "{exported}");
        ensure!(!exported.stderr.contains("may not"), "{exported}");
        ns.kubectl().output_with_input(&["delete", "-f", "-"], &manifests).await?.success().map(drop)
    })
    .await
}

#[test]
fn links_between_pages_lead_somewhere() -> Result<()> {
    for (name, page) in pages()? {
        let folder = if name == "README.md" { root() } else { root().join("docs") };
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { folder.join(&name) } else { folder.join(path) };
            ensure!(target.exists(), "{name}: {link} leads nowhere");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&target)?;
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let found = headings.map(slug).any(|heading| heading == anchor);
                ensure!(found, "{name}: {link} names no heading");
            }
        }
    }
    Ok(())
}

/// As GitHub makes an anchor of a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
