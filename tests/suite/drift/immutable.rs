//! Immutable sources that were deleted and made again: a node may go on serving the old content by
//! name, so that no pod which uses the name is certainly current.

use anyhow::{Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Source, Workload, eventually, with_namespace};
use serde_json::{Value, json};

use super::WHILE;

#[tokio::test]
async fn an_immutable_source_made_again_is_in_doubt_even_after_a_restart() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "immutable", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([fixed("settings-1", "1"), fixed("other", "1")]).await?;
        ns.deploy([uses("shop", "settings-1"), uses("renamed", "settings-1"), uses("steady", "other")])
            .await?;
        // As kustomize does it: a new name for a new content, which nothing has used before.
        eventually("the new source is younger than the old revision", WHILE, async || {
            ns.kubectl().run(&["delete", "configmap", "settings-2", "--ignore-not-found"]).await?;
            ns.apply([fixed("settings-2", "2")]).await?;
            let born = async |what: &str| -> Result<String> {
                let arguments = ["get", what, "-o", "jsonpath={.items[*]['metadata.creationTimestamp']}"];
                ns.kubectl().run(&[&arguments[..], &["-l", "app=renamed"]].concat()).await
            };
            let source = ns.kubectl().json(&["configmap", "settings-2"]).await?;
            let source = source["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
            ensure!(source > born("replicasets").await?, "in the same second");
            Ok(())
        })
        .await?;
        ns.deploy([uses("renamed", "settings-2")]).await?;

        ns.kubectl().run(&["delete", "configmap", "settings-1"]).await?;
        ns.apply([fixed("settings-1", "2")]).await?;
        assert_eq!(ns.status().await?.verdict("deployment/shop")?, "Unknown inferred");
        ns.kubectl().run(&["rollout", "restart", "deployment/shop"]).await?;
        ns.rolled_out("deployment/shop").await?;
        let status = ns.status().await?;
        assert_eq!(
            status.verdict("deployment/shop")?,
            "Unknown inferred",
            "the node may serve the old content"
        );
        assert_eq!(status.verdict("deployment/renamed")?, "Current recorded");
        assert_eq!(status.verdict("deployment/steady")?, "Current recorded");
        let sync = ns.reload(&["sync"]).await?.success()?;
        ensure!(sync.stdout.contains("1 unknown"), "{sync}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_that_nobody_asked_about_keeps_the_old_content_alive_recorded_or_not() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "bystander", async |ns| {
        ns.apply([fixed("settings", "1")]).await?;
        // Before the webhook was installed.
        ns.deploy([uses("old", "settings")]).await?;
        let _webhook = ns.webhook().await?;
        ns.kubectl().run(&["delete", "configmap", "settings"]).await?;
        ns.apply([fixed("settings", "2")]).await?;
        ns.deploy([uses("fresh", "settings")]).await?;

        let status = ns.status().await?;
        assert_eq!(status.verdict("deployment/old")?, "Unknown inferred");
        assert_eq!(status.verdict("deployment/fresh")?, "Unknown inferred");
        for scope in [&["-l", "app=fresh"][..], &["deployment/fresh"]] {
            let output = ns.reload(&[&["status", "-o", "json"], scope].concat()).await?.success()?;
            let document: Value = serde_json::from_str(&output.stdout)?;
            let found = &document["workloads"];
            ensure!(found[0]["name"] == "fresh" && found[0]["verdict"] == "Unknown", "{scope:?}: {found}");
            ensure!(found.as_array().is_some_and(|all| all.len() == 1), "{scope:?}: {found}");
        }
        Ok(())
    })
    .await
}

fn fixed(name: &str, value: &str) -> Value {
    let mut map = config_map(name, &[("a", value)]);
    map["immutable"] = json!(true);
    map
}

fn uses(name: &'static str, source: &'static str) -> Workload {
    Workload::deployment(name).env_from(Source::config_map(source))
}
