//! No value of a Secret leaves, and nothing that it can be guessed from.

use anyhow::{Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use reload_tests::manifest::{config_map, secret};
use reload_tests::webhook::RECORD;
use reload_tests::{Cluster, Namespace, Source, Webhook, Workload, with_namespace};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const OLD: &str = "correct-horse-battery-staple";
const NEW: &str = "Tr0ub4dor-and-3";

#[tokio::test]
async fn no_value_and_no_plain_digest_of_one_is_shown_anywhere() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "leaks", async |ns| {
        let options = reload_tests::WebhookOptions {
            flags: ["--log-level", "debug"].map(str::to_owned).to_vec(),
            ..ns.webhook_options()
        };
        let mut webhook = Webhook::start(cluster, options).await?;
        // Client-side, so that an annotation holds a copy of the value.
        ns.apply([secret("login", &[("password", OLD)])]).await?;
        let applied = ns.kubectl().run(&["get", "secret", "login", "-o", "yaml"]).await?;
        ensure!(applied.contains(OLD), "the value is not in last-applied-configuration");
        let source = Source::secret("login");
        ns.deploy([
            Workload::deployment("env").env("PASSWORD", source, "password"),
            Workload::deployment("files").directory("/etc/login", source),
        ])
        .await?;
        let mut seen = vec![records(&ns).await?.join("\n")];

        ns.apply([secret("login", &[("password", NEW)])]).await?;
        for arguments in [
            &["status", "-v=9"] as &[&str],
            &["status", "-v=9", "--all", "-o", "json"],
            &["explain", "deployment/env", "-v=9"],
            &["explain", "deployment/files", "-v=9", "-o", "yaml"],
            &["adopt", "-v=9", "--dry-run", "-o", "json"],
            &["sync", "-v=9", "--dry-run=server"],
            &["sync", "-v=9", "--yes"],
            &["status", "-v=9", "--all"],
        ] {
            let output = ns.reload(arguments).await?.success()?;
            seen.push(output.stdout);
            seen.push(output.stderr);
        }
        ensure!(seen[1].contains("password changed"), "nothing was compared: {}", seen[1]);
        seen.push(records(&ns).await?.join("\n"));
        seen.push(ns.kubectl().run(&["get", "events.events.k8s.io", "-o", "yaml"]).await?);
        seen.push(webhook.get("/metrics").await?);
        webhook.stop().await?;
        ensure!(webhook.log().contains("reviewed"), "nothing was logged");
        seen.push(webhook.log());
        for text in seen {
            for trace in [OLD, NEW].into_iter().flat_map(traces) {
                ensure!(!text.contains(&trace), "{trace} is in\n{text}");
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn equal_values_look_different_in_every_secret_and_in_a_config_map() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "guesses", async |ns| {
        let _webhook = ns.webhook().await?;
        let data = [("password", OLD)];
        ns.apply([secret("one", &data), secret("two", &data), config_map("three", &data)]).await?;
        let workload = Workload::deployment("shop");
        let sources = [Source::secret("one"), Source::secret("two"), Source::config_map("three")];
        ns.deploy([sources.into_iter().fold(workload, Workload::env_from)]).await?;
        let record: Value = serde_json::from_str(&records(&ns).await?[0])?;
        let sources = record["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |pointer: &str| -> Vec<&str> {
            sources.iter().filter_map(|source| source.pointer(pointer)?.as_str()).collect()
        };
        for pointer in ["/env/digest", "/env/all/password"] {
            let mut found = of(pointer);
            assert_eq!(found.len(), 3, "{record}");
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), 3, "{record}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn names_of_secret_keys_can_be_left_out() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unnamed", async |ns| {
        let options = reload_tests::WebhookOptions {
            flags: vec!["--secret-key-names=false".to_owned()],
            ..ns.webhook_options()
        };
        let _webhook = Webhook::start(cluster, options).await?;
        ns.apply([secret("login", &[("codename", OLD)]), config_map("settings", &[("colour", "a")])]).await?;
        let shop = Workload::deployment("shop").env_from(Source::secret("login"));
        ns.deploy([shop.env_from(Source::config_map("settings"))]).await?;
        let record = records(&ns).await?.remove(0);
        ensure!(!record.contains("codename") && record.contains("colour"), "{record}");
        ns.apply([secret("login", &[("codename", NEW)])]).await?;
        let status = ns.status().await?;
        assert_eq!(status.verdict("deployment/shop")?, "Drifted recorded");
        assert_eq!(status.causes("deployment/shop")?, ["secret/login changed:"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn records_under_an_earlier_hash_key_are_compared_as_long_as_it_is_kept() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "rotated", async |ns| {
        let mut webhook = ns.webhook().await?;
        ns.apply([secret("login", &[("password", OLD)]), secret("token", &[("token", OLD)])]).await?;
        let uses = |name, source| Workload::deployment(name).env_from(Source::secret(source));
        ns.deploy([uses("same", "login"), uses("other", "token")]).await?;

        let place = ns.webhook_options().install_namespace;
        let patch = async |operations: Value| {
            let operations = operations.to_string();
            let name = "kubectl-reload-hash-key";
            let arguments = ["patch", "secret", name, "--type=json", "-p", &operations];
            cluster.kubectl().namespace(&place).run(&arguments).await
        };
        let new = BASE64_STANDARD.encode([7; 32]);
        patch(json!([
            {"op": "copy", "from": "/data/key", "path": "/data/previous-1"},
            {"op": "replace", "path": "/data/key", "value": new},
        ]))
        .await?;
        webhook.restart().await?;
        ns.kubectl().run(&["label", "secret", "login", "touched=yes"]).await?;
        ns.apply([secret("token", &[("token", NEW)])]).await?;
        ns.deploy([uses("fresh", "login")]).await?;
        let status = ns.status().await?;
        assert_eq!(status.verdict("deployment/same")?, "Current recorded");
        assert_eq!(status.verdict("deployment/other")?, "Drifted recorded");
        assert_eq!(status.verdict("deployment/fresh")?, "Current recorded");
        let records = records(&ns).await?;
        let ids = records.iter().map(|record| Ok(serde_json::from_str::<Value>(record)?["key"].clone()));
        let ids: Vec<Value> = ids.collect::<Result<_>>()?;
        ensure!(ids.iter().any(|id| *id != ids[0]), "nothing was recorded under the new key: {ids:?}");

        patch(json!([{"op": "remove", "path": "/data/previous-1"}])).await?;
        let output = ns.reload(&["status"]).await?.success()?;
        ensure!(output.stderr.contains("does not hold any more"), "{output}");
        let status = ns.status().await?;
        ensure!(status.verdict("deployment/same")?.ends_with("inferred"), "{output}");
        assert_eq!(status.verdict("deployment/other")?, "Drifted inferred");
        assert_eq!(status.verdict("deployment/fresh")?, "Current recorded");
        Ok(())
    })
    .await
}

/// What would give a value away: itself, its base64 form, and the beginnings of its digest.
fn traces(value: &str) -> Vec<String> {
    let digest = Sha256::digest(value.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    let start = |text: String, length: usize| text.chars().take(length).collect();
    vec![value.to_owned(), start(base64(value.as_bytes()), 12), start(hex, 8), start(base64(&digest), 8)]
}

async fn records(ns: &Namespace<'_>) -> Result<Vec<String>> {
    let pods = ns.api::<Pod>().list(&ListParams::default()).await?.items;
    let annotations = pods.into_iter().filter_map(|pod| pod.metadata.annotations);
    let records: Vec<String> = annotations.filter_map(|mut annotations| annotations.remove(RECORD)).collect();
    ensure!(!records.is_empty(), "no record");
    Ok(records)
}
