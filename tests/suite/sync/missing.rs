//! What would not start again, for want of a source or of a key: it is told, and not restarted.

use anyhow::{Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Source, Workload, with_namespace};
use serde_json::json;

#[tokio::test]
async fn what_is_missing_is_told_whatever_else_has_drifted() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "hidden", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([
            config_map("there", &[("a", "1")]),
            config_map("files", &[("used", "1"), ("needed", "1")]),
        ])
        .await?;
        let items = json!([{"key": "used", "path": "used"}, {"key": "needed", "path": "needed"}]);
        let volume = json!([{"name": "v", "configMap": {"name": "files", "items": items}}]);
        let mount = json!([{"name": "v", "mountPath": "/used", "subPath": "used"}]);
        ns.deploy([
            // Of a source that was absent at admission, only times tell; a fake node starts it.
            Workload::deployment("awaits")
                .env("A", Source::config_map("there"), "a")
                .env_from(Source::config_map("absent")),
            // A key of the volume that no mount shows is required all the same.
            Workload::deployment("needs")
                .env("A", Source::config_map("there"), "a")
                .with("/spec/template/spec", "volumes", volume)
                .with("/spec/template/spec/containers/0", "volumeMounts", mount),
        ])
        .await?;
        ns.kubectl().run(&["patch", "configmap", "there", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        ns.apply([config_map("files", &[("used", "1")])]).await?;
        let before = (ns.pod_uids("deployment/awaits").await?, ns.pod_uids("deployment/needs").await?);
        let sync = ns.reload(&["sync", "--yes"]).await?;
        ensure!(sync.code == 1, "{sync}");
        for text in ["configmap/absent does not exist, so", "configmap/files lacks needed, so"] {
            ensure!(sync.stdout.contains(text), "{text} is not in {sync}");
        }
        let after = (ns.pod_uids("deployment/awaits").await?, ns.pod_uids("deployment/needs").await?);
        assert_eq!(before, after);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_that_was_removed_unrecorded_is_looked_for_before_anything_is_restarted() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "removed", async |ns| {
        // No webhook, hence no record.
        ns.apply([config_map("there", &[("x", "1")]), config_map("needed", &[("y", "1"), ("z", "1")])])
            .await?;
        ns.deploy([Workload::deployment("shop").env("X", Source::config_map("there"), "x").env(
            "Y",
            Source::config_map("needed"),
            "y",
        )])
        .await?;
        let patch = async |name: &str, data: &str| {
            ns.kubectl().run(&["patch", "configmap", name, "-p", &format!("{{\"data\":{data}}}")]).await
        };
        patch("there", "{\"x\":\"2\"}").await?;
        patch("needed", "{\"y\":null}").await?;
        assert_eq!(ns.status().await?.verdict("deployment/shop")?, "Drifted inferred");
        let before = ns.pod_uids("deployment/shop").await?;
        for arguments in [&["sync", "--inferred"] as &[&str], &["sync", "--inferred", "--strategy", "evict"]]
        {
            let sync = ns.reload(arguments).await?;
            ensure!(sync.code == 1 && sync.stdout.contains("configmap/needed lacks y, so"), "{sync}");
            assert_eq!(ns.pod_uids("deployment/shop").await?, before, "{arguments:?}");
        }
        Ok(())
    })
    .await
}
