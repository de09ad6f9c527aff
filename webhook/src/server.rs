//! The server: its parts, its router, its life.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use reload_certs::{Event, Names, OwnCertificates};
use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};

use crate::admission::Recorder;
use crate::args::Args;
use crate::hash_key;
use crate::health::Readiness;
use crate::metrics::Metrics;
use crate::review;
use crate::server_clock::ServerClock;
use crate::sources::Sources;

/// The largest review that is read, in bytes: the API server sends objects of up to 3 MiB.
const MAX_REVIEW: usize = 4 * 1024 * 1024;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long to wait between tries to obtain the first certificate.
const RETRY: Duration = Duration::from_secs(1);

/// What the handlers share.
struct App {
    recorder: Recorder,
    metrics: Metrics,
    readiness: Arc<Readiness>,
}

/// Serves until SIGTERM or SIGINT, then drains; a second signal ends it at once.
///
/// # Errors
/// What keeps it from starting or from serving.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let client = client(&args).await?;
    let socket = bind(args.listen)?;
    let clock = Arc::new(ServerClock::default());
    let names = names(&args)?;
    let certificates = OwnCertificates::new(
        client.clone(),
        &args.namespace,
        &args.certificates,
        names,
        Some(args.registration.clone()),
    );
    let sources = Sources::new(client.clone(), clock.clone());
    let (search, hash_key) = hash_key::Search::new(client.clone(), sources.clone(), args.namespace.clone());
    let readiness = Arc::new(Readiness::default());
    let app = Arc::new(App {
        recorder: Recorder {
            sources,
            clock: clock.clone(),
            hash_key,
            deadline: args.deadline,
            ignore: args.ignore,
            secrets: args.secrets,
            secret_key_names: args.secret_key_names,
        },
        metrics: Metrics::new(),
        readiness: readiness.clone(),
    });

    let now = || clock.now();
    set_clock(&client, &clock).await;
    let serving = first_certificate(&certificates, now).await;
    // Not before: whoever connects to a server that cannot answer waits for nothing.
    let listener = socket.listen(BACKLOG)?.into_std()?;
    let tls = RustlsConfig::from_config(serving.config.clone());
    let renewal = {
        let tls = tls.clone();
        certificates.run(serving, now, move |event| match event {
            Event::Changed(serving) => {
                tracing::info!(not_after = %serving.not_after, "serving a new certificate");
                tls.reload_from_config(serving.config);
            }
            Event::Unchanged(_) => {}
            Event::Failed { error, retry_in } => {
                tracing::error!(
                    ?retry_in,
                    "{:#}; the last certificate goes on being served",
                    anyhow::Error::new(error)
                );
            }
        })
    };

    let handle = Handle::new();
    let server = axum_server::from_tcp_rustls(listener, tls)?
        .handle(handle.clone())
        .serve(router(app).into_make_service());
    let listening = async {
        // The hash key comes first: a pod admitted before it has no content of its Secrets recorded.
        if args.secrets {
            search.once().await;
        }
        handle.listening().await;
        readiness.open();
        tracing::info!(address = %args.listen, "ready");
        match args.secrets {
            true => search.keep_watch().await,
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        result = server => result.context("the server ended"),
        never = renewal => match never {},
        () = listening => Ok(()),
        result = drain(&handle, &readiness, args.shutdown_delay, args.drain) => result,
    }
}

/// The routes, as a value that tests can call.
fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/mutate", post(mutate))
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(MAX_REVIEW))
        .with_state(app)
}

async fn mutate(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let start = Instant::now();
    let Ok(request) = review::parse(&body) else {
        app.metrics.malformed.inc();
        return (StatusCode::BAD_REQUEST, review::NoReview.to_string()).into_response();
    };
    let answer = review::answer(&app.recorder, &app.metrics, &request).await;
    app.metrics.duration.observe(start.elapsed().as_secs_f64());
    axum::Json(answer).into_response()
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    if app.readiness.is_open() {
        "ok".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready").into_response()
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.encode() {
        Ok(text) => {
            let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, form)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn client(args: &Args) -> anyhow::Result<Client> {
    let mut config = match &args.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path)
                .with_context(|| format!("cannot read --kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.context("--kubeconfig")?
        }
        None => Config::infer().await.context(
            "no cluster to connect to: run in a pod with a service account, or name a kubeconfig file by --kubeconfig",
        )?,
    };
    config.connect_timeout = Some(args.deadline);
    Client::try_from(config).context("cannot make a client of the kubeconfig")
}

/// Takes the address, so that a wrong one is told at once, and does not accept connections yet.
fn bind(address: SocketAddr) -> anyhow::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket
        .bind(address)
        .with_context(|| format!("cannot listen on {address}: choose another address by --listen"))?;
    Ok(socket)
}

/// Asks the API server for the time, which certificates and records are dated by.
async fn set_clock(client: &Client, clock: &ServerClock) {
    let request = http::Request::get("/version").body(kube::client::Body::empty());
    let Ok(request) = request else { return };
    match tokio::time::timeout(RETRY, client.send(request)).await {
        Ok(Ok(response)) => clock.observe(response.headers()),
        _ => tracing::warn!("the API server does not tell the time yet; this host's clock is used"),
    }
}

fn names(args: &Args) -> anyhow::Result<Names> {
    let service = || format!("kubectl-reload-webhook.{}.svc", args.namespace).parse();
    let names = match args.hostnames.is_empty() {
        true => vec![service().context("--namespace")?],
        false => args.hostnames.clone(),
    };
    Names::new(names).context("--hostname")
}

async fn first_certificate(
    certificates: &OwnCertificates,
    now: impl Fn() -> jiff::Timestamp,
) -> reload_certs::Serving {
    loop {
        match certificates.ensure(now()).await {
            Ok(serving) => return serving,
            Err(error) => {
                tracing::error!("no certificate to serve yet: {:#}", anyhow::Error::new(error));
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Waits for a signal, withdraws readiness, serves on for a while, lets open requests end. A second
/// signal ends it at once.
async fn drain(
    handle: &Handle<SocketAddr>,
    readiness: &Readiness,
    delay: Duration,
    limit: Duration,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining");
    readiness.close();
    let drained = async {
        tokio::time::sleep(delay).await;
        handle.graceful_shutdown(Some(limit));
        while handle.connection_count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(delay + limit) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
