//! The server: its parts, how they start, how they end.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use clap::Parser;
use kube::Client;
use socket2::SockRef;
use tokio::net::TcpSocket;

use crate::admission::Recorder;
use crate::api::{self, ApiServer};
use crate::args::{Args, parse_delay, parse_duration};
use crate::certificates::{Certificates, Served};
use crate::hash_key::Search;
use crate::health::Health;
use crate::limits::Room;
use crate::metrics::Metrics;
use crate::router::{App, router};
use crate::server::connection::Connections;
use crate::server::shutdown::Signals;
use crate::server::tasks::Tasks;
use crate::server_clock::ServerClock;
use crate::sources::Sources;

mod connection;
mod shutdown;
mod tasks;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a connection may wait for a request, until its headers are there. The API server sends one
/// at a time over each of its connections (HTTP/1.1), opens some that it comes to use later, and closes
/// them after 90 s without use: were it sooner here, now and then a review would meet a connection that
/// is just closed, and be lost.
const NEXT_REQUEST: Duration = Duration::from_secs(120);

/// The most that is read ahead of a connection, its headers included, in bytes.
const READ_AHEAD: usize = 16 * 1024;

/// How much longer than a review a connection beyond the usual number may last.
const SPARE: Duration = Duration::from_millis(500);

/// Where and how it serves.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Serving")]
pub(crate) struct ServingArgs {
    /// Address and port to serve on: reviews, /livez, /readyz and /metrics, all over TLS. [::] is all
    /// addresses, those of IPv4 too.
    #[arg(long, env = "KUBECTL_RELOAD_LISTEN", default_value = "0.0.0.0:8443")]
    pub(crate) listen: SocketAddr,

    /// How long one review may take; keep it under the registration's timeoutSeconds.
    #[arg(long, env = "KUBECTL_RELOAD_DEADLINE", default_value = "1500ms", value_parser = parse_duration)]
    pub(crate) deadline: Duration,

    /// How long to go on serving after SIGTERM, not ready any more, until nobody sends requests here.
    #[arg(long, env = "KUBECTL_RELOAD_SHUTDOWN_DELAY", default_value = "3s", value_parser = parse_delay)]
    pub(crate) shutdown_delay: Duration,

    /// How long open requests may then take to end.
    #[arg(long, env = "KUBECTL_RELOAD_DRAIN", default_value = "10s", value_parser = parse_duration)]
    pub(crate) drain: Duration,
}

/// All that is made before anything is waited for.
struct Parts {
    socket: TcpSocket,
    certificates: Certificates,
    connections: Connections,
    shared: Shared,
}

/// Serves until SIGTERM or SIGINT, then drains; a second signal ends it at once.
///
/// # Errors
/// What keeps it from starting or from serving.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut signals = Signals::install()?;
    let serving = args.serving.clone();
    let parts = Parts::new(args).await?;
    let health = parts.shared.app.health.clone();
    let handle = Handle::new();
    let mut tasks = Tasks::default();
    // A signal counts from the start: a certificate may be long in coming.
    tokio::select! {
        started = parts.start(&handle, &mut tasks) => started?,
        () = signals.next() => return Ok(()),
    }
    tracing::info!(address = %serving.listen, "serving");
    tokio::select! {
        error = tasks.ended() => return Err(error),
        () = signals.next() => {}
    }
    health.drains();
    tokio::select! {
        () = shutdown::drain(&handle, serving.shutdown_delay, serving.drain) => {}
        () = signals.next() => tracing::warn!("a second signal: ending at once"),
    }
    Ok(())
}

/// The routes over an API server, by the default flags and without anything in the background: for
/// tests, which call them with no listener and no certificate.
///
/// # Errors
/// Environment variables that are no flags.
pub fn router_over(client: Client) -> Result<Router, clap::Error> {
    let args = Args::try_parse_from(["kubectl-reload-webhook"])?;
    Ok(router(Shared::new(&client, &args).app))
}

/// What the handlers share, and what in the background shares it with them.
struct Shared {
    app: Arc<App>,
    search: Search,
    clock: Arc<ServerClock>,
    api: Arc<ApiServer>,
}

