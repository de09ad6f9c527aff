//! Whether the server is ready: a latch that opens after initialisation and closes on shutdown.

use std::sync::atomic::{AtomicBool, Ordering};

/// Closed at first.
#[derive(Default)]
pub(crate) struct Readiness(AtomicBool);

impl Readiness {
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn close(&self) {
        self.0.store(false, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
