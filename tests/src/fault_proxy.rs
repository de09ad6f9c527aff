//! An API server that fails on demand: a proxy between a client and the real one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum_server::Handle;
use futures::stream;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, DATE, HOST, RETRY_AFTER};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use kube::Client;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;
use crate::port::Port;

/// The longest body that it hands on, in bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// What the API server does wrong, to every request that reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is slow by this much.
    Slow(Duration),
    /// It answers with this status at once, and `Retry-After: 1`.
    Status(u16),
    /// It ends the connection in the middle of the answer.
    Cut,
    /// It does what it is asked, and ends the connection in the middle of the answer to everything but
    /// a GET.
    Lost,
    /// Nobody listens, and what was open is closed.
    Gone,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// `GET`.
    pub method: Method,
    /// Without the query.
    pub path: String,
}

/// Stands between a client and the API server, with the administrator's rights. Ends when dropped,
/// and with the runtime in which it was started.
pub struct FaultProxy {
    port: Port,
    kubeconfig: PathBuf,
    shared: Arc<Shared>,
    /// `None` while it is gone.
    server: Mutex<Option<Server>>,
}

struct Shared {
    client: Client,
    fault: Mutex<Option<Fault>>,
    /// What every request meets from the first one on that is of this method and whose path begins so.
    awaited: Mutex<Option<(Method, String, Fault)>>,
    seen: Mutex<Vec<Seen>>,
    /// How far its clock is ahead.
    ahead: Mutex<SignedDuration>,
}

struct Server {
    handle: Handle<SocketAddr>,
    task: JoinHandle<std::io::Result<()>>,
}

impl FaultProxy {
    /// One that hands everything on.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let port = Port::claim()?;
        let kubeconfig = cluster.folder().join(format!("fault-proxy-{}", port.number()));
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}],
            "clusters": [{"name": "proxy", "cluster": {
                "server": format!("http://127.0.0.1:{}", port.number()),
            }}],
            "users": [{"name": "nobody", "user": {}}],
        });
        std::fs::write(&kubeconfig, text.to_string())?;
        let shared = Arc::new(Shared {
            client: cluster.client().await?,
            fault: Mutex::default(),
            awaited: Mutex::default(),
            seen: Mutex::default(),
            ahead: Mutex::default(),
        });
        let server = Server::start(&port, shared.clone())?;
        Ok(Self { port, kubeconfig, shared, server: Mutex::new(Some(server)) })
    }

    /// A kubeconfig that leads to it.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// From now on every request meets this fault, those included that come over an open connection.
    pub async fn fail(&self, fault: Fault) {
        *lock(&self.shared.fault) = Some(fault);
        let server = lock(&self.server).take_if(|_| fault == Fault::Gone);
        if let Some(Server { handle, task }) = server {
            handle.shutdown();
            // It frees the port; how it ended makes no difference.
            let _ = task.await;
        }
    }

    /// The same, from the first request of this method on whose path begins so: in the midst of a command.
    pub fn fail_from(&self, method: Method, path: &str, fault: Fault) {
        *lock(&self.shared.awaited) = Some((method, path.to_owned(), fault));
    }

    /// Ends the fault. A request that is held up goes on being so.
    pub fn mend(&self) -> Result<()> {
        *lock(&self.shared.awaited) = None;
        *lock(&self.shared.fault) = None;
        let mut server = lock(&self.server);
        if server.is_none() {
            *server = Some(Server::start(&self.port, self.shared.clone())?);
        }
        Ok(())
    }

    /// From now on its answers are dated so much later.
    pub fn set_clock_ahead(&self, ahead: SignedDuration) {
        *lock(&self.shared.ahead) = ahead;
    }

    /// What has come in since the start or the last [`forget`](Self::forget).
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// When the requests of this kind came in, in order.
    pub fn times(&self, method: &Method, path: &str) -> Vec<Instant> {
        let seen = lock(&self.shared.seen);
        seen.iter().filter(|seen| seen.method == *method && seen.path == path).map(|seen| seen.at).collect()
    }

    /// Begins to count anew.
    pub fn forget(&self) {
        lock(&self.shared.seen).clear();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(server) = lock(&self.server).take() {
            server.handle.shutdown();
        }
    }
}

/// The most that come in within any span of this length.
pub fn most_within(times: &[Instant], span: Duration) -> usize {
    let from = |first: usize| times[first..].iter().take_while(|&&at| at < times[first] + span).count();
    (0..times.len()).map(from).max().unwrap_or(0)
}

impl Server {
    fn start(port: &Port, shared: Arc<Shared>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number()))
            .with_context(|| format!("the fault proxy's port {} is taken", port.number()))?;
        listener.set_nonblocking(true)?;
        let handle = Handle::new();
        let router = Router::new().fallback(answer).with_state(shared);
        let server = axum_server::from_tcp(listener)?.handle(handle.clone());
        let task = tokio::spawn(server.serve(router.into_make_service()));
        Ok(Self { handle, task })
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let seen =
        Seen { at: Instant::now(), method: request.method().clone(), path: request.uri().path().to_owned() };
    let begins = |(method, path, _): &mut (Method, String, Fault)| {
        seen.method == *method && seen.path.starts_with(path.as_str())
    };
    if let Some((_, _, fault)) = lock(&shared.awaited).take_if(begins) {
        *lock(&shared.fault) = Some(fault);
    }
    lock(&shared.seen).push(seen);
    let fault = *lock(&shared.fault);
    match fault {
        None => {}
        Some(Fault::Lost) if request.method() == Method::GET => {}
        Some(Fault::Lost) => {
            // What comes of it is not the caller's to know.
            let _ = pass(&shared.client, request).await;
            return cut();
        }
        Some(Fault::Slow(delay)) => sleep(delay).await,
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return (status, [(RETRY_AFTER, "1")], "a fault that a test wants").into_response();
        }
        // Requests of connections that were open when it went.
        Some(Fault::Cut | Fault::Gone) => return cut(),
    }
    let ahead = *lock(&shared.ahead);
    match pass(&shared.client, request).await {
        Ok(answer) => dated(answer, ahead),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// With another date, where the clock is ahead.
fn dated(mut answer: Response, ahead: SignedDuration) -> Response {
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&(jiff::Timestamp::now() + ahead));
    if let Some(date) = date.ok().filter(|_| !ahead.is_zero()).and_then(|date| date.parse().ok()) {
        answer.headers_mut().insert(DATE, date);
    }
    answer
}

async fn pass(client: &Client, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    for own in [HOST, AUTHORIZATION] {
        parts.headers.remove(own);
    }
    let body = to_bytes(body, MAX_BODY).await?;
    let request = http::Request::from_parts(parts, kube::client::Body::from(body));
    Ok(client.send(request).await?.map(Body::new))
}

/// Less than it promised: the server then ends the connection.
fn cut() -> Response {
    let start = Ok(Bytes::from_static(br#"{"kind":"#));
    let end = Err(std::io::Error::other("cut"));
    ([(CONTENT_LENGTH, "4096")], Body::from_stream(stream::iter([start, end]))).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
