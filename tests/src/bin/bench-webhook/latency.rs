//! Time per review against that of a webhook that reads nothing, plus the bare GETs that it takes, all
//! at once.
//!
//! The one that reads nothing is the same binary, told to ignore both sources: it takes the same bodies
//! over the same TLS, parses them, looks for references, and answers without a read and a record. So
//! what the ratio leaves out is what any webhook in this binary costs.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use http::Request;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use reload_tests::load::pod;
use reload_tests::webhook::{Caller, review};
use reload_tests::{Cluster, Webhook, WebhookOptions};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::table::{Table, milliseconds, quantile};

const ROUNDS: usize = 3000;
const WARM_UP: usize = 300;

/// Who is asked in turns.
struct Round {
    ours: Caller,
    without_reads: Caller,
    client: Client,
}

pub(crate) async fn measure(cluster: &Cluster, table: &mut Table) -> Result<()> {
    let ns = super::namespace(cluster, "latency").await?;
    let other = super::namespace(cluster, "no-reads").await?;
    let mut webhook = ns.webhook().await?;
    let ignore = "configmap/settings,secret/login".to_owned();
    let without_reads =
        WebhookOptions { flags: vec!["--ignore".to_owned(), ignore], ..other.webhook_options() };
    let mut without_reads = Webhook::start(cluster, without_reads).await?;
    let round = Round {
        ours: webhook.caller().await?,
        without_reads: without_reads.caller().await?,
        client: ns.client(),
    };
    let two = serde_json::to_value(pod("bench-")?)?;
    let mut one = two.clone();
    one["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    for (pod, gets) in [(one, &["configmaps/settings"][..]), (two, &["configmaps/settings", "secrets/login"])]
    {
        let paths: Vec<_> =
            gets.iter().map(|get| format!("/api/v1/namespaces/{}/{get}", ns.name())).collect();
        round.measure(table, &review(ns.name(), &pod), &paths).await?;
    }
    webhook.stop().await?;
    without_reads.stop().await
}

impl Round {
    async fn measure(&self, table: &mut Table, review: &Value, paths: &[String]) -> Result<()> {
        ensure!(self.ours.review(review).await?["patch"].is_string(), "no record");
        ensure!(self.without_reads.review(review).await?["patch"].is_null(), "a record");
        let body = review.to_string();
        let (mut full, mut nothing, mut gets, mut sum) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 0..WARM_UP + ROUNDS {
            let mut took = [0.0; 3];
            // Each comes first, second and last equally often.
            for step in 0..3 {
                let who = (round + step) % 3;
                let start = Instant::now();
                match who {
                    0 => drop(self.ours.post(body.clone()).await?),
                    1 => drop(self.without_reads.post(body.clone()).await?),
                    _ => drop(try_join_all(paths.iter().map(|path| self.get(path))).await?),
                }
                took[who] = milliseconds(start.elapsed());
            }
            if round >= WARM_UP {
                full.push(took[0]);
                nothing.push(took[1]);
                gets.push(took[2]);
                sum.push(took[1] + took[2]);
            }
        }
        let sources = paths.len();
        for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
            let [full, nothing, gets, sum] =
                [&full, &nothing, &gets, &sum].map(|times| quantile(times, share));
            let parts = format!("{full:.2} ms ({nothing:.2} ms; {gets:.2} ms)");
            table.row(
                &format!("review, sources: {sources}, {name} (the same without reads; as many GETs)"),
                parts,
                "",
            );
            let ratio = full / sum;
            let what = "  ratio to both together";
            table.goal(what, format!("{ratio:.2}"), "at most 1.2", ratio <= 1.2);
        }
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<()> {
        let answer = self.client.send(Request::get(path).body(Body::empty())?).await?;
        answer.into_body().collect().await?;
        Ok(())
    }
}
