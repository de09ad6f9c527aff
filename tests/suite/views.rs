//! How `kubectl reload status` shows its answer: forms, colours, orders, and again and again.

#[path = "views/metrics.rs"]
mod metrics;
#[path = "views/pods.rs"]
mod pods;

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Namespace, Source, Workload, with_namespace};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::time::timeout;

const WHILE: Duration = Duration::from_secs(60);

const KEY: &str = "A_NAME_THAT_TAKES_MORE_ROOM_THAN_A_TERMINAL_HAS";

/// `deployment/web` and `deployment/store` use ConfigMap `settings`.
async fn deploy(ns: &Namespace<'_>) -> Result<()> {
    ns.apply([config_map("settings", &[(KEY, "1")])]).await?;
    let uses = |name| Workload::deployment(name).env_from(Source::config_map("settings"));
    ns.deploy([uses("web"), uses("store")]).await
}

async fn change(ns: &Namespace<'_>, value: &str) -> Result<()> {
    ns.apply([config_map("settings", &[(KEY, value)])]).await
}

#[tokio::test]
async fn the_answer_has_many_forms() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "forms", async |ns| {
        let _webhook = ns.webhook().await?;
        deploy(&ns).await?;
        change(&ns, "2").await?;
        let json = ns.reload(&["status", "-o", "json"]).await?.success()?.json()?;
        let yaml = ns.reload(&["status", "-o", "yaml"]).await?.success()?;
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml.stdout)?, json);
        let wide = ns.reload(&["status", "-o", "wide", "--sort-by", "since"]).await?.success()?;
        ensure!(wide.stdout.contains("CERTAINTY") && wide.stdout.contains("recorded"), "{wide}");
        let by_source = ns.reload(&["status", "--by", "source"]).await?.success()?;
        let heading = by_source.stdout.lines().next().unwrap_or_default();
        ensure!(heading.starts_with("SOURCE"), "{by_source}");
        assert_eq!(by_source.stdout.matches("configmap/settings").count(), 1, "{by_source}");
        ensure!(by_source.stdout.contains("deployment/store"), "{by_source}");

        let plain = ns.reload(&["status"]).await?.success()?;
        ensure!(!plain.stdout.contains('\u{1b}'), "colours in a pipe: {plain}");
        let colored = ns.reload(&["status", "--color=always"]).await?.success()?;
        ensure!(colored.stdout.contains("\u{1b}[31mDrifted\u{1b}[0m"), "{colored}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_terminal_has_colours_and_a_width() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "terminal", async |ns| {
        let _webhook = ns.webhook().await?;
        deploy(&ns).await?;
        change(&ns, "2").await?;
        // util-linux' script runs a command on a pseudo-terminal.
        let on_terminal = async |command: &str| -> Result<Option<String>> {
            let mut script = ns.kubectl().program("script")?;
            script
                .args(["-qec", command, "/dev/null"])
                .env("TERM", "xterm")
                .env("NO_COLOR", "")
                .stdin(Stdio::null());
            let Ok(output) = tokio::process::Command::from(script).output().await else { return Ok(None) };
            Ok(Some(String::from_utf8(output.stdout)?))
        };
        let Some(shown) = on_terminal("stty rows 24 cols 200; kubectl reload status -n terminal").await?
        else {
            eprintln!("script is not installed: terminals are not tested");
            return Ok(());
        };
        ensure!(shown.contains("\u{1b}[31mDrifted\u{1b}[0m"), "{shown:?}");
        let narrow = on_terminal("stty rows 24 cols 80; kubectl reload status -n terminal").await?;
        let narrow = narrow.unwrap_or_default().replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        let table = narrow.lines().filter(|line| line.contains("deployment/"));
        ensure!(
            table.clone().count() == 2 && table.clone().all(|line| line.trim_end().chars().count() <= 80),
            "{narrow:?}"
        );
        ensure!(narrow.contains('…') && !shown.contains('…'), "{narrow:?} {shown:?}");
        let refused = on_terminal("NO_COLOR=1 kubectl reload status -n terminal").await?.unwrap_or_default();
        ensure!(refused.contains("Drifted") && !refused.contains('\u{1b}'), "{refused:?}");
        Ok(())
    })
    .await
}

/// Reads on until a line holds the text.
async fn until(lines: &mut Lines<BufReader<ChildStdout>>, text: &str) -> Result<()> {
    let read = async {
        loop {
            let line = lines.next_line().await?.with_context(|| format!("ended before {text:?}"))?;
            if line.contains(text) {
                return Ok(());
            }
        }
    };
    timeout(Duration::from_secs(60), read).await.with_context(|| format!("no line with {text:?}"))?
}

#[tokio::test]
async fn a_watch_tells_what_changes() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "watched", async |ns| {
        let _webhook = ns.webhook().await?;
        deploy(&ns).await?;
        let install = ns.webhook_options().install_namespace;
        let mut command = ns.kubectl().program(cluster.binaries().plugin()?)?;
        command.args(["status", "-n", "watched", "--watch", "--watch-interval", "1"]);
        command.args(["--install-namespace", &install]).stdout(Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        until(&mut lines, "2 workloads: 2 current").await?;
        change(&ns, "2").await?;
        until(&mut lines, "2 workloads: 2 on old configuration").await?;
        change(&ns, "1").await?;
        until(&mut lines, "2 workloads: 2 current").await?;
        // Nobody reads any more: it ends by itself as soon as there is something to tell.
        drop(lines);
        change(&ns, "3").await?;
        let status = timeout(Duration::from_secs(60), child.wait()).await.context("it does not end")??;
        ensure!(status.success(), "{status}");
        Ok(())
    })
    .await
}
