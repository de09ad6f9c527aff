//! What the server counts, in the OpenMetrics text form.
//!
//! Every label takes its values from a list in this file, but for the hash key's id (one at a time)
//! and the version.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::api::ReadError;

/// The media type of [`Metrics::encode`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics, registered once and passed in.
pub(crate) struct Metrics {
    registry: Registry,
    reviews: Family<ByResult, Counter>,
    review_duration: Histogram,
    refused_requests: Family<ByStatus, Counter>,
    pub(crate) refused_connections: Counter,
    reads: Family<ByResult, Counter>,
    read_duration: Histogram,
    pub(crate) reads_coalesced: Counter,
    fail_open: Family<ByCause, Counter>,
    pub(crate) panics: Counter<u64, AtomicU64>,
    pub(crate) breaker_open: Gauge,
    ready: Gauge,
    pub(crate) certificate_not_after: Gauge,
    /// There only where the CA is the webhook's own.
    ca_not_after: Family<Vec<(String, String)>, Gauge>,
    hash_key: Family<ById, Gauge>,
}

/// How a review ended. In every case the pod was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReviewResult {
    Recorded,
    NothingToRecord,
    NotAPodCreation,
    Excluded,
    InvalidPod,
    TooManyReferences,
    TooLong,
    NoRoom,
    Shed,
    Timeout,
    Panic,
}

/// What an answer lacked, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// The API server did not answer in time.
    Timeout,
    /// A right is missing.
    Forbidden,
    /// The API server answered with an error, or not what it should.
    Error,
    /// The API server said 429, or too many reads were waited for.
    Overload,
    /// Reads were refused, since none were answered.
    Breaker,
    /// A fault of the webhook.
    Panic,
    /// Too many reviews were under way.
    Shed,
    /// A Secret was recorded without its content.
    NoHashKey,
    /// The pod cannot be read.
    InvalidPod,
    /// The pod has too many references.
    TooManyReferences,
    /// The record would be too long.
    TooLong,
    /// The pod's annotations have no room.
    NoRoom,
}

impl ReviewResult {
    /// Why the pod has no record, where it should have one.
    pub(crate) fn cause(self) -> Option<Cause> {
        match self {
            Self::Recorded | Self::NothingToRecord | Self::NotAPodCreation | Self::Excluded => None,
            Self::InvalidPod => Some(Cause::InvalidPod),
            Self::TooManyReferences => Some(Cause::TooManyReferences),
            Self::TooLong => Some(Cause::TooLong),
            Self::NoRoom => Some(Cause::NoRoom),
            Self::Shed => Some(Cause::Shed),
            Self::Timeout => Some(Cause::Timeout),
            Self::Panic => Some(Cause::Panic),
        }
    }
}

/// How a GET ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadResult {
    Found,
    Absent,
    Timeout,
    Forbidden,
    Overload,
    Error,
}