impl Shared {
    fn new(client: &Client, args: &Args) -> Self {
        let clock = Arc::new(ServerClock::default());
        let metrics = Arc::new(Metrics::new());
        let deadline = args.serving.deadline;
        let api = Arc::new(ApiServer::new(client.clone(), clock.clone(), deadline));
        let namespace = args.cluster.namespace.clone();
        let (search, hash_key) = Search::new(client.clone(), api.clone(), metrics.clone(), namespace);
        let app = Arc::new(App {
            recorder: Recorder {
                sources: Sources::new(api.clone(), args.limits.max_reads, metrics.clone()),
                clock: clock.clone(),
                hash_key,
                args: args.records.clone(),
            },
            room: Room::new(args.limits.max_reviews),
            health: Arc::new(Health::new(api.clone(), clock.clone())),
            metrics,
            deadline,
            namespace: args.cluster.namespace.clone(),
        });
        Self { app, search, clock, api }
    }
}

impl Parts {
    async fn new(args: Args) -> anyhow::Result<Self> {
        let client = api::client(&args.cluster, args.serving.deadline).await?;
        let certificates = Certificates::new(&args.certificates, &client, &args.cluster.namespace)?;
        let shared = Shared::new(&client, &args);
        let life = args.serving.deadline + SPARE;
        let refused = shared.app.metrics.refused_connections.clone();
        let connections = Connections::new(args.limits.max_connections, life, refused);
        let socket = bind(args.serving.listen)?;
        Ok(Self { socket, certificates, connections, shared })
    }

    /// Returns when all is under way.
    async fn start(self, handle: &Handle<SocketAddr>, tasks: &mut Tasks) -> anyhow::Result<()> {
        let Self { socket, certificates, connections, shared } = self;
        let Shared { app, search, clock, api } = shared;
        // Certificates and records are dated by the API server's clock.
        api.ping().await;
        if api.answered_at().is_none() {
            tracing::warn!("the API server does not tell the time yet; this host's clock is used");
        }
        let first = certificates.first(&clock).await?;
        // Not before: whoever connects to a server that cannot answer waits for nothing.
        let listener = socket.listen(BACKLOG)?.into_std()?;
        let tls = RustlsConfig::from_config(first.config.clone());
        let served = Served { tls: tls.clone(), health: app.health.clone(), metrics: app.metrics.clone() };
        served.tell(&first);
        let mut server = axum_server::from_tcp(listener)?
            .acceptor(RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE).acceptor(connections))
            .first_request_timeout(NEXT_REQUEST)
            // As the API server calls webhooks: the number of connections is that of requests at once.
            .http1_only()
            .handle(handle.clone());
        server.http_builder().http1().header_read_timeout(NEXT_REQUEST).max_buf_size(READ_AHEAD);
        let health = app.health.clone();
        let secrets = app.recorder.args.secrets;
        let guard = app.recorder.sources.guard();
        let service = router(app).into_make_service();
        tasks.spawn("the server", async move { server.serve(service).await });
        tasks.spawn("the keeper of certificates", certificates.keep(first, served, clock));
        tasks.spawn("the watch over the API server", async move { guard.keep_watch().await });
        handle.listening().await.context("the server does not listen")?;
        health.listens();
        // The hash key comes first: a pod admitted before it has no content of its Secrets recorded.
        if secrets {
            let wait = search.once().await;
            tasks.spawn("the watch over the hash key", async move { search.keep_watch(wait).await });
        }
        health.searched_hash_key();
        Ok(())
    }
}

/// Takes the address, so that a wrong one is told at once, and does not accept connections yet. All
/// addresses of a host without IPv6 are those of IPv4.
fn bind(address: SocketAddr) -> anyhow::Result<TcpSocket> {
    let bound = match bound(address) {
        Err(error) if is_all_of_ipv6(address) && error.kind() != ErrorKind::AddrInUse => {
            bound(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        bound => bound,
    };
    bound.with_context(|| format!("cannot listen on {address}: choose another address by --listen"))
}

fn bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    if is_all_of_ipv6(address) {
        // Those of IPv4 too, also where a host is set to keep them apart.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    socket.bind(address)?;
    Ok(socket)
}

fn is_all_of_ipv6(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[tokio::test]
    async fn all_addresses_are_those_of_both_families() {
        let listener = bind((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap().listen(1).unwrap();
        if listener.local_addr().unwrap().is_ipv6() {
            assert!(!SockRef::from(&listener).only_v6().unwrap());
        }
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    }
}
