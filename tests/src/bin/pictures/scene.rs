//! What happens before the pictures, and when each is taken: the story of the demo, on terminals.

use anyhow::{Context, Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::shop::{NAMESPACE, sources, workloads};
use reload_tests::terminal::Row;
use reload_tests::{Cluster, Metrics, Namespace, Source, Terminal, Webhook, WebhookOptions, Workload};
use serde_json::json;

use crate::{Picture, dashboard, screen};

/// Rows and columns of the terminal.
const SIZE: (u16, u16) = (60, 124);

/// One that has no records: its pods were made before the webhook was installed.
const EARLIER: &str = "tools";

/// Plays it and takes the pictures; none where there is no terminal.
pub(crate) async fn play(cluster: &Cluster) -> Result<Option<Vec<Picture>>> {
    let earlier = Namespace::create(cluster, EARLIER).await?;
    earlier.apply([config_map("agent-settings", &[("INTERVAL", "30s")])]).await?;
    earlier.deploy([Workload::daemon_set("agent").env_from(Source::config_map("agent-settings"))]).await?;
    let shop = Namespace::create(cluster, NAMESPACE).await?;
    // As patient as in the suites, beside which this may run.
    let options = WebhookOptions {
        flags: vec!["--deadline=4s".to_owned()],
        timeout_seconds: Some(5),
        ..WebhookOptions::installed(&[NAMESPACE])
    };
    let mut webhook = Webhook::start(cluster, options).await?;
    shop.apply(sources()).await?;
    shop.deploy(workloads()).await?;

    let wanted = config_map("web-flags", &[("NEW_CART", "on"), ("DARK_MODE", "off")]);
    std::fs::write(cluster.folder().join("web-flags.json"), wanted.to_string())?;
    let shot = Shot { cluster };
    let Some(plan) = shot.of("plan", "kubectl reload plan -f web-flags.json -n shop").await? else {
        return Ok(None);
    };

    // What changes while the webhook is down is found all the same.
    webhook.kill().await;
    shop.apply([wanted]).await?;
    for (kind, name, patch) in [
        ("configmap", "web-settings", json!({"data": {"LOG_LEVEL": "debug"}})),
        ("secret", "db-login", json!({"stringData": {"password": "rotated"}})),
    ] {
        shop.kubectl().run(&["patch", kind, name, "-p", &patch.to_string()]).await?;
    }
    shop.kubectl().run(&["delete", "secret", "payment-key"]).await?;
    let patch = json!({"data": {"INTERVAL": "10s"}}).to_string();
    earlier.kubectl().run(&["patch", "configmap", "agent-settings", "-p", &patch]).await?;
    webhook.restart().await?;

    let mut pictures = vec![plan];
    for (name, command) in
        [("status", "kubectl reload status -A"), ("explain", "kubectl reload explain statefulset/db -n shop")]
    {
        pictures.extend(shot.of(name, command).await?);
    }
    let exported = cluster.kubectl().reload(&["status", "-A", "-o", "openmetrics"]).await?.success()?.stdout;
    pictures.extend(sync(&shop, &shot).await?);
    // As it is installed.
    let patch = json!([{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 2}]).to_string();
    let registration = ["patch", "mutatingwebhookconfiguration", &webhook.options().registration];
    cluster.kubectl().run(&[&registration[..], &["--type=json", "-p", &patch]].concat()).await?;
    pictures.extend(shot.of("doctor", "kubectl reload doctor -n shop").await?);
    let metrics = Metrics::new(webhook.metrics().await?.to_string() + &exported);
    pictures.push(dashboard::picture(&metrics)?);
    Ok(Some(pictures))
}

/// A restart while it goes on, and when it has ended.
async fn sync(shop: &Namespace<'_>, shot: &Shot<'_>) -> Result<Vec<Picture>> {
    // The one has a pod that is ready after the other for some seconds; the other has none until it may.
    ready_after(shop, "deployment/web", 3).await?;
    ready_after(shop, "statefulset/db", 300).await?;
    let command = "kubectl reload sync -n shop --yes --max-parallel 2";
    let mut terminal = shot.start(command)?.context("the terminal is gone")?;
    let underway = terminal.rows_with(&["not restarted", "] 1/3", "] 0/2"]).await?;
    ready_after(shop, "statefulset/db", 0).await?;
    let ended = terminal.last_rows().await?;
    ensure!(terminal.screen().contains("2 restarted; 1 refused."), "{}", terminal.screen());
    Ok(vec![picture("sync", command, &underway), picture("synced", command, &ended)])
}

/// How many seconds its pods are up before they count.
async fn ready_after(shop: &Namespace<'_>, workload: &str, seconds: u32) -> Result<()> {
    let patch = json!({"spec": {"minReadySeconds": seconds}}).to_string();
    shop.kubectl().run(&["patch", workload, "-p", &patch]).await.map(drop)
}

/// Commands on terminals of their own.
struct Shot<'a> {
    cluster: &'a Cluster,
}

impl Shot<'_> {
    fn start(&self, command: &str) -> Result<Option<Terminal>> {
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        self.cluster.binaries().plugin()?;
        self.cluster.kubectl().on_terminal(&arguments, SIZE)
    }

    /// What a command shows when it has ended.
    async fn of(&self, name: &'static str, command: &str) -> Result<Option<Picture>> {
        let Some(mut terminal) = self.start(command)? else { return Ok(None) };
        let rows = terminal.last_rows().await?;
        // 1 is an answer: something is amiss.
        ensure!(matches!(terminal.code().await?, 0 | 1), "{command}\n{}", terminal.screen());
        Ok(Some(picture(name, command, &rows)))
    }
}

fn picture(name: &'static str, command: &str, rows: &[Row]) -> Picture {
    Picture { name, svg: screen::draw(command, rows) }
}
