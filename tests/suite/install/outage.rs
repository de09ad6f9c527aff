//! The API server goes away in the middle, or the person at the terminal has enough.

use anyhow::{Result, ensure};
use http::Method;
use reload_tests::helm::RELEASE;
use reload_tests::{Fault, FaultProxy, eventually, with_namespace};

use super::removal::{records, shop};
use super::{LIMIT, cluster, install, remove, without_pods};

const WIDE: (u16, u16) = (60, 160);

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/kubectl-reload/deployments/kubectl-reload";

#[tokio::test]
async fn an_api_server_that_goes_away_is_told_and_the_same_command_goes_on() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let proxy = FaultProxy::start(cluster).await?;
    let away = cluster.kubectl().kubeconfig(&proxy.kubeconfig());
    proxy.fail_from(Method::PATCH, DEPLOYMENT, Fault::Cut);
    let output = away.reload(&["install", "--yes", "--timeout=60s"]).await?;
    ensure!(output.code == 2, "{output}");
    ensure!(output.stdout.starts_with("namespace/kubectl-reload created\n"), "{output}");
    ensure!(!output.stdout.contains("deployment.apps"), "{output}");
    for text in ["does not answer", "What was written before stays; run the same command again to go on"] {
        ensure!(output.stderr.contains(text), "{text:?} is not in {output}");
    }
    proxy.mend()?;
    let (output, server) = install(cluster, &[]).await?;
    ensure!(output.stdout.starts_with("deployment.apps/kubectl-reload created\n"), "{output}");
    drop(server);

    proxy.fail_from(Method::DELETE, DEPLOYMENT, Fault::Cut);
    let output = away.reload(&["uninstall", "--yes", "--timeout=60s"]).await?;
    ensure!(output.code == 1, "{output}");
    let lines: Vec<&str> = output.stdout.lines().collect();
    let expected = [
        "mutatingwebhookconfiguration.admissionregistration.k8s.io/zz-kubectl-reload deleted",
        "Not all is gone: mend that, and run the same command again.",
    ];
    assert_eq!(lines, expected, "{output}");
    // Nobody is asked for the rest who does not answer.
    assert_eq!(output.stderr.matches("does not answer").count(), 1, "{output}");
    proxy.mend()?;
    let output = remove(cluster, &[]).await?;
    ensure!(
        output.stdout.ends_with("namespace/kubectl-reload deleted\nThe webhook is uninstalled.\n"),
        "{output}"
    );
    Ok(())
}

#[tokio::test]
async fn ctrl_c_ends_an_uninstallation_where_it_waits_and_tells_nothing_to_be_gone_that_is_there()
-> Result<()> {
    let (cluster, _one) = cluster().await?;
    let kubectl = cluster.kubectl();
    let (_, server) = install(cluster, &[]).await?;
    let hold = |finalizers: &str| format!("{{\"metadata\":{{\"finalizers\":{finalizers}}}}}");
    let patch = ["patch", "deployment", RELEASE, "-n", RELEASE, "--type=merge", "-p"];
    kubectl.run(&[&patch[..], &[&hold("[\"example.com/held\"]")]].concat()).await?;
    let Some(mut terminal) = kubectl.on_terminal(&["reload", "uninstall", "--yes"], WIDE)? else {
        return Ok(());
    };
    eventually("its pods are waited for", LIMIT, async || {
        let deployment = kubectl.json(&["deployment", RELEASE, "-n", RELEASE]).await?;
        ensure!(deployment["metadata"]["deletionTimestamp"].is_string());
        Ok(())
    })
    .await?;
    terminal.press("\u{3}")?;
    terminal.shows("Not all is gone: run the same command again to go on.").await?;
    assert_eq!(terminal.code().await?, 130, "{}", terminal.screen());
    let raw = terminal.raw();
    ensure!(
        raw.contains("/zz-kubectl-reload deleted") && !raw.contains("apps/kubectl-reload deleted"),
        "{raw}"
    );
    kubectl.run(&[&patch[..], &[&hold("null")]].concat()).await?;
    drop(server);
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn ctrl_c_among_the_records_leaves_the_namespace_alone() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "hasty", async |ns| {
        let (_, server) = install(cluster, &[]).await?;
        shop(&ns).await?;
        drop(server);
        let proxy = FaultProxy::start(cluster).await?;
        proxy.fail_from(Method::PATCH, "/api/v1/namespaces/hasty/pods/", Fault::Slow(LIMIT));
        let kubectl = cluster.kubectl().kubeconfig(&proxy.kubeconfig());
        let uninstall = ["reload", "uninstall", "--purge", "--yes"];
        let Some(mut terminal) = kubectl.on_terminal(&uninstall, WIDE)? else { return Ok(()) };
        eventually("records are taken off", LIMIT, async || {
            ensure!(proxy.seen().iter().any(|seen| seen.path.starts_with("/api/v1/namespaces/hasty/pods/")));
            Ok(())
        })
        .await?;
        terminal.press("\u{3}")?;
        terminal.shows("Not all is gone: run the same command again to go on.").await?;
        assert_eq!(terminal.code().await?, 130, "{}", terminal.screen());
        let namespace = cluster.kubectl().json(&["namespace", RELEASE]).await?;
        ensure!(namespace["metadata"]["deletionTimestamp"].is_null(), "{namespace}");
        ensure!(!terminal.raw().contains("namespace/kubectl-reload deleted"), "{}", terminal.raw());
        drop(proxy);
        let output = remove(cluster, &["--purge"]).await?;
        ensure!(output.stdout.contains("namespace/kubectl-reload deleted"), "{output}");
        assert_eq!(records(cluster).await?, 0);
        without_pods(&ns).await
    })
    .await
}
