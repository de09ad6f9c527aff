//! Alerts and dashboard: promtool has no objection, each alert fires when it should, and each metric that
//! they name is served.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use reload_tests::binaries::checker;
use reload_tests::helm::{chart, installed_manifests, of_kind};
use reload_tests::webhook::review;
use reload_tests::{Source, Workload, with_namespace};
use serde_json::{Value, json};

use crate::cluster::cluster;

/// What the API server calls the webhook in its own metrics.
const NAME: &str = "record.kubectl-reload.dev";

#[tokio::test]
async fn each_alert_fires_when_it_should_and_else_is_silent() -> Result<()> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/alerts.yaml");
    run_promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &alerts_file()).await?;
    run_promtool(&["test", "rules"], &tests).await?;
    let (alerts, tests) = (std::fs::read_to_string(alerts_file())?, std::fs::read_to_string(tests)?);
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        ensure!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is not tested");
    }
    Ok(())
}

#[tokio::test]
async fn prometheus_understands_the_dashboard() -> Result<()> {
    let rules: Vec<Value> = expressions()?
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            let expression = expression.replace("$__rate_interval", "5m").replace("$__range", "1h");
            json!({"record": format!("dashboard:{number}"), "expr": expression})
        })
        .collect();
    ensure!(rules.len() > 10, "{} expressions", rules.len());
    let file = std::env::temp_dir().join(format!("kubectl-reload-dashboard-{}.yaml", std::process::id()));
    std::fs::write(&file, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string())?;
    let checked = run_promtool(&["check", "rules"], &file).await;
    std::fs::remove_file(file)?;
    checked
}

#[tokio::test]
async fn each_metric_that_they_name_is_served() -> Result<()> {
    let registration = of_kind(&installed_manifests()?, "MutatingWebhookConfiguration")?;
    assert_eq!(registration["webhooks"][0]["name"], NAME);
    let named: BTreeSet<String> = [vec![std::fs::read_to_string(alerts_file())?], expressions()?]
        .concat()
        .iter()
        .flat_map(|text| metrics_in(text))
        .collect();
    ensure!(named.len() > 8, "{named:?}");

    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "metrics", async |ns| {
        let mut webhook = ns.webhook().await?;
        let shop = Workload::deployment("shop").env_from(Source::config_map("settings").optional());
        ns.deploy([shop]).await?;
        // What has not happened is not counted yet.
        webhook.caller().await?.review(&review("metrics", &json!({"spec": "none"}))).await?;
        let own = webhook.metrics().await?.to_string();
        webhook.kill().await;
        let alone = Workload::deployment("alone").env_from(Source::config_map("settings").optional());
        ns.deploy([alone]).await?;
        let status = ns.reload(&["status", "-o", "openmetrics"]).await?.success()?.stdout;
        let served = own + &cluster.metrics().await?.to_string() + &status;
        for metric in &named {
            let sample =
                |line: &str| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' ']));
            ensure!(served.lines().any(sample), "{metric} is served by none");
        }
        Ok(())
    })
    .await
}

fn alerts_file() -> PathBuf {
    chart().join("files/alerts.yaml")
}

/// The expressions of the dashboard, variables left in.
fn expressions() -> Result<Vec<String>> {
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(chart().join("files/dashboard.json"))?)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    Ok(targets.filter_map(|target| Some(target["expr"].as_str()?.to_owned())).collect())
}

/// The words that are metrics of ours or of the API server; those with colons are recorded by the
/// rules themselves.
fn metrics_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let ours = |word: &&str| word.starts_with("kubectl_reload_") || word.starts_with("apiserver_");
    words.filter(ours).map(str::to_owned).collect()
}

async fn run_promtool(arguments: &[&str], file: &Path) -> Result<()> {
    let mut command = Command::new(checker("promtool").await?);
    command.args(arguments).arg(file);
    let run = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = [run.stdout, run.stderr].concat();
    ensure!(run.status.success(), "{arguments:?} {}: {}", file.display(), String::from_utf8_lossy(&text));
    Ok(())
}
