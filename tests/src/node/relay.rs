//! The way from a machine to our own loopback interface, where the API server listens.

use std::net::{SocketAddr, TcpListener as Listener};
use std::thread;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Hands connections on until it is dropped. It has a thread of its own, for it outlives the
/// runtime of the test that started it.
#[derive(Debug)]
pub(super) struct Relay {
    _open: oneshot::Sender<()>,
}

impl Relay {
    /// From one address to another.
    pub(super) fn open(from: SocketAddr, to: SocketAddr) -> Result<Self> {
        let listener = Listener::bind(from).with_context(|| format!("cannot listen on {from}"))?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (open, closed) = oneshot::channel::<()>();
        thread::Builder::new().name("relay".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = closed => Ok(()),
                    ended = relay(listener, to) => ended,
                }
            })
        })?;
        Ok(Self { _open: open })
    }
}

async fn relay(listener: Listener, to: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (mut from, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut to = TcpStream::connect(to).await?;
            copy_bidirectional(&mut from, &mut to).await
        });
    }
}
