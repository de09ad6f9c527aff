//! On a terminal a person is asked.

use anyhow::{Result, ensure};
use reload_tests::listing::{difference, listing};
use reload_tests::with_namespace;

use super::{Server, cluster};

const WIDE: (u16, u16) = (60, 160);

#[tokio::test]
async fn a_person_sees_what_is_to_be_written_and_is_asked() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "asked", async |ns| {
        let before = listing(cluster).await?;
        for (keys, code) in [("n\r", 2), ("\r", 2), ("\u{3}", 130)] {
            let Some(mut terminal) = ns.reload_on_terminal(&["install"], WIDE)? else { return Ok(()) };
            terminal.shows("deployment.apps/kubectl-reload to be created").await?;
            terminal.shows("Install version 0.1.0 in namespace asked? [y/N]").await?;
            terminal.press(keys)?;
            assert_eq!(terminal.code().await?, code, "{keys:?}: {}", terminal.screen());
        }
        let none = cluster.kubectl().reload(&["install", "-n", "asked"]).await?;
        ensure!(none.code == 2 && none.stderr.contains("no terminal can be asked: pass --yes"), "{none}");
        assert_eq!(difference(&before, &listing(cluster).await?), [""; 0]);

        let Some(mut terminal) = ns.reload_on_terminal(&["install", "--timeout=60s"], WIDE)? else {
            return Ok(());
        };
        terminal.shows("[y/N]").await?;
        terminal.press("y\r")?;
        let server = Server::start(cluster, "asked").await?;
        terminal.shows("came back with a record").await?;
        assert_eq!(terminal.code().await?, 0, "{}", terminal.screen());

        let upgrade = ["upgrade", "--set", "replicas=1", "--timeout=60s"];
        let Some(mut terminal) = ns.reload_on_terminal(&upgrade, WIDE)? else { return Ok(()) };
        terminal.shows("-  replicas: 2").await?;
        terminal.shows("Change the installation in namespace asked? [y/N]").await?;
        let raw = terminal.raw();
        ensure!(raw.contains("\u{1b}[32m") && raw.contains("\u{1b}[31m"), "no colours: {raw:?}");
        terminal.press("y\r")?;
        assert_eq!(terminal.code().await?, 0, "{}", terminal.screen());

        let Some(mut terminal) = ns.reload_on_terminal(&["uninstall"], WIDE)? else { return Ok(()) };
        terminal.shows("zz-kubectl-reload to be deleted").await?;
        terminal.shows("Uninstall from namespace asked? [y/N]").await?;
        terminal.press("y\r")?;
        terminal.shows("The webhook is uninstalled.").await?;
        assert_eq!(terminal.code().await?, 0, "{}", terminal.screen());
        drop(server);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn ctrl_c_ends_the_wait_and_says_how_to_go_on() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "pressed", async |ns| {
        let install = ["install", "--yes", "--set", "priorityClassName=absent"];
        let Some(mut terminal) = ns.reload_on_terminal(&install, WIDE)? else { return Ok(()) };
        terminal.shows("deployment/kubectl-reload in pressed").await?;
        terminal.press("\u{3}")?;
        terminal.shows("run the same command again to go on").await?;
        assert_eq!(terminal.code().await?, 130, "{}", terminal.screen());
        cluster.kubectl().reload(&["uninstall", "--yes", "-n", "pressed"]).await?.success().map(drop)
    })
    .await
}
