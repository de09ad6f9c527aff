//! Pods that the API server would refuse, before it does: their webhooks are called first.

use anyhow::{Result, ensure};
use http::Method;
use reload_tests::webhook::review;
use reload_tests::{Cluster, FaultProxy, Webhook, WebhookOptions, with_namespace};
use serde_json::json;

use super::{ask, ensure_bounded, ensure_proper, good_review, serves};

#[tokio::test]
async fn a_pod_with_a_thousand_references_and_names_that_are_not_valid() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "references", async |ns| {
        let proxy = FaultProxy::start(cluster).await?;
        let options = WebhookOptions { kubeconfig: Some(proxy.kubeconfig()), ..ns.webhook_options() };
        let webhook = Webhook::start(cluster, options).await?;
        let (caller, process) = (webhook.caller().await?, webhook.id()?);
        let with_names = |names: &[String]| {
            let from = names.iter().map(|name| json!({"configMapRef": {"name": name}}));
            let from: Vec<_> = from.collect();
            let volumes = names.iter().map(|name| json!({"name": name, "secret": {"secretName": name}}));
            let volumes: Vec<_> = volumes.collect();
            let mounts: Vec<_> = names.iter().map(|name| json!({"name": name, "mountPath": "/m"})).collect();
            review(
                ns.name(),
                &json!({
                    "metadata": {"name": "p"},
                    "spec": {
                        "volumes": volumes,
                        "containers": [{"name": "c", "envFrom": from, "volumeMounts": mounts}],
                    },
                }),
            )
        };
        // Small elements that become large ones: of three bytes, or of every container.
        let used = json!({"name": "v", "configMap": {"name": "settings"}});
        let mut volumes = vec![used; 1];
        volumes.resize(150_000, json!({"name": "", "emptyDir": {}}));
        let containers: Vec<_> = (0..1000).map(|i| json!({"name": format!("c{i}")})).collect();
        let extra: Vec<_> = (0..10_000).map(|i| format!("cm/a{i}")).collect();
        let mut answered = 0.0;
        for pod in [
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}], "volumes": volumes}}),
            json!({"metadata": {"name": "p"}, "spec": {"containers": vec![json!({}); 900_000]}}),
            json!({
                "metadata": {"name": "p", "annotations": {"kubectl-reload.dev/extra": extra.join(",")}},
                "spec": {"containers": containers},
            }),
        ] {
            let review = review(ns.name(), &pod).to_string();
            let answers = (0..4).map(|_| ask(&caller, review.clone()));
            for answer in futures::future::try_join_all(answers).await? {
                ensure_proper(&answer)?;
                answered += if answer.status == 200 { 1.0 } else { 0.0 };
            }
        }
        let metrics = webhook.metrics().await?;
        let reviews = |result| metrics.sum("kubectl_reload_webhook_reviews_total", &[("result", result)]);
        let (refused, shed) = (reviews("too_many_references"), reviews("shed"));
        // A busy machine may not come to read them, or to look at how large they are.
        ensure!(
            refused > 0.0 && refused + shed == answered,
            "{refused} of {answered} were refused, {shed} were shed"
        );

        let thousand: Vec<_> = (0..500).map(|i| format!("source-{i}")).collect();
        for _ in 0..3 {
            ensure_proper(&ask(&caller, with_names(&thousand).to_string()).await?)?;
        }

        let odd = [
            "",
            ".",
            "..",
            "../../../../version",
            "a/b",
            "a%2fb",
            "a b",
            "A",
            "ä",
            "a\0b",
            "a\r\nHost: x",
            "a?b=c",
            "-",
        ];
        let mut odd: Vec<_> = odd.map(str::to_owned).to_vec();
        odd.push("a".repeat(1 << 18));
        proxy.forget();
        for name in &odd {
            let answer = ask(&caller, with_names(std::slice::from_ref(name)).to_string()).await?;
            ensure_proper(&answer)?;
            let mut review = good_review(&ns)?;
            review["request"]["namespace"] = json!(name);
            ensure_proper(&ask(&caller, review.to_string()).await?)?;
        }
        let own = &webhook.options().install_namespace;
        for seen in proxy.seen() {
            let plain = |part: &str| {
                part.len() < 254
                    && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
            };
            let parts: Vec<_> = seen.path.split('/').skip(1).collect();
            let proper = seen.method == Method::GET
                && matches!(&parts[..], ["api", "v1", "namespaces", namespace, "configmaps" | "secrets", name]
                    if plain(namespace) && plain(name) && ![".", ".."].contains(namespace));
            // Its own Secrets and its registration it looks after meanwhile.
            let kept = seen.path.contains(own) || !seen.path.contains("/namespaces/");
            ensure!(proper || kept, "it asked the API server: {} {:?}", seen.method, seen.path);
        }
        ensure_bounded(&webhook, process)?;
        serves(&caller, &ns).await
    })
    .await
}
