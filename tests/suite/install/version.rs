//! Upgrades from another version.

use anyhow::{Result, ensure};
use reload_tests::helm::{RELEASE, documents};
use reload_tests::{Cluster, eventually};
use serde_json::{Value, json};

use super::{LIMIT, Server, cluster, remove};

const WIDE: (u16, u16) = (60, 160);

/// The rendering from before, as version 0.0.9 of this command would have installed it.
async fn install_previous(cluster: &Cluster, set: &str) -> Result<()> {
    let mut manifests = documents(include_str!("../chart/previous.yaml"))?;
    for manifest in &mut manifests {
        manifest["metadata"]["labels"]["app.kubernetes.io/version"] = json!("0.0.9");
        if manifest["kind"] == "Deployment" {
            manifest["metadata"]["annotations"] = json!({"install.kubectl-reload.dev/set": set});
        }
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string();
    let apply = ["apply", "--server-side", "--field-manager=reload-install", "-f", "-"];
    cluster.kubectl().output_with_input(&apply, &list).await?.success().map(drop)
}

async fn deployment(cluster: &Cluster) -> Result<Value> {
    cluster.kubectl().json(&["deployment", RELEASE, "-n", RELEASE]).await
}

/// The hash key's Secret as it was made, whose content no message may hold.
async fn hash_key(cluster: &Cluster) -> Result<Value> {
    eventually("there is a hash key", LIMIT, async || {
        let secret = cluster.kubectl().json(&["secret", "kubectl-reload-hash-key", "-n", RELEASE]).await?;
        Ok(json!([secret["metadata"]["uid"], secret["data"]]))
    })
    .await
}

#[tokio::test]
async fn from_an_older_version_a_person_is_asked_and_the_hash_key_stays() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    install_previous(cluster, "log.level=debug,replicas=1").await?;
    let server = Server::start(cluster, RELEASE).await?;
    let before = hash_key(cluster).await?;
    let upgrade = ["reload", "upgrade", "--timeout=60s"];
    let Some(mut terminal) = cluster.kubectl().on_terminal(&upgrade, WIDE)? else { return Ok(()) };
    terminal.shows("Upgrade from version 0.0.9 to 0.1.0 in namespace kubectl-reload? [y/N]").await?;
    terminal.press("y\r")?;
    terminal.shows("came back with a record").await?;
    assert_eq!(terminal.code().await?, 0, "{}", terminal.screen());
    let deployment = deployment(cluster).await?;
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/version"], "0.1.0");
    assert_eq!(deployment["spec"]["replicas"], 1);
    ensure!(hash_key(cluster).await? == before, "there is another hash key");
    drop(server);
    remove(cluster, &[]).await.map(drop)
}

#[tokio::test]
async fn an_image_that_was_set_for_another_version_is_not_kept_in_silence() -> Result<()> {
    let (cluster, _one) = cluster().await?;
    install_previous(cluster, "image.tag=v0.0.9-ours,replicas=1").await?;
    let server = Server::start(cluster, RELEASE).await?;
    let kubectl = cluster.kubectl();
    for command in ["install", "upgrade"] {
        let refused = kubectl.reload(&[command, "--yes", "--timeout=60s"]).await?;
        ensure!(refused.code == 2 && refused.stdout.is_empty(), "{refused}");
        for text in ["image.tag=v0.0.9-ours was set for version 0.0.9", "--set image.tag=", "--reset-values"]
        {
            ensure!(refused.stderr.contains(text), "{text:?} is not in {refused}");
        }
    }
    assert_eq!(deployment(cluster).await?["metadata"]["generation"], 1);
    let anew = ["upgrade", "--yes", "--timeout=60s", "--set", "image.tag=v0.1.0-ours"];
    kubectl.reload(&anew).await?.success()?;
    let image = deployment(cluster).await?["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    ensure!(image.as_str().is_some_and(|image| image.ends_with(":v0.1.0-ours")), "{image}");
    // It is of this version now, and stays.
    kubectl.reload(&["upgrade", "--yes", "--timeout=60s"]).await?.success()?;
    drop(server);
    remove(cluster, &[]).await.map(drop)
}
