//! What the server counts, in the OpenMetrics text form.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::admission::Unrecordable;

/// All metrics, registered once and passed in.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) reviews: Family<ByResult, Counter>,
    pub(crate) duration: Histogram,
    pub(crate) malformed: Counter<u64, AtomicU64>,
}

/// How a review ended. In every case the pod was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Result {
    Recorded,
    NothingToRecord,
    TooLong,
    NoRoom,
    TooManyReferences,
    NotACreate,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByResult {
    result: Result,
}

impl From<Result> for ByResult {
    fn from(result: Result) -> Self {
        Self { result }
    }
}

impl From<&std::result::Result<String, Unrecordable>> for Result {
    fn from(record: &std::result::Result<String, Unrecordable>) -> Self {
        match record {
            Ok(_) => Self::Recorded,
            Err(Unrecordable::NothingToRecord) => Self::NothingToRecord,
            Err(Unrecordable::TooLong) => Self::TooLong,
            Err(Unrecordable::NoRoom) => Self::NoRoom,
            Err(Unrecordable::TooManyReferences) => Self::TooManyReferences,
        }
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("kubectl_reload_webhook");
        let reviews = Family::default();
        registry.register("reviews", "Reviews answered, by result", reviews.clone());
        let duration = Histogram::new(exponential_buckets(0.001, 2.0, 12));
        registry.register_with_unit("review_duration", "Time per review", Unit::Seconds, duration.clone());
        let malformed = Counter::default();
        registry.register("malformed_requests", "Bodies that were no review", malformed.clone());
        Self { registry, reviews, duration, malformed }
    }

    /// The text that a scrape gets.
    pub(crate) fn encode(&self) -> std::result::Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
