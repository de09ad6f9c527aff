//! Connections: so many at once, and none that stays silent for minutes.

use std::future::{Ready, ready};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::response::Response;
use axum_server::accept::Accept;
use http::HeaderValue;
use http::header::CONNECTION;
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tower::util::MapResponse;

/// How long a connection may be silent, whatever it speaks, and also while it does not take what is
/// sent to it. The API server closes its own after 90 s without use, so that this never comes between
/// a request and its connection.
const SILENCE: Duration = Duration::from_secs(180);

/// Places beyond those of which idle connections can take all: whoever gets one has it for one request
/// and for seconds. So the kubelet's probes and some reviews get through whatever others keep open.
const SPARE: usize = 64;

/// Takes connections in while there are not too many, and closes the others at once.
#[derive(Clone)]
pub(super) struct Connections {
    usual: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    /// How long a connection on a spare place lasts.
    life: Duration,
    refused: Counter,
}

impl Connections {
    pub(super) fn new(most: usize, life: Duration, refused: Counter) -> Self {
        let [usual, spare] = [most, SPARE].map(|places| Arc::new(Semaphore::new(places)));
        Self { usual, spare, life, refused }
    }

    /// A place for one more, and whether it is a spare one.
    fn place(&self) -> Option<(OwnedSemaphorePermit, bool)> {
        let take = |places: &Arc<Semaphore>| places.clone().try_acquire_owned().ok();
        let usual = take(&self.usual).map(|place| (place, false));
        usual.or_else(|| take(&self.spare).map(|place| (place, true)))
    }
}

/// What becomes of the answers over a connection.
type OnAnswer = fn(Response) -> Response;

/// The connection ends after this answer, and whoever called knows it.
fn last(mut answer: Response) -> Response {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

impl<S> Accept<TcpStream, S> for Connections {
    type Stream = Connection<TcpStream>;
    type Service = MapResponse<S, OnAnswer>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Some((place, is_spare)) = self.place() else {
            self.refused.inc();
            return ready(Err(io::Error::other("too many connections")));
        };
        let (connection, on_answer): (_, OnAnswer) = match is_spare {
            true => (Connection::for_at_most(self.life, stream, place), last),
            false => (Connection::unless_silent(stream, place), |answer| answer),
        };
        // Answers are small and written whole.
        let set = connection.stream.set_nodelay(true);
        ready(set.map(|()| (connection, MapResponse::new(service, on_answer))))
    }
}

/// A connection that ends with an error when its time is over.
pub(super) struct Connection<S> {
    stream: S,
    _place: OwnedSemaphorePermit,
    end: Pin<Box<Sleep>>,
    /// Whether what comes puts the end off.
    lasts: bool,
}

impl<S> Connection<S> {
    /// Until nothing has come for too long.
    fn unless_silent(stream: S, place: OwnedSemaphorePermit) -> Self {
        Self { stream, _place: place, end: Box::pin(sleep(SILENCE)), lasts: true }
    }

    /// For so long, whatever comes.
    fn for_at_most(life: Duration, stream: S, place: OwnedSemaphorePermit) -> Self {
        Self { stream, _place: place, end: Box::pin(sleep(life)), lasts: false }
    }

    /// What is under way, unless the time is over; where what comes puts that off, unless it waits, too.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if (polled.is_pending() || !self.lasts) && self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = pin!(&mut self.stream).poll_read(cx, buf);
        if polled.is_ready() && self.lasts {
            self.end.as_mut().reset(Instant::now() + SILENCE);
        }
        self.in_time(cx, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = pin!(&mut self.stream).poll_write(cx, buf);
        self.in_time(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = pin!(&mut self.stream).poll_flush(cx);
        self.in_time(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = pin!(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, polled)
    }
}

#[cfg(test)]
mod tests;
