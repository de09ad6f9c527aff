//! Many pods at once that use the same source cost no more than two GETs of it at a time.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use http::Method;
use reload_tests::fault_proxy::most_within;
use reload_tests::load::pod;
use reload_tests::{Cluster, Fault, FaultProxy, Webhook, WebhookOptions, with_namespace};

use super::{MACHINE, dry_run, ensure_read, sources};

const PODS: usize = 500;
const DELAY: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_pods_at_once_share_gets() -> Result<()> {
    let _machine = MACHINE.write().await;
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "coalescing", async |ns| {
        let proxy = FaultProxy::start(cluster).await?;
        // Not how long it takes is the question: five hundred connections at once are much to a machine
        // that runs other suites.
        let options = WebhookOptions {
            kubeconfig: Some(proxy.kubeconfig()),
            timeout_seconds: Some(30),
            flags: vec!["--deadline=28s".to_owned()],
            ..ns.webhook_options()
        };
        let webhook = Webhook::start(cluster, options).await?;
        sources(&ns).await?;
        proxy.fail(Fault::Slow(DELAY)).await;
        proxy.forget();
        let pod = pod("many-")?;
        let pods = try_join_all((0..PODS).map(|_| dry_run(&ns, &pod))).await?;
        let recorded = pods.iter().filter(|pod| ensure_read(pod).is_ok()).count();
        let shed = webhook.metrics().await?;
        let shed = shed.sum("kubectl_reload_webhook_reviews_total", &[("result", "shed")]);
        ensure!(
            shed == 0.0 && recorded * 100 >= PODS * 95,
            "{recorded} of {PODS} have a full record, {shed} were shed"
        );
        for path in ["configmaps/settings", "secrets/login"] {
            let path = format!("/api/v1/namespaces/{}/{path}", ns.name());
            let times = proxy.times(&Method::GET, &path);
            let most = most_within(&times, DELAY);
            ensure!(
                (1..=2).contains(&most),
                "{most} GETs of {path} within {DELAY:?}, {} in all",
                times.len()
            );
        }
        let coalesced = webhook.metrics().await?.sum("kubectl_reload_webhook_reads_coalesced_total", &[]);
        ensure!(coalesced > 0.0, "nothing was coalesced");
        Ok(())
    })
    .await
}