impl ReadResult {
    pub(crate) fn of<T>(got: &Result<Option<T>, ReadError>) -> Self {
        match got {
            Ok(Some(_)) => Self::Found,
            Ok(None) => Self::Absent,
            Err(ReadError::Timeout) => Self::Timeout,
            Err(ReadError::Forbidden) => Self::Forbidden,
            Err(ReadError::TooManyRequests) => Self::Overload,
            Err(_) => Self::Error,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCause {
    cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ById {
    id: String,
}

/// `NoRoom` as `no_room`.
fn label(variant: impl std::fmt::Debug) -> String {
    let mut label = String::new();
    for character in format!("{variant:?}").chars() {
        if character.is_ascii_uppercase() && !label.is_empty() {
            label.push('_');
        }
        label.push(character.to_ascii_lowercase());
    }
    label
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("kubectl_reload_webhook");
        let r = &mut registry;
        let build = Family::<[(&str, &str); 1], Gauge>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        r.register("build_info", "The version", build);
        // With bounds at the deadline and at what the API server waits.
        let duration = || Histogram::new(exponential_buckets(0.001, 2.0, 11).chain([1.5, 2.0, 4.0]));
        let metrics = Self {
            reviews: Family::default(),
            review_duration: duration(),
            refused_requests: Family::default(),
            refused_connections: Counter::default(),
            reads: Family::default(),
            read_duration: duration(),
            reads_coalesced: Counter::default(),
            fail_open: Family::default(),
            panics: Counter::default(),
            breaker_open: Gauge::default(),
            ready: Gauge::default(),
            certificate_not_after: Gauge::default(),
            ca_not_after: Family::default(),
            hash_key: Family::default(),
            registry: Registry::default(),
        };
        let m = &metrics;
        r.register("reviews", "Reviews answered, by result", m.reviews.clone());
        let help = "Time from a review's headers to its answer";
        r.register_with_unit("review_duration", help, Unit::Seconds, m.review_duration.clone());
        let help = "Requests for a review that were refused, by HTTP status";
        r.register("refused_requests", help, m.refused_requests.clone());
        let help = "Connections that were closed at once, for there were too many";
        r.register("refused_connections", help, m.refused_connections.clone());
        r.register("reads", "GETs of sources, by result", m.reads.clone());
        r.register_with_unit("read_duration", "Time per GET", Unit::Seconds, m.read_duration.clone());
        let help = "Sources that came with a GET that another review had asked for";
        r.register("reads_coalesced", help, m.reads_coalesced.clone());
        let help = "Reviews answered with less than a full record, by cause; each once per cause";
        r.register("fail_open", help, m.fail_open.clone());
        r.register("panics", "Requests in which the webhook panicked", m.panics.clone());
        let help = "1 while the API server answers no reads and sources are left unread at once";
        r.register("breaker_open", help, m.breaker_open.clone());
        r.register("ready", "1 while /readyz says so", m.ready.clone());
        let help = "When the serving certificate expires, as Unix time";
        let gauge = m.certificate_not_after.clone();
        r.register_with_unit("certificate_not_after_timestamp", help, Unit::Seconds, gauge);
        let help = "When the webhook's own CA expires, as Unix time";
        r.register_with_unit("ca_not_after_timestamp", help, Unit::Seconds, m.ca_not_after.clone());
        let help = "The hash key in use by its id, or none while Secrets are recorded without their content";
        r.register("hash_key_info", help, m.hash_key.clone());
        metrics.set_hash_key(None);
        Self { registry, ..metrics }
    }

    /// Counts a review's answer.
    pub(crate) fn review(
        &self,
        result: ReviewResult,
        causes: impl IntoIterator<Item = Cause>,
        took: Duration,
    ) {
        self.reviews.get_or_create(&ByResult { result: label(result) }).inc();
        for cause in causes {
            self.fail_open.get_or_create(&ByCause { cause: label(cause) }).inc();
        }
        self.review_duration.observe(took.as_secs_f64());
    }

    /// Counts a request that is no review.
    pub(crate) fn refused(&self, status: u16) {
        self.refused_requests.get_or_create(&ByStatus { status }).inc();
    }

    /// Counts a GET.
    pub(crate) fn read(&self, result: ReadResult, took: Duration) {
        self.reads.get_or_create(&ByResult { result: label(result) }).inc();
        self.read_duration.observe(took.as_secs_f64());
    }

    /// The hash key in use, by its id.
    pub(crate) fn set_hash_key(&self, id: Option<&str>) {
        self.hash_key.clear();
        self.hash_key.get_or_create(&ById { id: id.unwrap_or("none").to_owned() }).set(1);
    }

    /// When the certificate expires, and the CA where it is the webhook's own; Unix time.
    pub(crate) fn set_certificate(&self, not_after: i64, ca_not_after: Option<i64>) {
        self.certificate_not_after.set(not_after);
        if let Some(ca_not_after) = ca_not_after {
            self.ca_not_after.get_or_create(&Vec::new()).set(ca_not_after);
        }
    }

    /// The text that a scrape gets from a server that is ready, or is not.
    pub(crate) fn encode(&self, ready: bool) -> Result<String, std::fmt::Error> {
        self.ready.set(ready.into());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
