//! The end: signals, and what is left to do after the first.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum_server::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, caught from the moment this is made: as the first process of a container it
/// would not end by them otherwise.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn install() -> anyhow::Result<Self> {
        let catch = |kind| signal(kind).context("signals cannot be caught");
        Ok(Self { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    /// The next of either.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Serves on for `delay`, since requests come here until everybody knows that this replica is not
/// ready any more; then lets open requests end, for at most `limit`.
pub(super) async fn drain(handle: &Handle<SocketAddr>, delay: Duration, limit: Duration) {
    tracing::info!("draining");
    tokio::time::sleep(delay).await;
    handle.graceful_shutdown(Some(limit));
    let drained = async {
        while handle.connection_count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(limit, drained).await.is_err() {
        tracing::warn!(connections = handle.connection_count(), "ending with requests open");
    }
}
