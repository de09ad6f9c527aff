//! Sources as reviews ask for them: live, shared, and refused while the API server answers none.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use reload_core::record::Unread;
use reload_core::source::SourceId;
use tokio::time::Instant;

use crate::api::{ApiServer, ReadError};
use crate::coalesce::{Coalesced, Limits, NoOutcome};
use crate::metrics::{Cause, Metrics, ReadResult};

mod guard;
mod held;

pub(crate) use guard::Guard;
pub(crate) use held::Held;

/// Keys that are read or waited for, per GET that may be under way.
const KEYS_PER_READ: usize = 64;

/// A source that was not read, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    /// As records have it.
    pub(crate) why: Unread,
    /// As metrics have it.
    pub(crate) cause: Cause,
}

impl Missed {
    /// It did not come in time.
    pub(crate) const LATE: Self = Self { why: Unread::Timeout, cause: Cause::Timeout };
}

type Key = (String, SourceId);
type Outcome = Result<Option<Arc<Held>>, ReadError>;

/// Reads sources for reviews.
pub(crate) struct Sources {
    reads: Coalesced<Key, Outcome>,
    guard: Arc<Guard>,
}

impl Sources {
    /// At most `max_reads` GETs are under way.
    pub(crate) fn new(api: Arc<ApiServer>, max_reads: usize, metrics: Arc<Metrics>) -> Self {
        let guard = Arc::new(Guard::new(api.clone(), metrics.clone()));
        let limits = Limits { reads: max_reads, keys: max_reads * KEYS_PER_READ };
        let reads = {
            let guard = guard.clone();
            let joined = metrics.reads_coalesced.clone();
            Coalesced::new(limits, joined, move |key| {
                get(api.clone(), guard.clone(), metrics.clone(), key).boxed()
            })
        };
        Self { reads, guard }
    }

    /// What watches over the reads.
    pub(crate) fn guard(&self) -> Arc<Guard> {
        self.guard.clone()
    }

    /// The source as it is now, `None` where it does not exist; at `until` it is given up.
    pub(crate) async fn read(
        &self,
        namespace: &str,
        source: &SourceId,
        until: Instant,
    ) -> Result<Option<Arc<Held>>, Missed> {
        if !source.is_valid() {
            return Ok(None);
        }
        if let Some(why) = self.guard.refusal(namespace, source) {
            return Err(Missed { why, cause: Cause::Breaker });
        }
        // A read that could only be given up is not asked for.
        if Instant::now() >= until {
            return Err(Missed::LATE);
        }
        let key = (namespace.to_owned(), source.clone());
        let outcome = tokio::time::timeout_at(until, self.reads.get(key)).await;
        match outcome.map_err(|_| Missed::LATE)? {
            Ok(outcome) => outcome.map_err(Missed::from),
            Err(NoOutcome::Crowded) => Err(Missed { why: Unread::Overload, cause: Cause::Overload }),
            Err(NoOutcome::Lost) => Err(Missed { why: Unread::Error, cause: Cause::Panic }),
        }
    }
}

impl From<ReadError> for Missed {
    fn from(error: ReadError) -> Self {
        let why = error.unread();
        let cause = match why {
            Unread::Timeout => Cause::Timeout,
            Unread::Forbidden => Cause::Forbidden,
            Unread::Overload => Cause::Overload,
            Unread::Error | Unread::Other => Cause::Error,
        };
        Self { why, cause }
    }
}

async fn get(
    api: Arc<ApiServer>,
    guard: Arc<Guard>,
    metrics: Arc<Metrics>,
    (namespace, source): Key,
) -> Outcome {
    // Those that waited for their turn while the breaker opened.
    if let Some(why) = guard.refusal(&namespace, &source) {
        return Err(refused(why));
    }
    let start = Instant::now();
    let got = api.get(&namespace, &source).await;
    let took: Duration = start.elapsed();
    metrics.read(ReadResult::of(&got), took);
    if let Err(error) = &got {
        tracing::warn!(%namespace, %source, %error, "could not read a source");
    }
    guard.observe(&namespace, &source, api.outcome(&got, took));
    Ok(got?.map(|source| Arc::new(Held::new(source))))
}

/// The error that stands for what failed last.
fn refused(why: Unread) -> ReadError {
    match why {
        Unread::Timeout => ReadError::Timeout,
        Unread::Overload => ReadError::TooManyRequests,
        Unread::Forbidden => ReadError::Forbidden,
        Unread::Error | Unread::Other => ReadError::Connection,
    }
}
