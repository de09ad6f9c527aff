//! Whether the server is ready, and what is in the way.
//!
//! Ready is a replica that can do more for a pod than its absence would. So it needs a listener, a
//! certificate that is valid now, and a search for the hash key that has been made once; and it is
//! not ready any more as soon as it drains.
//!
//! Of the API server it needs *some* answer within the last minute, be it an error. A slow or sick
//! one is no reason: it is that to all replicas alike, and without any of them pods would go without
//! records as well, and longer, until probes and endpoints have followed; meanwhile the deadline and
//! the breaker keep pods from waiting. A replica that has heard nothing at all for a minute is most
//! likely cut off itself, and the others serve better. It goes on asking every second, so that it
//! is ready again by itself.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::api::ApiServer;
use crate::server_clock::ServerClock;

/// For how long the API server may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// What readiness is made of.
pub(crate) struct Health {
    api: Arc<ApiServer>,
    clock: Arc<ServerClock>,
    listening: AtomicBool,
    hash_key: AtomicBool,
    draining: AtomicBool,
    certificate: Mutex<Option<(Timestamp, Timestamp)>>,
}

/// Each condition, and what is wrong with it if anything is.
pub(crate) struct Readiness(Vec<(&'static str, Option<&'static str>)>);

impl Health {
    pub(crate) fn new(api: Arc<ApiServer>, clock: Arc<ServerClock>) -> Self {
        Self {
            api,
            clock,
            listening: AtomicBool::default(),
            hash_key: AtomicBool::default(),
            draining: AtomicBool::default(),
            certificate: Mutex::default(),
        }
    }

    /// Connections are accepted from now on.
    pub(crate) fn listens(&self) {
        self.listening.store(true, Ordering::Release);
    }

    /// The hash key was looked for, be it in vain.
    pub(crate) fn searched_hash_key(&self) {
        self.hash_key.store(true, Ordering::Release);
    }

    /// No new work is wanted any more.
    pub(crate) fn drains(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether no new work is wanted any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The certificate that is served, by its first and last instant.
    pub(crate) fn serves(&self, not_before: Timestamp, not_after: Timestamp) {
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = Some((not_before, not_after));
    }

    /// All conditions, as of now.
    pub(crate) fn readiness(&self) -> Readiness {
        let certificate = *self.certificate.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = self.api.answered_at().is_none_or(|at| at.elapsed() > SILENCE);
        let unless = |fine: bool, problem: &'static str| (!fine).then_some(problem);
        Readiness(vec![
            ("ping", None),
            ("listener", unless(self.listening.load(Ordering::Acquire), "not listening yet")),
            ("certificate", validity(certificate, self.clock.now())),
            ("api-server", unless(!silent, "no answer within the last minute")),
            ("hash-key", unless(self.hash_key.load(Ordering::Acquire), "not looked for yet")),
            ("shutdown", unless(!self.is_draining(), "draining")),
        ])
    }
}

fn validity(certificate: Option<(Timestamp, Timestamp)>, now: Timestamp) -> Option<&'static str> {
    match certificate {
        None => Some("there is none yet"),
        Some((_, not_after)) if now > not_after => Some("expired"),
        Some((not_before, _)) if now < not_before => Some("not valid yet"),
        Some(_) => None,
    }
}

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        self.0.iter().all(|(_, problem)| problem.is_none())
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (condition, problem) in &self.0 {
            match problem {
                None => writeln!(f, "[+]{condition} ok")?,
                Some(problem) => writeln!(f, "[-]{condition} failed: {problem}")?,
            }
        }
        writeln!(f, "readyz check {}", if self.is_ready() { "passed" } else { "failed" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_counts_from_its_first_to_its_last_second() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let certificate = Some((at(10), at(20)));
        for (now, problem) in [(9, Some("not valid yet")), (10, None), (20, None), (21, Some("expired"))] {
            assert_eq!(validity(certificate, at(now)), problem, "{now}");
        }
        assert!(validity(None, at(0)).is_some());
    }

    #[test]
    fn what_fails_is_told_like_kubernetes_components_tell_it() {
        let readiness = Readiness(vec![("ping", None), ("certificate", Some("expired"))]);
        assert!(!readiness.is_ready());
        assert_eq!(
            readiness.to_string(),
            "[+]ping ok\n[-]certificate failed: expired\nreadyz check failed\n"
        );
    }
}
