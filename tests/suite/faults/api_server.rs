//! An API server that is slow, refuses, breaks off or is gone, while pods are made.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures::future::try_join_all;
use reload_core::record::{SourceRecord, Unread};
use reload_tests::load::pod;
use reload_tests::{
    Cluster, Fault, FaultProxy, Namespace, Webhook, WebhookOptions, eventually, with_namespace,
};

use super::{MACHINE, RECOVERY, create, dry_run, ensure_read, given_up, record, sources};

/// How long the API server waits for the webhook here, in seconds: less than a slow one takes.
const PATIENCE: u32 = 5;
const SLOW: Duration = Duration::from_secs(10);

/// How many pods are made during each fault, and how many of them at once.
const PODS: usize = 24;
const AT_ONCE: usize = 8;

#[tokio::test]
async fn slow() -> Result<()> {
    during(Fault::Slow(SLOW), Unread::Timeout).await
}

#[tokio::test]
async fn failing() -> Result<()> {
    during(Fault::Status(500), Unread::Error).await
}

#[tokio::test]
async fn overloaded() -> Result<()> {
    during(Fault::Status(429), Unread::Overload).await
}

#[tokio::test]
async fn cut_off() -> Result<()> {
    during(Fault::Cut, Unread::Error).await
}

#[tokio::test]
async fn gone() -> Result<()> {
    during(Fault::Gone, Unread::Error).await
}

/// Each pod is made, no review takes longer than the deadline, what was not read is recorded as such
/// and why, and pods are recorded again when it is over.
async fn during(fault: Fault, why: Unread) -> Result<()> {
    let _machine = MACHINE.read().await;
    let cluster = Cluster::shared().await?;
    let name = format!("{fault:?}").to_lowercase().replace(|letter: char| !letter.is_alphanumeric(), "");
    with_namespace(cluster, &format!("fault-{name}"), async |ns| {
        let proxy = FaultProxy::start(cluster).await?;
        let options = WebhookOptions {
            kubeconfig: Some(proxy.kubeconfig()),
            timeout_seconds: Some(PATIENCE),
            // With the deadline that users have.
            flags: Vec::new(),
            ..ns.webhook_options()
        };
        let webhook = Webhook::start(cluster, options).await?;
        sources(&ns).await?;
        read_in_time(&ns).await?;

        let before = given_up(&ns, &webhook).await?;
        proxy.fail(fault).await;
        let mut reasons = Vec::new();
        for _ in 0..PODS / AT_ONCE {
            for pod in try_join_all((0..AT_ONCE).map(|_| create(&ns))).await? {
                for (id, source) in record(&pod)?.sources {
                    let SourceRecord::Unread(why) = source else { bail!("{id}: {source:?}") };
                    reasons.push(why);
                }
            }
        }
        // Others come from the breaker, and from a machine that is slow itself.
        ensure!(reasons.contains(&why), "{reasons:?}");
        let others = |why: &Unread| [Unread::Timeout, Unread::Overload, Unread::Error].contains(why);
        ensure!(reasons.iter().all(others), "{reasons:?}");
        let breaker = async || -> Result<f64> {
            Ok(webhook.metrics().await?.sum("kubectl_reload_webhook_breaker_open", &[]))
        };
        eventually("nobody waits for reads any more", RECOVERY, async || {
            ensure!(record(&dry_run(&ns, &pod("during-")?).await?).is_ok(), "no record");
            ensure!(breaker().await? == 1.0, "the breaker is closed");
            Ok(())
        })
        .await?;
        // It answers for itself whatever the API server does.
        webhook.get("/livez").await?;
        let metrics = webhook.metrics().await?;
        let late = metrics.above("kubectl_reload_webhook_review_duration_seconds", 2.0);
        ensure!(late == 0.0, "{late} reviews took too long\n{metrics}");
        assert_eq!(given_up(&ns, &webhook).await?, before, "the API server gave reviews up");

        proxy.mend()?;
        let mended = eventually("pods are recorded again", RECOVERY, async || {
            ensure_read(&dry_run(&ns, &pod("after-")?).await?)?;
            ensure!(breaker().await? == 0.0, "the breaker is open");
            webhook.get("/readyz").await
        });
        mended.await?;
        read_in_time(&ns).await?;
        assert_eq!(given_up(&ns, &webhook).await?, before, "the API server gave reviews up");
        Ok(())
    })
    .await
}

/// Waits until a pod is made whose sources were read: a busy machine may miss the deadline by itself.
async fn read_in_time(ns: &Namespace<'_>) -> Result<()> {
    eventually("sources are read in time", RECOVERY, async || ensure_read(&create(ns).await?)).await
}
