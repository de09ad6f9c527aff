//! What happens in the demo, in order. Every step checks what it tells.

use std::time::Instant;

use anyhow::{Result, ensure};
use reload_tests::manifest::config_map;
use reload_tests::shop::{NAMESPACE, payment_key, sources, workloads};
use reload_tests::{Cluster, Namespace, Webhook, WebhookOptions};

/// Plays it, and gives back the webhook, which still runs.
pub(crate) async fn tell(cluster: &Cluster) -> Result<Webhook> {
    let start = Instant::now();
    let shop = Namespace::create(cluster, NAMESPACE).await?;

    step("Starting the webhook. It will record on every new pod what the pod is configured by.");
    let mut webhook = Webhook::start(cluster, WebhookOptions::installed(&[NAMESPACE])).await?;

    step("Deploying a small shop: three workloads, four ConfigMaps, two Secrets.");
    shop.apply(sources()).await?;
    shop.deploy(workloads()).await?;
    expect(&show(&shop, &["reload", "status", "--all"]).await?, &["deployment/web", "Current"])?;

    step("Killing the webhook. Nothing of ours runs any more, and nobody watches what comes now:");
    webhook.kill().await;
    let patch = r#"{"data":{"LOG_LEVEL":"debug","COMMENT":"nobody reads me still"}}"#;
    show(&shop, &["patch", "configmap", "web-settings", "-p", patch]).await?;
    show(&shop, &["delete", "configmap", "web-flags", "db-tuning"]).await?;
    println!("(made again: web-flags with other content, db-tuning exactly as it was)");
    shop.apply([
        config_map("web-flags", &[("NEW_CART", "on"), ("DARK_MODE", "off")]),
        config_map("db-tuning", &[("my.cnf", "max_connections=100\n")]),
    ])
    .await?;
    show(&shop, &["patch", "secret", "db-login", "-p", r#"{"stringData":{"password":"rotated"}}"#]).await?;
    show(&shop, &["delete", "secret", "payment-key"]).await?;

    step("Starting the webhook again, and asking who runs on old configuration, and since which change.");
    webhook.restart().await?;
    let status = show(&shop, &["reload", "status"]).await?;
    expect(&status, &["LOG_LEVEL changed", "NEW_CART changed", "password changed", "secret/payment-key"])?;
    ensure!(!status.contains("COMMENT") && !status.contains("db-tuning"), "needless drift:\n{status}");

    step("Restarting what can start again. payments would not: its Secret is gone.");
    let before = shop.pod_uids("deployment/payments").await?;
    let sync = show(&shop, &["reload", "sync", "--yes"]).await?;
    expect(&sync, &["deployment/payments in shop not restarted", "deployment/web in shop restarted"])?;
    ensure!(shop.pod_uids("deployment/payments").await? == before, "payments was restarted");

    step("The Secret comes back as it was. No restart is needed, and all is well.");
    shop.apply([payment_key()]).await?;
    expect(&show(&shop, &["reload", "status", "--all", "--exit-code"]).await?, &["3 workloads: 3 current."])?;
    println!("\nThat took {} seconds.", start.elapsed().as_secs());
    Ok(webhook)
}

fn step(text: &str) {
    println!("\n# {text}");
}

/// Runs kubectl as the text says, and shows what it writes.
async fn show(shop: &Namespace<'_>, arguments: &[&str]) -> Result<String> {
    let quoted = arguments.iter().map(|argument| match argument.contains('{') {
        true => format!("'{argument}'"),
        false => (*argument).to_owned(),
    });
    println!("$ kubectl {} -n {NAMESPACE}", quoted.collect::<Vec<_>>().join(" "));
    let output = shop.kubectl().output(arguments).await?;
    print!("{}{}", output.stderr, output.stdout);
    Ok(output.stdout)
}

fn expect(shown: &str, texts: &[&str]) -> Result<()> {
    for text in texts {
        ensure!(shown.contains(text), "{text:?} is missing in:\n{shown}");
    }
    Ok(())
}
