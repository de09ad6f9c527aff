//! Annotations that leave objects out or say how they use their configuration.

use anyhow::{Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Source, Workload, with_namespace};

#[tokio::test]
async fn options_are_obeyed_and_a_wrong_one_is_named() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "options", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply(["settings", "quiet"].map(|name| config_map(name, &[("a", "1")]))).await?;
        let uses = |name| Workload::deployment(name).env_from(Source::config_map("settings"));
        let files = |name| Workload::deployment(name).directory("/d", Source::config_map("settings"));
        ns.deploy([
            uses("plain"),
            uses("ignored").annotation("kubectl-reload.dev/ignore", "true"),
            uses("excludes").annotation("kubectl-reload.dev/exclude", "configmap/settings"),
            files("rereads").annotation("kubectl-reload.dev/live", "reread"),
            uses("wrong").annotation("kubectl-reload.dev/live", "sometimes"),
            uses("misspelt").annotation("kubectl-reload.dev/ingore", "true"),
            Workload::deployment("by-api").annotation("kubectl-reload.dev/extra", "configmap/settings"),
            uses("ignored-above"),
            files("rereads-above"),
            uses("wrong-above"),
            Workload::deployment("of-quiet").env_from(Source::config_map("quiet")),
        ])
        .await?;
        ns.kubectl().run(&["annotate", "configmap", "quiet", "kubectl-reload.dev/ignore=true"]).await?;
        for (workload, annotation) in [
            ("ignored-above", "kubectl-reload.dev/ignore=true"),
            ("rereads-above", "kubectl-reload.dev/live=reread"),
            ("wrong-above", "kubectl-reload.dev/exclude=settings"),
        ] {
            ns.kubectl().run(&["annotate", "deployment", workload, annotation]).await?;
        }
        for name in ["settings", "quiet"] {
            ns.kubectl().run(&["patch", "configmap", name, "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        }
        let status = ns.status().await?;
        assert_eq!(status.drifted(), ["deployment/by-api", "deployment/plain"]);
        for (workload, verdict) in [
            ("ignored", "Ignored recorded"),
            ("excludes", "Current recorded"),
            ("rereads", "Current recorded"),
            ("wrong", "Unknown inferred"),
            ("misspelt", "Unknown inferred"),
            ("ignored-above", "Ignored recorded"),
            ("rereads-above", "Current recorded"),
            ("wrong-above", "Unknown inferred"),
            ("of-quiet", "Current recorded"),
        ] {
            assert_eq!(status.verdict(&format!("deployment/{workload}"))?, verdict, "{workload}");
        }
        let shown = ns.reload(&["status"]).await?.success()?;
        for text in [
            "\"sometimes\" is neither reread nor restart",
            "kubectl-reload.dev/ingore of pod/misspelt-",
            "kubectl-reload.dev/exclude of deployment/wrong-above in namespace options: \"settings\" names no source",
        ] {
            ensure!(shown.stdout.contains(text), "{text} is not in {shown}");
        }

        let of_all = ["annotate", "namespace", "options", "kubectl-reload.dev/exclude=configmap/settings"];
        cluster.kubectl().run(&of_all).await?;
        assert_eq!(ns.status().await?.drifted(), ["deployment/by-api"; 0]);
        ns.kubectl()
            .run(&["annotate", "configmap", "quiet", "kubectl-reload.dev/ignore=perhaps", "--overwrite"])
            .await?;
        let shown = ns.reload(&["status", "deployment/of-quiet"]).await?.success()?;
        ensure!(shown.stdout.contains("\"perhaps\" is neither true nor false"), "{shown}");
        Ok(())
    })
    .await
}
