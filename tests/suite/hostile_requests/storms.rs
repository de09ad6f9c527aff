//! Many large reviews beside those of common pods.

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use reload_tests::{Cluster, with_namespace};
use serde_json::json;

use super::{ask, ensure_bounded, ensure_proper, good_review, patient};

const LARGE: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_reviews_at_once_keep_no_common_pod_from_its_record() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "storm", async |ns| {
        let webhook = patient(&ns).await?;
        let process = webhook.id()?;
        let caller = webhook.caller().await?;
        let mut large = good_review(&ns)?;
        // Much text, and as many parts as are looked at.
        let volumes = vec![json!({"name": "v", "configMap": {"name": "x".repeat(380)}}); 3900];
        large["request"]["object"]["metadata"]["annotations"] = json!({"a": "x".repeat(1 << 20)});
        large["request"]["object"]["spec"]["volumes"] = json!(volumes);
        let large = large.to_string();
        ensure!((2_500_000..3_500_000).contains(&large.len()), "{} bytes", large.len());
        let (bundle, port) = (webhook.bundle().await?, webhook.port());
        let storm = tokio::spawn(async move {
            let caller = reload_tests::webhook::Caller::trusting(port, &bundle).await?;
            Ok::<_, anyhow::Error>(join_all((0..LARGE).map(|_| ask(&caller, large.clone()))).await)
        });
        let good = good_review(&ns)?;
        let mut recorded = 0;
        while !storm.is_finished() {
            let answer = ask(&caller, good.to_string()).await?;
            ensure!(answer.body.contains("\"patch\""), "no record after {recorded}: {}", answer.body);
            recorded += 1;
        }
        let answers = storm.await??;
        let answered = answers.iter().flatten();
        for answer in answered.clone() {
            ensure_proper(answer)?;
        }
        let read = answered.filter(|answer| answer.status == 200).count();
        ensure!(recorded > 0 && read > 0, "{recorded} common ones, {read} large ones");
        // Of those that it refused, the connection may have ended before all was sent.
        for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            let text = format!("{refused:#}");
            ensure!(!text.contains("no answer within"), "{text}");
        }
        ensure_bounded(&webhook, process).context("after the storm")
    })
    .await
}
