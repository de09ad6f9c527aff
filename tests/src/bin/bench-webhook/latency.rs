//! Time per review against that of a webhook that does nothing, plus one bare GET.
//!
//! The one that does nothing is the same binary, told to ignore both sources: it takes the same bodies
//! over the same TLS, parses them, looks for references, and answers without a read and a record.

use anyhow::{Result, ensure};
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use reload_tests::load::pod;
use reload_tests::webhook::review;
use reload_tests::{Cluster, Webhook, WebhookOptions};
use tokio::time::Instant;

use super::table::{Table, milliseconds, quantile};

const ROUNDS: usize = 3000;
const WARM_UP: usize = 300;

pub(crate) async fn measure(cluster: &Cluster, table: &mut Table) -> Result<()> {
    let ns = super::namespace(cluster, "latency").await?;
    let other = super::namespace(cluster, "no-op").await?;
    let mut webhook = ns.webhook().await?;
    let ignore = "configmap/settings,secret/login".to_owned();
    let no_op = WebhookOptions { flags: vec!["--ignore".to_owned(), ignore], ..other.webhook_options() };
    let mut no_op = Webhook::start(cluster, no_op).await?;
    let review = review(ns.name(), &serde_json::to_value(pod("bench-")?)?);
    let (ours, theirs) = (webhook.caller().await?, no_op.caller().await?);
    ensure!(ours.review(&review).await?["patch"].is_string(), "no record");
    ensure!(theirs.review(&review).await?["patch"].is_null(), "a record");
    let client = ns.client();
    let path = format!("/api/v1/namespaces/{}/configmaps/settings", ns.name());

    let (mut full, mut nothing, mut get, mut sum) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let body = review.to_string();
    for round in 0..WARM_UP + ROUNDS {
        let (mut one, mut two, mut three) = (0.0, 0.0, 0.0);
        // Each comes first, second and last equally often.
        for step in 0..3 {
            let start = Instant::now();
            match (round + step) % 3 {
                0 => {
                    ours.post(body.clone()).await?;
                    one = milliseconds(start.elapsed());
                }
                1 => {
                    theirs.post(body.clone()).await?;
                    two = milliseconds(start.elapsed());
                }
                _ => {
                    let answer = client.send(Request::get(&path).body(Body::empty())?).await?;
                    answer.into_body().collect().await?;
                    three = milliseconds(start.elapsed());
                }
            }
        }
        if round >= WARM_UP {
            full.push(one);
            nothing.push(two);
            get.push(three);
            sum.push(two + three);
        }
    }
    webhook.stop().await?;
    no_op.stop().await?;
    for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
        let [full, nothing, get, sum] = [&full, &nothing, &get, &sum].map(|times| quantile(times, share));
        let parts = format!("{full:.2} ms ({nothing:.2} ms; {get:.2} ms)");
        table.row(&format!("review, {name} (no-op webhook; GET)"), parts, "");
        let ratio = format!("{:.2}", full / sum);
        table.row("  ratio to no-op and GET together", ratio, "at most 1.2");
    }
    Ok(())
}
