//! Many pods at once that share their sources, while the API server is slow.

use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use http::Method;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::PostParams;
use reload_tests::fault_proxy::most_within;
use reload_tests::load::pod;
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Fault, FaultProxy, Webhook, WebhookOptions};

use super::table::Table;

const PODS: usize = 500;
const DELAY: Duration = Duration::from_millis(200);

pub(crate) async fn measure(cluster: &Cluster, table: &mut Table) -> Result<()> {
    let ns = super::namespace(cluster, "burst").await?;
    let proxy = FaultProxy::start(cluster).await?;
    // By the deadlines that it is installed with.
    let options = WebhookOptions {
        kubeconfig: Some(proxy.kubeconfig()),
        flags: Vec::new(),
        timeout_seconds: None,
        ..ns.webhook_options()
    };
    let mut webhook = Webhook::start(cluster, options).await?;
    let (pods, pod) = (ns.api::<Pod>(), pod("burst-")?);
    let dry_run = PostParams { dry_run: true, field_manager: None };
    proxy.fail(Fault::Slow(DELAY)).await;
    proxy.forget();
    let made = try_join_all((0..PODS).map(|_| pods.create(&dry_run, &pod))).await?;
    let path = format!("/api/v1/namespaces/{}/configmaps/settings", ns.name());
    let times = proxy.times(&Method::GET, &path);
    let most = most_within(&times, DELAY);
    proxy.mend()?;
    webhook.stop().await?;
    let is_full = |record: &String| !record.contains("\"unread\"");
    let recorded = made.iter().filter(|pod| pod.annotations().get(RECORD).is_some_and(is_full)).count();
    let what = format!("{PODS} pods at once, GETs delayed by {DELAY:?}: GETs of one ConfigMap");
    table.row(&what, times.len(), "");
    table.goal("  most of them within one delay", most, "at most 2", most <= 2);
    table.row("  pods with a full record", format!("{recorded} of {PODS}"), "");
    Ok(())
}
