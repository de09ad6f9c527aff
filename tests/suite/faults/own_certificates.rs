//! The webhook's own certificates when they have expired, are deleted, or are trusted no more: pods are
//! recorded again within a minute, and nobody does anything for it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams};
use reload_tests::load::pod;
use reload_tests::{Cluster, Namespace, Webhook, WebhookOptions, eventually, with_namespace};
use tokio::time::Instant;

use super::{dry_run, ensure_read, sources};

/// It looks after its certificates once a minute.
const WITHIN: Duration = Duration::from_secs(90);

const CERTIFICATES: &str = "kubectl-reload-certificates";

/// A CA and a certificate that are over by then.
const LIFE: Duration = Duration::from_secs(20);
const SHORT: [&str; 6] = ["--ca-life", "18s", "--certificate-life", "12s", "--ca-overlap", "2s"];

async fn recorded_again(ns: &Namespace<'_>) -> Result<()> {
    eventually("pods are recorded again", WITHIN, async || ensure_read(&dry_run(ns, &pod("after-")?).await?))
        .await
}

#[tokio::test]
async fn a_ca_and_a_certificate_that_expired_while_it_was_down_are_replaced() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "expired", async |ns| {
        let mut options: WebhookOptions = ns.webhook_options();
        options.flags.extend(SHORT.map(str::to_owned));
        let mut webhook = Webhook::start(cluster, options).await?;
        sources(&ns).await?;
        webhook.kill().await;
        let killed = Instant::now();
        let before = webhook.bundle().await?;
        eventually("they have expired", Duration::from_secs(60), async || {
            ensure!(killed.elapsed() > LIFE, "they have not");
            Ok(())
        })
        .await?;
        ensure!(webhook.bundle().await?.0 == before.0, "somebody else has replaced them");
        webhook.start_process().await?;
        recorded_again(&ns).await
    })
    .await
}

#[tokio::test]
async fn a_bundle_that_a_tool_has_emptied_is_filled_again() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "emptied", async |ns| {
        let webhook = ns.webhook().await?;
        sources(&ns).await?;
        let before = webhook.bundle().await?;
        webhook.set_bundle("").await?;
        // For the API server it takes a moment.
        eventually("the bundle is as before", WITHIN, async || {
            dry_run(&ns, &pod("meanwhile-")?).await?;
            ensure!(webhook.bundle().await?.0 == before.0, "it is not");
            Ok(())
        })
        .await?;
        recorded_again(&ns).await
    })
    .await
}

#[tokio::test]
async fn a_secret_that_somebody_deletes_is_made_again() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "deleted", async |ns| {
        let mut webhook = ns.webhook().await?;
        sources(&ns).await?;
        let secrets = Api::<Secret>::namespaced(ns.client(), &webhook.options().install_namespace);
        let uid = secrets.get(CERTIFICATES).await?.metadata.uid;
        secrets.delete(CERTIFICATES, &DeleteParams::default()).await?;
        // All the while its pods are made, and by the end with records.
        eventually("it is there again", WITHIN, async || {
            dry_run(&ns, &pod("meanwhile-")?).await?;
            let secret = secrets.get_opt(CERTIFICATES).await?.context("it is gone")?;
            ensure!(secret.metadata.uid != uid, "it was not deleted");
            Ok(())
        })
        .await?;
        recorded_again(&ns).await?;
        // Nor while nobody is there who could make it.
        webhook.kill().await;
        secrets.delete(CERTIFICATES, &DeleteParams::default()).await?;
        webhook.start_process().await?;
        recorded_again(&ns).await
    })
    .await
}
