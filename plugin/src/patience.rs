//! Patience with an API server that is away for a while: requests are sent again, until the time is up.

use std::cell::Cell;
use std::fmt::Display;
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::api::ApiError;
use crate::bar::Bar;
use crate::findings::FindError;
use crate::rollout::RolloutError;
use crate::screen::Screen;

/// The pause after the first failure; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(250);

/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(5);

/// An answer that takes longer is not waited for: its connection may be dead.
const ATTEMPT: Duration = Duration::from_secs(60);

/// An answer may take this long even when the time is up, so that what is told last is how things are.
const LAST: Duration = Duration::from_secs(10);

/// An error that may pass by itself.
pub(crate) trait Passing: Display {
    /// Why there is no answer, if another try may get one.
    fn passing(&self) -> Option<String>;
}

impl Passing for ApiError {
    fn passing(&self) -> Option<String> {
        match self {
            Self::Unreachable { cause, .. } => Some(cause.clone()),
            // A 500 is an answer: a webhook that fails, a pod with two budgets.
            Self::Refused { status, message, .. }
                if matches!(
                    *status,
                    StatusCode::TOO_MANY_REQUESTS
                        | StatusCode::BAD_GATEWAY
                        | StatusCode::SERVICE_UNAVAILABLE
                        | StatusCode::GATEWAY_TIMEOUT
                ) =>
            {
                Some(format!("{status}: {message}"))
            }
            _ => None,
        }
    }
}

impl Passing for FindError {
    fn passing(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.passing(),
            Self::NoNamespace(_)
            | Self::NoWorkload { .. }
            | Self::NoWorkloadItself { .. }
            | Self::NoPodOf { .. }
            | Self::NotHeld(_) => None,
        }
    }
}

impl Passing for RolloutError {
    fn passing(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.passing(),
            Self::Kind(_) => None,
        }
    }
}

/// Whether the API server is away, as far as one command has seen.
pub(crate) struct Outage<'a> {
    screen: &'a Screen,
    lasts: Cell<bool>,
}

impl<'a> Outage<'a> {
    pub(crate) fn new(screen: &'a Screen) -> Self {
        Self { screen, lasts: Cell::new(false) }
    }

    /// Said once for all workloads.
    fn begin(&self, why: &str) {
        if !self.lasts.replace(true) {
            self.screen.tell(&format!("The API server does not answer ({why}): waiting for it"));
        }
    }

    fn end(&self) {
        if self.lasts.replace(false) {
            self.screen.tell("The API server answers again");
        }
    }
}

/// What a command waits with.
pub(crate) struct Patience<'a> {
    pub(crate) outage: &'a Outage<'a>,
    pub(crate) bar: &'a Bar<'a>,
    pub(crate) deadline: Instant,
}

impl Patience<'_> {
    /// Asks, and asks again while the error may pass.
    ///
    /// # Errors
    /// One that does not pass, or the last one when the time is up.
    pub(crate) async fn ask<T, E>(&self, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> anyhow::Result<T>
    where
        E: Passing + Into<anyhow::Error>,
    {
        let mut pause = FIRST;
        loop {
            let limit = self.deadline.saturating_duration_since(Instant::now()).clamp(LAST, ATTEMPT);
            let (why, error) = match tokio::time::timeout(limit, attempt()).await {
                Ok(Ok(answer)) => {
                    self.outage.end();
                    return Ok(answer);
                }
                Ok(Err(error)) => match error.passing() {
                    Some(why) => (why, error.into()),
                    None => return Err(error.into()),
                },
                Err(_) => {
                    let why = "no answer in time";
                    (why.to_owned(), anyhow::anyhow!("the cluster does not answer ({why})"))
                }
            };
            if Instant::now() + pause >= self.deadline {
                return Err(error);
            }
            self.outage.begin(&why);
            self.bar.show("waiting for the API server");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }
}
