//! The breaker: while the API server answers no reads, nobody waits for one.
//!
//! A pure state machine over (now, outcome). Closed, it counts failures in a row. It opens after
//! [`FAILURES`] of them, if they are not all of one namespace: a single namespace's trouble must not
//! cost the others their records, so where it alone is heard, a request that concerns no namespace
//! ([`Breaker::suspects`]) has to fail as well. Open, it asks for one probe after a pause, which
//! doubles with each that fails; one that succeeds closes it. Probes are made in the background, so
//! that no pod waits for them, and it closes without any traffic.

use std::time::Duration;

use reload_core::record::Unread;
use tokio::time::Instant;

/// So many failures in a row open it.
pub(crate) const FAILURES: u32 = 5;

/// So many in a row of one namespace ask for a second opinion.
const SUSPICIOUS: u32 = 2;

/// The first pause before a probe, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How a read ended, as far as it tells of the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered in time, be it that there is no such object or no right to read it.
    Answered,
    /// It did not, too late, or with an error of its own.
    Failed(Unread),
}

/// What an outcome changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Reads are refused from now on.
    Opened(Unread),
    /// Reads go through again.
    Closed,
}

/// Refuses reads while it is open.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: State,
}

#[derive(Debug)]
enum State {
    Closed(Failures),
    /// Refuses, until a probe at that time.
    Open {
        why: Unread,
        pause: Duration,
        probe_at: Instant,
    },
    /// Refuses, while a probe is under way.
    HalfOpen {
        why: Unread,
        pause: Duration,
    },
}

/// Failures in a row.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    /// Where the first came from; `None` for what concerns no namespace.
    origin: Option<String>,
    /// Whether another came from elsewhere.
    is_widespread: bool,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(Failures::default())
    }
}

impl Breaker {
    /// Why reads are refused, as what failed last; none where they are not.
    pub(crate) fn refusal(&self) -> Option<Unread> {
        match self.state {
            State::Closed(_) => None,
            State::Open { why, .. } | State::HalfOpen { why, .. } => Some(why),
        }
    }

    /// Whether only one namespace is heard to fail, so that a request of none is wanted now.
    pub(crate) fn suspects(&self) -> bool {
        match &self.state {
            State::Closed(failures) => {
                failures.count >= SUSPICIOUS && failures.origin.is_some() && !failures.is_widespread
            }
            _ => false,
        }
    }

    /// Takes note of a read that concerned `origin`, a namespace or none. While it is open, late
    /// outcomes change nothing: the probe decides.
    pub(crate) fn observe(&mut self, now: Instant, origin: Option<&str>, outcome: Outcome) -> Option<Change> {
        let State::Closed(failures) = &mut self.state else { return None };
        let Outcome::Failed(why) = outcome else {
            // What concerns no namespace clears one namespace's trouble away, not that of several:
            // an encryption plugin that hangs stops Secrets and nothing else.
            if origin.is_some() || !failures.is_widespread {
                *failures = Failures::default();
            }
            return None;
        };
        match failures.count {
            0 => failures.origin = origin.map(str::to_owned),
            _ => failures.is_widespread |= failures.origin.as_deref() != origin,
        }
        failures.count = failures.count.saturating_add(1);
        if failures.count < FAILURES || !failures.is_widespread {
            return None;
        }
        self.state = State::Open { why, pause: FIRST_PAUSE, probe_at: now + FIRST_PAUSE };
        Some(Change::Opened(why))
    }

    /// When the next probe is due; none where none is wanted.
    pub(crate) fn probe_at(&self) -> Option<Instant> {
        match self.state {
            State::Open { probe_at, .. } => Some(probe_at),
            _ => None,
        }
    }

    /// Whether the caller is to make a probe now. True for one caller until its outcome is told.
    pub(crate) fn begin_probe(&mut self, now: Instant) -> bool {
        match self.state {
            State::Open { why, pause, probe_at } if probe_at <= now => {
                self.state = State::HalfOpen { why, pause };
                true
            }
            _ => false,
        }
    }

    /// Takes note of the probe's outcome.
    pub(crate) fn end_probe(&mut self, now: Instant, outcome: Outcome) -> Option<Change> {
        let State::HalfOpen { pause, .. } = self.state else { return None };
        match outcome {
            Outcome::Answered => {
                self.state = State::default();
                Some(Change::Closed)
            }
            Outcome::Failed(why) => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                self.state = State::Open { why, pause, probe_at: now + pause };
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
