//! A sync on a terminal: a question, bars, Ctrl-C, another size.

use anyhow::{Context, Result, ensure};
use reload_tests::{Cluster, Namespace, Source, Workload, eventually, with_namespace};
use serde_json::json;

use super::{WHILE, drifted, ready_after};

const WIDE: (u16, u16) = (24, 120);

async fn two(ns: &Namespace<'_>) -> Result<()> {
    let source = Source::config_map("settings");
    drifted(ns, ["a", "b"].map(|name| Workload::deployment(name).replicas(2).env_from(source))).await
}

#[tokio::test]
async fn a_person_is_asked_sees_how_far_it_is_and_resizes_the_window() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "seen", async |ns| {
        let _webhook = ns.webhook().await?;
        two(&ns).await?;
        for name in ["a", "b"] {
            ready_after(&ns, name, 300).await?;
        }
        let Some(mut terminal) = ns.reload_on_terminal(&["sync", "--max-parallel", "2"], WIDE)? else {
            return Ok(());
        };
        terminal.shows("Restart these 2 workloads? [y/N]").await?;
        terminal.press("y\r")?;
        for name in ["a", "b"] {
            terminal.shows(&format!("deployment/{name} in seen  [")).await?;
        }
        terminal.shows("] 0/2").await?;
        terminal.shows("pods up to date and available").await?;
        terminal.resize(24, 60)?;
        ready_after(&ns, "a", 0).await?;
        terminal.shows("deployment/a in seen restarted (configmap/settings").await?;
        eventually("the other one's bar stands below that line, and fits", WHILE, async || {
            let screen = terminal.screen();
            let (line, bar) = (screen.find("a in seen restarted"), screen.find("b in seen  ["));
            ensure!(line.is_some() && line < bar, "{screen}");
            let bar = screen.lines().find(|line| line.contains("b in seen  [")).unwrap_or_default();
            ensure!(bar.chars().count() <= 60, "{screen}");
            Ok(())
        })
        .await?;
        terminal.resize(10, 100)?;
        ready_after(&ns, "b", 0).await?;
        terminal.shows("Of 2 workloads: 2 restarted.").await?;
        assert_eq!(terminal.code().await?, 0, "{}", terminal.screen());
        ensure!(!terminal.screen().contains("/2 "), "a bar is left over: {}", terminal.screen());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_person_who_says_no_or_presses_ctrl_c_at_the_question_restarts_nothing() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "refused", async |ns| {
        let _webhook = ns.webhook().await?;
        two(&ns).await?;
        let before = (ns.pod_uids("deployment/a").await?, ns.pod_uids("deployment/b").await?);
        for (keys, code) in [("\r", 2), ("n\r", 2), ("\u{3}", 130)] {
            let Some(mut terminal) = ns.reload_on_terminal(&["sync"], WIDE)? else { return Ok(()) };
            terminal.shows("[y/N]").await?;
            terminal.press(keys)?;
            assert_eq!(terminal.code().await?, code, "{keys:?}: {}", terminal.screen());
        }
        assert_eq!((ns.pod_uids("deployment/a").await?, ns.pod_uids("deployment/b").await?), before);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn ctrl_c_takes_the_bars_away_and_leaves_a_clear_account() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "pressed", async |ns| {
        let _webhook = ns.webhook().await?;
        two(&ns).await?;
        ready_after(&ns, "a", 300).await?;
        let Some(mut terminal) = ns.reload_on_terminal(&["sync", "--yes"], (24, 160))? else { return Ok(()) };
        terminal.shows("deployment/a in pressed  [").await?;
        terminal.press("\u{3}")?;
        assert_eq!(terminal.code().await?, 130, "{}", terminal.screen());
        for text in [
            "Interrupted: nothing more is begun.",
            "not waited for: its rollout goes on by itself",
            "deployment/b in pressed not begun",
            "Of 2 workloads: 1 restarted and not waited for; 1 not begun.",
            "To go on: kubectl reload sync --yes -n pressed",
        ] {
            terminal.shows(text).await?;
        }
        // The terminal's own ^C went below the bar, and left it as it was.
        let screen = terminal.screen();
        let (_, after) = screen.split_once("Interrupted").unwrap_or_default();
        ensure!(!after.contains("0/2"), "a bar is left over: {screen}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_watch_ends_at_ctrl_c_and_leaves_the_terminal_as_it_was() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "watching", async |ns| {
        let _webhook = ns.webhook().await?;
        two(&ns).await?;
        let Some(mut terminal) = ns.reload_on_terminal(&["status", "--watch"], WIDE)? else { return Ok(()) };
        terminal.shows("2 workloads: 2 on old configuration.").await?;
        terminal.press("\u{3}")?;
        assert_eq!(terminal.code().await?, 130, "{}", terminal.screen());
        // No other screen, no hidden cursor, no colour that goes on.
        let raw = terminal.raw();
        ensure!(!raw.contains("\u{1b}[?"), "{raw:?}");
        let colours = raw.matches("\u{1b}[31m").count();
        assert_eq!(raw.matches("\u{1b}[0m").count(), colours, "{raw:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn names_with_escape_sequences_do_not_act_on_a_terminal() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "escapes", async |ns| {
        let _webhook = ns.webhook().await?;
        // The API server takes any name for a volume's source, and any text for an annotation.
        let title = "\u{1b}]0;owned\u{7}";
        let volume = json!([{"name": "v", "configMap": {"name": format!("{title}red"), "optional": true}}]);
        let mount = json!([{"name": "v", "mountPath": "/v"}]);
        let shop = Workload::deployment("a")
            .env_from(Source::config_map("settings"))
            .annotation("kubectl-reload.dev/live", title)
            .with("/spec/template/spec", "volumes", volume)
            .with("/spec/template/spec/containers/0", "volumeMounts", mount);
        drifted(&ns, [shop, Workload::deployment("b").env_from(Source::config_map("settings"))]).await?;
        let views: [&[&str]; 6] = [
            &["status", "--all", "-o", "wide"],
            &["status", "--pods"],
            &["status", "--by", "source"],
            &["explain", "deployment/a"],
            &["used-by", "configmap/settings"],
            &["sync", "--inferred", "--yes", "--keep-going"],
        ];
        for arguments in views {
            let Some(mut terminal) = ns.reload_on_terminal(arguments, WIDE)? else { return Ok(()) };
            terminal.code().await?;
            terminal.shows("deployment/").await.context(arguments.join(" "))?;
            let raw = terminal.raw();
            ensure!(!raw.contains("\u{1b}]") && !raw.contains('\u{7}'), "{arguments:?}: {raw:?}");
        }
        Ok(())
    })
    .await
}
