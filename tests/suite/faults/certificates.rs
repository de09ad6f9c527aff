//! Certificates and CAs that are replaced every few seconds while pods are made.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use reload_tests::{Authority, Cluster, Load, MountedPair, Webhook, eventually, with_namespace};

use super::replicas::{both_ready, two_replicas};
use super::{MACHINE, given_up, sources};

/// A CA goes at two thirds of its life, as a certificate does. Dates have whole seconds, and so has
/// the API server's clock as the webhook reads it: shorter lives would leave no room.
const LIVES: [&str; 6] = ["--ca-life", "18s", "--certificate-life", "12s", "--ca-overlap", "2s"];

/// How long two of them are trusted.
const OVERLAP: Duration = Duration::from_secs(2);

/// How many CAs are to be seen.
const CAS: usize = 3;

const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test]
async fn rotation_under_load_fails_no_handshake_and_leaves_no_pod_unrecorded() -> Result<()> {
    let _machine = MACHINE.read().await;
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "rotation", async |ns| {
        let (mut one, mut two, balancer) = two_replicas(&ns, &LIVES).await?;
        sources(&ns).await?;
        one.restart().await?;
        two.restart().await?;
        both_ready(&balancer).await?;
        let before = given_up(&ns, &one).await?;
        let load = Load::start(&ns, 2).await?;
        let mut seen = BTreeSet::new();
        eventually("CAs have been replaced", LIMIT, async || {
            let (read, bundle) = (Instant::now(), one.bundle().await?.0);
            let cas = std::str::from_utf8(&bundle)?.split_inclusive("END CERTIFICATE-----");
            seen.extend(cas.map(|ca| ca.trim().to_owned()).filter(|ca| !ca.is_empty()));
            let callers = tokio::try_join!(one.caller(), two.caller())?;
            // New connections, each with the CAs that are trusted now. No error is waited out, but where the
            // machine took longer than two CAs are trusted for.
            for replica in [&callers.0, &callers.1] {
                let Err(failed) = replica.get("/livez").await else { continue };
                let late = read.elapsed() > OVERLAP && one.bundle().await?.0 != bundle;
                assert!(late, "{failed:#}");
            }
            ensure!(seen.len() >= CAS, "{} CAs so far", seen.len());
            Ok(())
        })
        .await?;
        let made = load.stop().await?;
        assert_eq!(given_up(&ns, &one).await?, before, "of {made} reviews");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn files_that_are_exchanged_under_load_leave_no_pod_unrecorded_whoever_signed_them() -> Result<()> {
    let _machine = MACHINE.read().await;
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "exchange", async |ns| {
        let (one, other) = (Authority::new("one")?, Authority::new("other")?);
        let mut mounted = MountedPair::new(cluster.folder().join("exchange"), &one.issue(30)?)?;
        let mut options = ns.webhook_options();
        options.flags.extend(mounted.flags());
        options.ca_bundle = Some(one.pem());
        sources(&ns).await?;
        let webhook = Webhook::start(cluster, options).await?;
        let before = given_up(&ns, &webhook).await?;
        let load = Load::start(&ns, 2).await?;
        // As whoever changes the CA has to: the next one is trusted before it has signed anything.
        webhook.set_bundle(&(one.pem() + &other.pem())).await?;
        for pair in [one.issue(60)?, other.issue(90)?] {
            mounted.exchange(&pair)?;
            eventually("it is served", LIMIT, async || {
                let metrics = webhook.metrics().await?;
                let expires =
                    metrics.sum("kubectl_reload_webhook_certificate_not_after_timestamp_seconds", &[]);
                ensure!(expires == pair.not_after as f64, "{expires}, not {}", pair.not_after);
                Ok(())
            })
            .await?;
        }
        webhook.set_bundle(&other.pem()).await?;
        let made = load.made();
        eventually("pods are made with the new CA alone", LIMIT, async || {
            ensure!(load.made() > made + 20, "{}", load.made());
            Ok(())
        })
        .await?;
        let made = load.stop().await?;
        assert_eq!(given_up(&ns, &webhook).await?, before, "of {made} reviews");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_end_does_not_wait_for_files_on_a_volume_that_hangs() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "hanging-files", async |ns| {
        let authority = Authority::new("one")?;
        let folder = cluster.folder().join("hanging-files");
        let _mounted = MountedPair::new(folder.clone(), &authority.issue(30)?)?;
        let chain = folder.join("chain");
        std::fs::copy(folder.join("tls.crt"), &chain)?;
        let mut options = ns.webhook_options();
        options.flags.push(format!("--tls-cert-file={}", chain.display()));
        options.flags.push(format!("--tls-private-key-file={}", folder.join("tls.key").display()));
        options.ca_bundle = Some(authority.pem());
        let mut webhook = Webhook::start(cluster, options).await?;
        // Whoever opens it waits for somebody to write.
        std::fs::remove_file(&chain)?;
        ensure!(Command::new("mkfifo").arg(&chain).status()?.success(), "no pipe");
        eventually("it reads the file", LIMIT, async || {
            let id = webhook.id()?;
            let tasks = std::fs::read_dir(format!("/proc/{id}/task"))?;
            let waits =
                |wchan: &str| ["fifo_open", "wait_for_partner"].iter().any(|name| wchan.contains(name));
            let hangs = tasks.flatten().any(|task| {
                std::fs::read_to_string(task.path().join("wchan")).is_ok_and(|wchan| waits(&wchan))
            });
            ensure!(hangs, "not yet");
            Ok(())
        })
        .await?;
        let start = std::time::Instant::now();
        webhook.stop().await?;
        ensure!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
        Ok(())
    })
    .await
}
