//! Pods that are out of the ordinary.

use std::time::Duration;

use anyhow::{Result, ensure};
use http::Method;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use reload_core::source::SourceId;
use reload_tests::load::pod;
use reload_tests::manifest::config_map;
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, FaultProxy, Injector, Webhook, WebhookOptions, eventually, with_namespace};

use super::{create, dry_run, ensure_read, given_up, record, sources};

#[tokio::test]
async fn one_whose_annotations_are_nearly_full_is_made_without_a_record() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "full", async |ns| {
        let webhook = ns.webhook().await?;
        sources(&ns).await?;
        let before = given_up(&ns, &webhook).await?;
        // Our own limit is 200 KiB, the API server's 256 KiB.
        for (length, recorded) in [(190 * 1024, true), (200 * 1024, false), (255 * 1024, false)] {
            let mut pod = pod("full-")?;
            pod.annotations_mut().insert("example.com/note".to_owned(), "x".repeat(length));
            let made = ns.api::<Pod>().create(&Default::default(), &pod).await?;
            let annotations = made.annotations();
            ensure!(annotations["example.com/note"].len() == length, "its own annotation was touched");
            assert_eq!(annotations.contains_key(RECORD), recorded, "{length} bytes");
        }
        // Nor is a record left that it brought along.
        let mut pod = pod("forged-")?;
        pod.annotations_mut().insert("example.com/note".to_owned(), "x".repeat(201 * 1024));
        pod.annotations_mut().insert(RECORD.to_owned(), "forged".to_owned());
        let made = ns.api::<Pod>().create(&Default::default(), &pod).await?;
        ensure!(!made.annotations().contains_key(RECORD), "a forged record");
        assert_eq!(given_up(&ns, &webhook).await?, before);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_dry_run_comes_back_recorded_and_changes_nothing() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "dry-run", async |ns| {
        let proxy = FaultProxy::start(cluster).await?;
        let options = WebhookOptions { kubeconfig: Some(proxy.kubeconfig()), ..ns.webhook_options() };
        let webhook = Webhook::start(cluster, options).await?;
        sources(&ns).await?;
        let own = Api::<Secret>::namespaced(ns.client(), &webhook.options().install_namespace);
        let versions = async || -> Result<Vec<_>> {
            let secrets = own.list(&ListParams::default()).await?.items;
            Ok(secrets.iter().map(|secret| (secret.name_any(), secret.resource_version())).collect())
        };
        let before = versions().await?;
        proxy.forget();
        let made = dry_run(&ns, &pod("dry-")?).await?;
        ensure_read(&made)?;
        let writes: Vec<_> = proxy.seen().into_iter().filter(|seen| seen.method != Method::GET).collect();
        ensure!(writes.is_empty(), "{writes:?}");
        assert_eq!(versions().await?, before);
        let pods = ns.api::<Pod>().list(&ListParams::default()).await?.items;
        ensure!(pods.is_empty(), "{} pods", pods.len());
        // One that is made for good gets the same, but for its time.
        let mut real = record(&create(&ns).await?)?;
        let dry = record(&made)?;
        ensure!(real.at.duration_since(dry.at).abs().as_secs() < 60, "{} and {}", real.at, dry.at);
        real.at = dry.at;
        assert_eq!(format!("{:?}", real.sources), format!("{:?}", dry.sources));
        assert_eq!(real.hash_key, dry.hash_key);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_reference_that_a_webhook_before_ours_adds_is_recorded() -> Result<()> {
    beside_an_injector("before", "aa-injector").await
}

#[tokio::test]
async fn a_reference_that_a_webhook_after_ours_adds_is_recorded() -> Result<()> {
    beside_an_injector("after", "zzz-injector").await
}

async fn beside_an_injector(name: &str, registration: &str) -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, &format!("injected-{name}"), async |ns| {
        let webhook = ns.webhook().await?;
        sources(&ns).await?;
        ns.apply([config_map("sidecar", &[("mesh", "on")])]).await?;
        let injector = Injector::start(&ns, registration, "sidecar").await?;
        let made = create(&ns).await?;
        let containers = made.spec.as_ref().map_or(0, |spec| spec.containers.len());
        assert_eq!(containers, 2, "the injector was not called");
        ensure_read(&made)?;
        let record = record(&made)?;
        ensure!(record.sources.contains_key(&SourceId::config_map("sidecar")), "{:?}", record.sources);
        injector.uninstall().await?;
        // Twice over the same pod, it writes one record.
        let records = made.annotations().keys().filter(|name| *name == RECORD).count();
        assert_eq!(records, 1);
        eventually("the injector is gone", Duration::from_secs(30), async || {
            let made = dry_run(&ns, &pod("alone-")?).await?;
            let containers = made.spec.as_ref().map_or(0, |spec| spec.containers.len());
            ensure!(containers == 1, "{containers} containers");
            ensure_read(&made)
        })
        .await?;
        drop(webhook);
        Ok(())
    })
    .await
}
