//! Connections: so many at once, and none that stays silent for minutes.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use futures::future::{Ready, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// How long a connection may be silent, whatever it speaks. The API server closes its own after 90 s
/// without use, so that this never comes between a request and its connection.
const SILENCE: Duration = Duration::from_secs(180);

/// Takes connections in while there are not too many, and closes the others at once.
#[derive(Clone)]
pub(super) struct Connections(Arc<Semaphore>);

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
}

impl<S> Accept<TcpStream, S> for Connections {
    type Stream = Connection<TcpStream>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(match self.0.clone().try_acquire_owned() {
            Err(_) => Err(io::Error::other("too many connections")),
            // Answers are small and written whole.
            Ok(permit) => stream.set_nodelay(true).map(|()| (Connection::new(stream, permit), service)),
        })
    }
}

/// A connection that ends with an error when nothing comes for too long.
pub(super) struct Connection<S> {
    stream: S,
    _permit: OwnedSemaphorePermit,
    silence: Pin<Box<Sleep>>,
}

impl<S> Connection<S> {
    fn new(stream: S, permit: OwnedSemaphorePermit) -> Self {
        Self { stream, _permit: permit, silence: Box::pin(sleep(SILENCE)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match pin!(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(read) => {
                self.silence.as_mut().reset(Instant::now() + SILENCE);
                Poll::Ready(read)
            }
            Poll::Pending => match self.silence.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        pin!(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn connection(
        most: usize,
    ) -> (Connection<tokio::io::DuplexStream>, tokio::io::DuplexStream, Connections) {
        let connections = Connections::new(most);
        let (ours, theirs) = tokio::io::duplex(64);
        let permit = connections.0.clone().try_acquire_owned().unwrap();
        (Connection::new(ours, permit), theirs, connections)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_and_one_that_speaks_now_and_then_does_not() {
        let (mut ours, mut theirs, _) = connection(1);
        let mut byte = [0];
        for _ in 0..3 {
            tokio::time::advance(SILENCE - Duration::from_secs(1)).await;
            theirs.write_all(b"x").await.unwrap();
            ours.read_exact(&mut byte).await.unwrap();
        }
        let error = ours.read_exact(&mut byte).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn one_too_many_is_closed_and_there_is_room_again_when_another_ends() {
        let (ours, _theirs, connections) = connection(1);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accept = async || {
            let client = TcpStream::connect(address).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            (connections.accept(stream, ()).await.is_ok(), client)
        };
        assert!(!accept().await.0);
        drop(ours);
        assert!(accept().await.0);
    }
}
