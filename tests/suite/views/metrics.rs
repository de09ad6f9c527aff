//! How much has drifted where, for Prometheus.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use reload_tests::binaries::checker;
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Metrics, Source, Workload, with_namespace};

use super::{change, deploy};

const WORKLOADS: &str = "kubectl_reload_workloads";

#[tokio::test]
async fn workloads_are_counted_by_namespace_verdict_and_certainty_for_prometheus() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "counted", async |ns| {
        let _webhook = ns.webhook().await?;
        deploy(&ns).await?;
        ns.apply([config_map("other", &[("a", "1")])]).await?;
        ns.deploy([Workload::deployment("well").env_from(Source::config_map("other"))]).await?;
        change(&ns, "2").await?;
        let before = jiff::Timestamp::now().as_second();
        // What is current counts, though a table would not show it.
        let text = ns.reload(&["status", "-o", "openmetrics"]).await?.success()?.stdout;
        check(&text).await?;
        ensure!(text.ends_with("# EOF\n"), "{text}");
        let metrics = Metrics::new(text);
        for (verdict, certainty, count) in [
            ("Drifted", "recorded", 2.0),
            ("Current", "recorded", 1.0),
            ("Drifted", "inferred", 0.0),
            ("Unknown", "inferred", 0.0),
        ] {
            let labels = [("namespace", "counted"), ("verdict", verdict), ("certainty", certainty)];
            assert_eq!(metrics.sum(WORKLOADS, &labels), count, "{labels:?} in {metrics}");
        }
        assert_eq!(metrics.sum(WORKLOADS, &[]), 3.0, "{metrics}");
        assert_eq!(metrics.series(WORKLOADS).count(), 9, "{metrics}");
        let looked_at = metrics.sum("kubectl_reload_status_timestamp_seconds", &[]) as i64;
        ensure!((before..=jiff::Timestamp::now().as_second()).contains(&looked_at), "{metrics}");

        let file = cluster.folder().join("counted.prom");
        let path = file.display().to_string();
        let arguments = ["status", "--pods", "-o", "openmetrics", "--output-file", &path, "--exit-code"];
        let output = ns.reload(&arguments).await?;
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output}");
        let text = std::fs::read_to_string(file)?;
        check(&text).await?;
        assert_eq!(Metrics::new(text).sum("kubectl_reload_pods", &[]), 3.0);

        let nowhere = ["status", "-o", "openmetrics", "--output-file", "/nonexistent/folder/x.prom"];
        let output = ns.reload(&nowhere).await?;
        ensure!(output.code > 1 && output.stderr.contains("cannot write /nonexistent"), "{output}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn prometheus_reads_any_name_of_a_namespace() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin/src/status/view/snapshots");
    for name in ["openmetrics", "pods-openmetrics", "openmetrics-of-nothing"] {
        let file = folder.join(format!("kubectl_reload__status__view__tests__{name}.snap"));
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        // Below what insta says of itself.
        let text = text.splitn(3, "---\n").nth(2).context("no golden output")?;
        check(text).await?;
    }
    Ok(())
}

/// promtool reads it, and has no objection to it.
async fn check(text: &str) -> Result<()> {
    let promtool = checker("promtool").await?;
    let mut command = Command::new(promtool);
    command.args(["check", "metrics", "--lint=all"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let text = text.to_owned();
    let output = tokio::task::spawn_blocking(move || -> Result<_> {
        let mut child = command.spawn()?;
        child.stdin.take().context("no stdin")?.write_all(text.as_bytes())?;
        Ok(child.wait_with_output()?)
    })
    .await??;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    Ok(())
}
