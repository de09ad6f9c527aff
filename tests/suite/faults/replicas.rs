//! Replicas that start, end and are killed while pods are made.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use reload_core::hash_key::HashKey;
use reload_tests::load::pod;
use reload_tests::webhook::{RECORD, review};
use reload_tests::{Balancer, Cluster, Load, Namespace, Webhook, WebhookOptions, eventually, with_namespace};
use serde_json::Value;

use super::{MACHINE, RECOVERY, create, ensure_read, given_up, record, sources};

#[tokio::test]
async fn pods_are_made_while_it_is_killed_and_recorded_as_before_when_it_is_back() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "killed", async |ns| {
        let mut webhook = ns.webhook().await?;
        sources(&ns).await?;
        let before = create(&ns).await?;
        ensure_read(&before)?;
        let bundle = webhook.bundle().await?;

        let lost = given_up(&ns, &webhook).await?;
        let load = Load::start(&ns, 2).await?;
        eventually("pods are made", RECOVERY, async || {
            ensure!(load.made() > 4, "{}", load.made());
            Ok(())
        })
        .await?;
        webhook.kill().await;
        let made = load.made();
        eventually("pods are made all the while", RECOVERY, async || {
            ensure!(load.made() > made + 10, "{}", load.made());
            Ok(())
        })
        .await?;
        let unrecorded = load.unrecorded();
        ensure!(unrecorded > 0, "pods have a record that nobody wrote");
        load.end().await?;
        // What the other tests ask for in vain is counted.
        ensure!(given_up(&ns, &webhook).await? > lost, "the API server counts no reviews that it gives up");
        let meanwhile = create(&ns).await?;
        ensure!(record(&meanwhile).is_err(), "it has a record");

        webhook.restart().await?;
        let after = create(&ns).await?;
        ensure_read(&after)?;
        let (before, after) = (record(&before)?, record(&after)?);
        assert_eq!(before.hash_key, after.hash_key);
        assert_eq!(before.sources, after.sources);
        assert_eq!(webhook.bundle().await?.0, bundle.0, "another CA");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn two_that_start_at_the_same_moment_agree_on_one_hash_key_and_one_ca() -> Result<()> {
    let cluster = Cluster::shared().await?;
    // The race has many ends.
    for round in 0..3 {
        with_namespace(cluster, &format!("twins-{round}"), async |ns| {
            let (mut one, mut two, _balancer) = two_replicas(&ns, &[]).await?;
            sources(&ns).await?;
            tokio::try_join!(one.start_process(), two.start_process())?;
            tokio::try_join!(one.recording(), two.recording())?;

            let bundle = String::from_utf8(one.bundle().await?.0)?;
            assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), 1, "{bundle}");
            let review = review(ns.name(), &serde_json::to_value(pod("same-")?)?);
            let mut records = Vec::new();
            for replica in [&one, &two] {
                // Over TLS that trusts this one CA.
                records.push(recorded(&replica.caller().await?.review(&review).await?)?);
            }
            for mut record in records.clone() {
                record.at = records[0].at;
                ensure!(record.hash_key.is_some(), "no hash key: {record:?}");
                assert_eq!(record, records[0]);
            }
            let secrets = Api::<Secret>::namespaced(ns.client(), &one.options().install_namespace);
            let secret = secrets.get(HashKey::SECRET_NAME).await?;
            ensure!(secret.data.is_some(), "no data");
            one.stop().await?;
            two.stop().await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_can_be_ended_by_sigterm_under_load_and_no_review_fails() -> Result<()> {
    let _machine = MACHINE.read().await;
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "rolled", async |ns| {
        let (mut one, mut two, balancer) = two_replicas(&ns, &["--shutdown-delay", "2s"]).await?;
        sources(&ns).await?;
        one.restart().await?;
        two.restart().await?;
        both_ready(&balancer).await?;
        let before = given_up(&ns, &one).await?;
        let load = Load::start(&ns, 4).await?;
        for _ in 0..2 {
            for replica in [&mut one, &mut two] {
                let made = load.made();
                replica.stop().await?;
                ensure!(load.made() > made, "no pod was made meanwhile");
                replica.start_process().await?;
                both_ready(&balancer).await?;
            }
        }
        let made = load.stop().await?;
        ensure!(made > 20, "{made} pods");
        assert_eq!(given_up(&ns, &one).await?, before, "of {made} reviews");
        Ok(())
    })
    .await
}

/// Two of one installation, behind one address, not started yet.
pub(super) async fn two_replicas(ns: &Namespace<'_>, flags: &[&str]) -> Result<(Webhook, Webhook, Balancer)> {
    let ports = [reload_tests::port::Port::claim()?, reload_tests::port::Port::claim()?];
    let balancer = Balancer::start(&[ports[0].number(), ports[1].number()]).await?;
    let options = WebhookOptions {
        registered_port: Some(balancer.port()),
        timeout_seconds: Some(5),
        flags: flags.iter().chain(&["--deadline=4s"]).map(|&flag| flag.to_owned()).collect(),
        ..ns.webhook_options()
    };
    let [one, two] = ports;
    let one = Webhook::install_at(ns.cluster(), options.clone(), one).await?;
    let two = Webhook::install_at(ns.cluster(), options, two).await?;
    Ok((one, two, balancer))
}

pub(super) async fn both_ready(balancer: &Balancer) -> Result<()> {
    eventually("both replicas are ready", Duration::from_secs(30), async || {
        let ready = balancer.ready();
        ensure!(ready.len() == 2, "{ready:?}");
        Ok(())
    })
    .await
}

/// The record that an answer puts on the pod.
fn recorded(response: &Value) -> Result<reload_core::record::Record> {
    use base64::Engine;
    let patch = response["patch"].as_str().with_context(|| format!("no patch: {response}"))?;
    let patch: Value = serde_json::from_slice(&base64::prelude::BASE64_STANDARD.decode(patch)?)?;
    let value = &patch[0]["value"];
    let text = value.as_str().or_else(|| value[RECORD].as_str());
    Ok(reload_core::record::Record::parse(text.context("no record")?)?)
}
