//! Connections that are opened for no good.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reload_tests::webhook::{Caller, Wire};
use reload_tests::{Cluster, Webhook, eventually, with_namespace};

use super::{PATIENCE, ensure_bounded, good_review, serves};

#[tokio::test]
async fn clients_that_dawdle_are_cut_off_and_others_are_served_meanwhile() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "slow-loris", async |ns| {
        let webhook = ns.webhook().await?;
        let (caller, process) = (webhook.caller().await?, webhook.id()?);
        let (port, bundle) = (webhook.port(), webhook.bundle().await?);
        let body = good_review(&ns)?.to_string();
        let head = format!(
            "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let endless = format!("{head}X: {}", "x".repeat(15_000));
        let starts: [(&str, bool, Vec<u8>); 7] = [
            ("nothing", false, Vec::new()),
            ("garbage for TLS", false, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
            // A handshake record that announces 16 kB, of which little comes.
            ("half of a handshake", false, vec![22, 3, 1, 64, 0, 1, 0, 63]),
            ("nothing over TLS", true, Vec::new()),
            ("half of a head", true, head.clone().into_bytes()),
            ("a large head without an end", true, endless.into_bytes()),
            ("half of a body", true, format!("{head}\r\n{}", &body[..body.len() / 2]).into_bytes()),
        ];
        let mut dawdlers = Vec::new();
        // More than once, so that they are not the only ones who wait.
        for (what, tls, bytes) in std::iter::repeat_n(starts, 20).flatten() {
            let bundle = bundle.clone();
            dawdlers.push((
                what,
                tokio::task::spawn_blocking(move || {
                    let mut wire = match tls {
                        true => Wire::tls(port, &bundle, PATIENCE)?,
                        false => Wire::plain(port, PATIENCE)?,
                    };
                    wire.send(&bytes)?;
                    wire.closed()
                }),
            ));
        }
        let mut served = 0;
        while dawdlers.iter().any(|(_, dawdler)| !dawdler.is_finished()) {
            serves(&caller, &ns).await?;
            served += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ensure!(served > 0, "nobody dawdled");
        for (what, dawdler) in dawdlers {
            let received = dawdler.await?.with_context(|| what.to_owned())?;
            let text = String::from_utf8_lossy(&received);
            ensure!(!text.starts_with("HTTP/1.1 2") && !text.starts_with("HTTP/1.1 5"), "{what}: {text}");
        }
        ensure_bounded(&webhook, process)
    })
    .await
}

/// As long as the API server keeps a connection without use (90 s) would take too long to see; what ended
/// such connections early was the time that a first request may take.
#[tokio::test]
async fn a_connection_without_use_outlives_what_a_first_request_may_take() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "idle", async |ns| {
        let webhook = ns.webhook().await?;
        let (port, bundle) = (webhook.port(), webhook.bundle().await?);
        let body = good_review(&ns)?.to_string();
        let request = format!(
            "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answers = tokio::task::spawn_blocking(move || -> Result<[String; 2]> {
            let mut wire = Wire::tls(port, &bundle, PATIENCE)?;
            wire.send(request.as_bytes())?;
            let first = wire.answer()?;
            std::thread::sleep(Duration::from_secs(15));
            wire.send(request.as_bytes())?;
            Ok([first, wire.answer()?])
        });
        for answer in answers.await?? {
            ensure!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"patch\""), "{answer}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_head_larger_than_any_of_the_api_server_is_refused() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "large-head", async |ns| {
        let webhook = ns.webhook().await?;
        let (port, bundle) = (webhook.port(), webhook.bundle().await?);
        let received = tokio::task::spawn_blocking(move || {
            let mut wire = Wire::tls(port, &bundle, PATIENCE)?;
            wire.send(format!("POST /mutate HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(20_000)).as_bytes())?;
            wire.closed()
        });
        let text = String::from_utf8_lossy(&received.await??).into_owned();
        ensure!(text.starts_with("HTTP/1.1 431"), "{text}");
        Ok(())
    })
    .await
}

/// The places that there are beyond `--max-connections`.
const SPARE: usize = 64;

#[tokio::test]
async fn idle_connections_on_all_places_keep_neither_probes_nor_reviews_out() -> Result<()> {
    const PLACES: usize = 8;
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "all-places", async |ns| {
        let mut options = ns.webhook_options();
        options.flags.push(format!("--max-connections={PLACES}"));
        let webhook = Webhook::start(cluster, options).await?;
        let (port, bundle) = (webhook.port(), webhook.bundle().await?);
        let idle = move |count: usize| {
            let bundle = bundle.clone();
            tokio::task::spawn_blocking(move || {
                (0..count).map(|_| Wire::tls(port, &bundle, PATIENCE)).collect::<Vec<_>>()
            })
        };
        let _idle = idle(PLACES).await?.into_iter().collect::<Result<Vec<_>>>()?;
        for _ in 0..20 {
            // As the kubelet asks, over a new connection each time.
            Caller::anyone(port).await?.get("/livez").await?;
            serves(&webhook.caller().await?, &ns).await?;
        }
        // Those on the spare places too, for a moment.
        let more = idle(SPARE + PLACES).await?;
        drop(more);
        eventually("probes and reviews get through again", Duration::from_secs(15), async || {
            Caller::anyone(port).await?.get("/livez").await?;
            serves(&webhook.caller().await?, &ns).await
        })
        .await
    })
    .await
}

#[tokio::test]
async fn connections_beyond_all_places_are_counted_and_idle_ones_beyond_the_usual_end_soon() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "beyond", async |ns| {
        let mut options = ns.webhook_options();
        options.flags.push("--max-connections=1".to_owned());
        let webhook = Webhook::start(cluster, options).await?;
        let port = webhook.port();
        let opened = tokio::task::spawn_blocking(move || {
            (0..SPARE + 40).map(|_| Wire::plain(port, PATIENCE)).collect::<Result<Vec<_>>>()
        });
        let _opened = opened.await??;
        eventually("some were refused, and there is a place again", Duration::from_secs(15), async || {
            let refused =
                webhook.metrics().await?.sum("kubectl_reload_webhook_refused_connections_total", &[]);
            ensure!(refused > 0.0, "none was refused");
            serves(&webhook.caller().await?, &ns).await
        })
        .await
    })
    .await
}
