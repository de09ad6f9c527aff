//! Sources and keys that are gone, or come late.

use anyhow::{Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Source, Workload, with_namespace};

use super::{change, records};

#[tokio::test]
async fn a_source_that_is_gone_is_missing_and_its_workload_is_not_restarted() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "missing", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("needed", &[("a", "1"), ("b", "1")]), config_map("other", &[("a", "1")])])
            .await?;
        ns.deploy([
            Workload::deployment("whole").env_from(Source::config_map("needed")),
            Workload::deployment("key").env("A", Source::config_map("needed"), "a"),
            Workload::deployment("fine").env_from(Source::config_map("other")),
        ])
        .await?;
        ns.kubectl().run(&["delete", "configmap", "needed"]).await?;
        change(&ns, "other", "a", "2").await?;

        let status = ns.status().await?;
        assert_eq!(status.drifted(), ["deployment/fine", "deployment/key", "deployment/whole"]);
        assert_eq!(
            status.causes("deployment/whole")?,
            ["configmap/needed missing: a restart would not start:"]
        );
        let (whole, key) = (ns.pod_uids("deployment/whole").await?, ns.pod_uids("deployment/key").await?);
        let sync = ns.reload(&["sync"]).await?;
        ensure!(sync.code == 1, "{sync}");
        ensure!(
            sync.stdout.contains("configmap/needed does not exist, so it would not start again"),
            "{sync}"
        );
        ensure!(sync.stdout.contains("deployment/fine in missing restarted"), "{sync}");
        assert_eq!(ns.pod_uids("deployment/whole").await?, whole);

        // A key that is gone is as bad as the whole, for the one that requires it.
        ns.apply([config_map("needed", &[("b", "1")])]).await?;
        let status = ns.status().await?;
        assert_eq!(status.causes("deployment/whole")?, ["configmap/needed changed: -a"]);
        let sync = ns.reload(&["sync", "deployment/key"]).await?;
        ensure!(sync.code == 1 && sync.stdout.contains("configmap/needed lacks a"), "{sync}");
        assert_eq!(ns.pod_uids("deployment/key").await?, key);

        ns.apply([config_map("needed", &[("a", "1"), ("b", "1")])]).await?;
        ensure!(ns.status().await?.drifted().is_empty(), "the same content is back");
        assert_eq!(ns.pod_uids("deployment/key").await?, key);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn sources_that_come_late_are_told_apart() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "late", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.deploy([
            Workload::deployment("optional").env_from(Source::config_map("extra").optional()),
            // A fake node starts the pod all the same; a real one would wait for the source.
            Workload::deployment("required").env_from(Source::config_map("base")),
        ])
        .await?;
        for name in ["optional", "required"] {
            ensure!(records(&ns, name).await?[0].contains("\"absent\":true"));
        }
        assert_eq!(ns.status().await?.verdict("deployment/optional")?, "Current recorded");

        ns.apply([config_map("extra", &[("a", "1")]), config_map("base", &[("a", "1")])]).await?;
        let status = ns.status().await?;
        assert_eq!(status.verdict("deployment/optional")?, "Drifted recorded");
        assert_eq!(status.causes("deployment/optional")?, ["configmap/extra appeared: +a"]);
        // A real container would have waited for it; this one ran before, so that it must have been
        // there in between: only times tell, and they are close.
        ensure!(status.verdict("deployment/required")?.ends_with("inferred"), "{status:?}");

        ns.kubectl().run(&["delete", "configmap", "extra"]).await?;
        assert_eq!(ns.status().await?.verdict("deployment/optional")?, "Current recorded");
        Ok(())
    })
    .await
}
