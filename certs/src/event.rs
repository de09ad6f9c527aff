//! What a source of certificates tells while it keeps watch.

use std::time::Duration;

use crate::tls::Serving;

/// One round's outcome.
#[derive(Debug)]
pub enum Event<E> {
    /// There is another pair to serve from now on.
    Changed(Serving),
    /// The pair is the one that was served before.
    Unchanged(Serving),
    /// The round failed. The last good pair goes on being served.
    Failed {
        /// Why, with the remedy.
        error: E,
        /// When it is tried again.
        retry_in: Duration,
    },
}
