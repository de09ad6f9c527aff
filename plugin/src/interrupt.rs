//! Ctrl-C: nothing new is begun, and what was begun is told. Once more ends at once.

use std::io;

use tokio::sync::watch;

use crate::screen::Screen;

/// The exit code of a command that was interrupted: 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Whether somebody wants it to end.
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// From now on SIGINT and SIGTERM do not end the process by themselves. Must run within a runtime.
    ///
    /// # Errors
    /// When signals cannot be had.
    pub(crate) fn listen(screen: &Screen) -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let (sender, receiver) = watch::channel(false);
        let screen = screen.clone();
        tokio::spawn(async move {
            signals.next().await;
            screen.tell("Interrupted: nothing more is begun. Once more ends at once.");
            sender.send_replace(true);
            signals.next().await;
            screen.clear();
            std::process::exit(INTERRUPTED.into());
        });
        Ok(Self(receiver))
    }

    /// Whether it was asked for.
    pub(crate) fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for.
    pub(crate) async fn raised(&self) {
        // The sender lives as long as the runtime.
        if self.0.clone().wait_for(|raised| *raised).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What comes of it, unless it is asked for before; then it is dropped where it waits.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.raised() => None,
            result = work => Some(result),
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
