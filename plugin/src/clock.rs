//! The API server's clock, by which everything in the cluster is dated.

use jiff::{SignedDuration, Timestamp};
use kube::Client;

use crate::api::server_date;

/// Answers are dated in whole seconds, and take their time.
const LIKE: SignedDuration = SignedDuration::from_secs(2);

/// How far the API server's clock is ahead of this machine's.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock(SignedDuration);

impl Clock {
    /// Asks the API server; where it does not say, its clock is taken to be like this one.
    pub(crate) async fn of(client: &Client) -> Self {
        let date = server_date(client).await;
        Self::between(Timestamp::now(), date)
    }

    fn between(here: Timestamp, there: Option<Timestamp>) -> Self {
        let ahead = there.map(|there| there.duration_since(here)).unwrap_or_default();
        Self(if ahead.abs() < LIKE { SignedDuration::ZERO } else { ahead })
    }

    /// The time there.
    pub(crate) fn now(self) -> Timestamp {
        let here = Timestamp::now();
        here.checked_add(self.0).unwrap_or(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_less_than_is_seen_are_alike() {
        let here: Timestamp = "2030-01-01T12:00:00.9Z".parse().unwrap();
        let ahead = |there: &str| Clock::between(here, Some(there.parse().unwrap())).0.as_secs();
        assert_eq!(ahead("2030-01-01T12:00:00Z"), 0);
        assert_eq!(ahead("2030-01-01T12:00:02Z"), 0);
        assert_eq!(ahead("2030-01-01T13:00:00.9Z"), 3600);
        assert_eq!(ahead("2030-01-01T11:00:00.9Z"), -3600);
        assert_eq!(Clock::between(here, None).0, SignedDuration::ZERO);
    }
}
