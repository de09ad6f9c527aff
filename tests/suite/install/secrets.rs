//! The webhook's own Secrets, which go with its account, unless nobody owns them.

use anyhow::{Result, ensure};
use reload_tests::helm::RELEASE;
use reload_tests::{Cluster, with_namespace};

use super::cluster::{grant, take_back};
use super::removal::{INSTALLED, remover};
use super::{cluster, install, remove};

const OURS: [&str; 2] = ["kubectl-reload-certificates", "kubectl-reload-hash-key"];

async fn exists(cluster: &Cluster, namespace: &str, name: &str) -> Result<bool> {
    let found = cluster.kubectl().output(&["get", "secret", name, "-n", namespace, "-o", "name"]).await?;
    Ok(found.code == 0)
}

#[tokio::test]
async fn a_hash_key_that_was_kept_goes_only_when_it_is_named() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    let kubectl = cluster.kubectl();
    let (_, server) = install(cluster, &[]).await?;
    drop(server);
    for _ in 0..2 {
        remove(cluster, &["--keep-hash-key"]).await?;
        ensure!(exists(cluster, RELEASE, "kubectl-reload-hash-key").await?);
    }
    let asked = kubectl.reload(&["uninstall"]).await?;
    ensure!(asked.code == 2, "{asked}");
    ensure!(asked.stderr.contains("secret/kubectl-reload-hash-key to be deleted"), "{asked}");
    for mode in ["--dry-run=client", "--dry-run=server"] {
        let tried = kubectl.reload(&["uninstall", mode]).await?.success()?;
        ensure!(tried.stdout.starts_with("secret/kubectl-reload-hash-key deleted ("), "{tried}");
        ensure!(tried.stdout.contains("namespace/kubectl-reload deleted ("), "{tried}");
    }
    ensure!(exists(cluster, RELEASE, "kubectl-reload-hash-key").await?);
    let gone = remove(cluster, &[]).await?;
    let lines: Vec<&str> = gone.stdout.lines().collect();
    let expected = [
        "secret/kubectl-reload-hash-key deleted",
        "namespace/kubectl-reload deleted",
        "The webhook is uninstalled.",
    ];
    assert_eq!(lines, expected);
    Ok(())
}

#[tokio::test]
async fn in_a_namespace_of_others_secrets_that_nobody_owns_go_by_name() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    with_namespace(cluster, "shared", async |ns| {
        let (_, server) = install(cluster, &["-n", ns.name()]).await?;
        // As copies have none that were put back.
        let nobody = ["--type=merge", "-p", "{\"metadata\":{\"ownerReferences\":null}}"];
        for name in OURS {
            ns.kubectl().run(&[&["patch", "secret", name], &nobody[..]].concat()).await?;
        }
        drop(server);
        // Who may not look at Secrets is told.
        let seen: Vec<&str> = INSTALLED.into_iter().filter(|resource| *resource != "secrets").collect();
        grant(cluster, "half", remover(&seen)).await?;
        let half = ["uninstall", "-n", ns.name(), "--dry-run=client", "--as", "half"];
        let output = cluster.kubectl().reload(&half).await?;
        ensure!(
            output.code == 1 && output.stderr.contains("Something may be left over: may not get secrets/"),
            "{output}"
        );
        take_back(cluster).await?;
        let output = remove(cluster, &["-n", ns.name()]).await?;
        for name in OURS {
            ensure!(output.stdout.contains(&format!("secret/{name} deleted\n")), "{output}");
            ensure!(!exists(cluster, ns.name(), name).await?, "{name} is left");
        }
        Ok(())
    })
    .await
}
