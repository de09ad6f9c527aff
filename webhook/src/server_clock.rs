//! The API server's clock, read off the Date of its answers, so that a skewed host does not spoil
//! the trust in records.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::HeaderMap;
use http::header::DATE;
use jiff::{SignedDuration, Timestamp};

/// Follows the clock of the API server. Until its first answer it is this host's.
#[derive(Default)]
pub(crate) struct ServerClock {
    /// When an answer came, and the time it bore.
    seen: Mutex<Option<(Instant, Timestamp)>>,
}

impl ServerClock {
    /// Takes note of an answer's Date.
    pub(crate) fn observe(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(parse);
        if let Some(date) = date {
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), date));
        }
    }

    /// The present time in whole seconds; up to a second behind, as Date has no fractions.
    pub(crate) fn now(&self) -> Timestamp {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now =
            seen.and_then(|(at, date)| date.checked_add(SignedDuration::try_from(at.elapsed()).ok()?).ok());
        let now = now.unwrap_or_else(Timestamp::now);
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

/// An HTTP date (RFC 9110, section 5.6.7) in its one form that servers may send.
fn parse(date: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(date).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(date: &str) -> HeaderMap {
        HeaderMap::from_iter([(DATE, date.parse().unwrap())])
    }

    #[test]
    fn the_time_is_that_of_the_last_answer() {
        let clock = ServerClock::default();
        assert!(clock.now().duration_since(Timestamp::now()).abs() < SignedDuration::from_secs(60));
        clock.observe(&headers("Sun, 06 Nov 1994 08:49:37 GMT"));
        let expected: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        assert!(clock.now().duration_since(expected) < SignedDuration::from_secs(60));
        assert_eq!(clock.now().subsec_nanosecond(), 0);
    }

    #[test]
    fn a_date_that_is_none_is_passed_over() {
        let clock = ServerClock::default();
        for date in ["", "yesterday", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            clock.observe(&headers(date));
        }
        clock.observe(&HeaderMap::new());
        assert!(clock.now().duration_since(Timestamp::now()).abs() < SignedDuration::from_secs(60));
    }
}
