//! Certificates and CAs that are replaced every few seconds while pods are made.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use reload_tests::{Cluster, Load, eventually, with_namespace};

use super::replicas::{both_ready, two_replicas};
use super::{given_up, sources};

/// A CA goes at two thirds of its life, as a certificate does. Dates have whole seconds, and so has
/// the API server's clock as the webhook reads it: shorter lives would leave no room.
const LIVES: [&str; 6] = ["--ca-life", "18s", "--certificate-life", "12s", "--ca-overlap", "2s"];

/// How many CAs are to be seen.
const CAS: usize = 3;

const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test]
async fn rotation_under_load_fails_no_handshake_and_leaves_no_pod_unrecorded() -> Result<()> {
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
            let bundle = String::from_utf8(one.bundle().await?.0)?;
            let cas = bundle.split_inclusive("END CERTIFICATE-----");
            seen.extend(cas.map(|ca| ca.trim().to_owned()).filter(|ca| !ca.is_empty()));
            let (one, two) = tokio::try_join!(one.caller(), two.caller())?;
            // New connections, each with the CAs that are trusted now. No error is waited out.
            for replica in [&one, &two] {
                let handshake = replica.get("/livez").await;
                assert!(handshake.is_ok(), "{handshake:?}");
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
