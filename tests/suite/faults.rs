//! What goes wrong around the webhook, and what pods see of it: nothing.

#[path = "faults/api_server.rs"]
mod api_server;
#[path = "faults/certificates.rs"]
mod certificates;
#[path = "faults/coalescing.rs"]
mod coalescing;
#[path = "faults/own_certificates.rs"]
mod own_certificates;
#[path = "faults/pods.rs"]
mod pods;
#[path = "faults/replicas.rs"]
mod replicas;

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use reload_core::record::SourceRecord;
use reload_core::source::SourceId;
use reload_tests::load::pod;
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::record;
use reload_tests::{Namespace, Webhook};
use tokio::sync::RwLock;

/// How long anything may take to be well again.
const RECOVERY: Duration = Duration::from_secs(60);

/// Written to by what floods the machine with work, read by what has no seconds to spare.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// The two sources of [`pod`].
async fn sources(ns: &Namespace<'_>) -> Result<()> {
    ns.apply([config_map("settings", &[("colour", "red")]), secret("login", &[("password", "hunter2")])])
        .await
}

/// Makes a pod for good.
async fn create(ns: &Namespace<'_>) -> Result<Pod> {
    Ok(ns.api::<Pod>().create(&PostParams::default(), &pod("pod-")?).await?)
}

/// Lets a pod pass admission, and nothing is left of it.
async fn dry_run(ns: &Namespace<'_>, pod: &Pod) -> Result<Pod> {
    let dry_run = PostParams { dry_run: true, field_manager: None };
    Ok(ns.api::<Pod>().create(&dry_run, pod).await?)
}

/// Fails unless both sources of the pod were read, with their content.
fn ensure_read(pod: &Pod) -> Result<()> {
    let record = record(pod)?;
    for id in [SourceId::config_map("settings"), SourceId::secret("login")] {
        let source = record.sources.get(&id);
        let read = matches!(source, Some(SourceRecord::Read(read)) if !read.uses.is_empty());
        ensure!(read, "{id}: {source:?}");
    }
    Ok(())
}

/// How many reviews the API server has given up, as it counts them: no answer, a late or a bad one.
async fn given_up(ns: &Namespace<'_>, webhook: &Webhook) -> Result<f64> {
    let metrics = ns.cluster().metrics().await?;
    let name = webhook.name();
    let labels = [("name", name.as_str())];
    let failures =
        ["apiserver_admission_webhook_fail_open_count", "apiserver_admission_webhook_rejection_count"];
    Ok(failures.iter().map(|metric| metrics.sum(metric, &labels)).sum())
}
