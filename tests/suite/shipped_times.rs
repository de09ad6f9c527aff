//! Faults of the API server while the webhook has the times that it is shipped with: how long a pod waits
//! at most, as whoever makes it sees it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use reload_core::record::SourceRecord;
use reload_tests::load::pod;
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::record;
use reload_tests::{
    Cluster, Fault, FaultProxy, Namespace, Webhook, WebhookOptions, eventually, with_namespace,
};
use tokio::time::Instant;

/// The API server waits for 2 s, and has other things to do with a pod.
const MOST: Duration = Duration::from_millis(2500);

/// What a pod takes that no webhook sees, unless the machine itself is slow.
const QUICK: Duration = Duration::from_millis(300);

const PODS: usize = 12;
const TRIES: usize = 5;
const RECOVERY: Duration = Duration::from_secs(60);

const FAULTS: [Fault; 5] =
    [Fault::Slow(Duration::from_secs(5)), Fault::Status(500), Fault::Status(429), Fault::Cut, Fault::Gone];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_pod_waits_longer_than_the_shipped_times_allow_whatever_the_api_server_does() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "shipped", async |ns| {
        let control = Namespace::create(cluster, "no-webhook").await?;
        let proxy = FaultProxy::start(cluster).await?;
        let options = WebhookOptions {
            kubeconfig: Some(proxy.kubeconfig()),
            timeout_seconds: None,
            flags: Vec::new(),
            ..ns.webhook_options()
        };
        let webhook = Webhook::start(cluster, options).await?;
        ensure!(timeout(&webhook).await? == Some(2), "other times are shipped");
        ns.apply([config_map("settings", &[("a", "b")]), secret("login", &[("a", "b")])]).await?;
        for fault in FAULTS {
            let scene = Scene { ns: &ns, control: &control, webhook: &webhook, proxy: &proxy };
            scene.during(fault).await.with_context(|| format!("{fault:?}"))?;
        }
        Ok(())
    })
    .await
}

struct Scene<'a> {
    ns: &'a Namespace<'a>,
    control: &'a Namespace<'a>,
    webhook: &'a Webhook,
    proxy: &'a FaultProxy,
}

impl Scene<'_> {
    /// Once more only where pods took long that no webhook sees.
    async fn during(&self, fault: Fault) -> Result<()> {
        for _ in 0..TRIES {
            self.recorded().await?;
            let before = self.given_up().await?;
            self.proxy.fail(fault).await;
            let (mut slowest, mut slowest_control) = (Duration::ZERO, Duration::ZERO);
            let mut complaint = None;
            for _ in 0..PODS {
                let (pod, took, control) = self.beside_control().await?;
                (slowest, slowest_control) = (slowest.max(took), slowest_control.max(control));
                complaint = complaint.or(unread(&pod).err());
            }
            let given_up = self.given_up().await? - before;
            self.proxy.mend()?;
            if slowest <= MOST && given_up == 0.0 && complaint.is_none() {
                return Ok(());
            }
            if slowest_control <= QUICK {
                bail!("a pod took {slowest:?}, {given_up} reviews were given up, {complaint:?}");
            }
        }
        bail!("the machine is too slow to tell: pods without a webhook took longer than {QUICK:?}")
    }

    /// A pod, how long it took, and what the slowest of those took that no webhook sees meanwhile.
    async fn beside_control(&self) -> Result<(Pod, Duration, Duration)> {
        let mut ours = std::pin::pin!(timed(self.ns));
        let mut slowest = Duration::ZERO;
        loop {
            tokio::select! {
                made = &mut ours => {
                    let (pod, took) = made?;
                    // As long as one that is under way has taken counts as well.
                    let (_, control) = timed(self.control).await?;
                    return Ok((pod, took, slowest.max(control)));
                }
                control = timed(self.control) => slowest = slowest.max(control?.1),
            }
        }
    }

    /// Waits until sources are read, as they are without a fault.
    async fn recorded(&self) -> Result<()> {
        eventually("sources are read", RECOVERY, async || {
            let (pod, _) = timed(self.ns).await?;
            ensure!(unread(&pod).is_err(), "they are not");
            Ok(())
        })
        .await
    }

    /// How many reviews the API server has given up.
    async fn given_up(&self) -> Result<f64> {
        let metrics = self.ns.cluster().metrics().await?;
        let name = self.webhook.name();
        Ok(metrics.sum("apiserver_admission_webhook_fail_open_count", &[("name", &name)]))
    }
}

/// Makes a pod, and how long that took.
async fn timed(ns: &Namespace<'_>) -> Result<(Pod, Duration)> {
    let start = Instant::now();
    let made = ns.api::<Pod>().create(&PostParams::default(), &pod("timed-")?).await?;
    Ok((made, start.elapsed()))
}

/// Fails unless it has a record that says of each source that it was not read.
fn unread(pod: &Pod) -> Result<()> {
    let record = record(pod)?;
    let all = record.sources.values().all(|source| matches!(source, SourceRecord::Unread(_)));
    ensure!(all && record.sources.len() == 2, "{:?}", record.sources);
    Ok(())
}

/// How long the API server waits for the webhook, in seconds.
async fn timeout(webhook: &Webhook) -> Result<Option<i32>> {
    let webhooks = webhook.registration().await?.webhooks;
    Ok(webhooks.into_iter().flatten().next().and_then(|webhook| webhook.timeout_seconds))
}
