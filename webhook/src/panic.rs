//! Panics of what runs for others: a fault of ours, which costs that one piece of work and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt;

/// A panic, which has been logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// What the future comes to.
///
/// # Errors
/// [`Panicked`]
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|_| told())
}

/// The same, of what does not wait.
///
/// # Errors
/// [`Panicked`]
pub(crate) fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| told())
}

fn told() -> Panicked {
    tracing::error!("a panic: this is a fault of the webhook, report it");
    Panicked
}
