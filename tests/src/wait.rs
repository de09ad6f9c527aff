//! Waiting for a condition: never a sleep in the hope that it has come true.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep, timeout_at};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Calls `probe` until it returns `Ok`, and gives back what it returned.
///
/// An `Err` of the probe says what it saw instead. The last one is the error when `within` has
/// passed; a probe that hangs is given up then, too.
pub async fn eventually<T>(
    what: impl Display,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    let mut seen = None;
    loop {
        match timeout_at(deadline, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(state)) => seen = Some(state),
            Err(_) if seen.is_none() => seen = Some(anyhow::anyhow!("the probe hung")),
            Err(_) => {}
        }
        if Instant::now() + POLL >= deadline {
            let state = seen.unwrap_or_else(|| anyhow::anyhow!("nothing was seen"));
            return Err(state).with_context(|| format!("waited {within:?} in vain until {what}"));
        }
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn the_value_comes_back_once_the_condition_is_true() {
        let mut looks = 0;
        let value = eventually("it is true", Duration::from_secs(10), async || {
            looks += 1;
            if looks < 3 {
                bail!("look {looks}");
            }
            Ok(looks)
        });
        assert_eq!(value.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn the_error_says_what_was_awaited_and_what_was_seen_last() {
        let mut looks = 0;
        let waited = eventually("it is true", SHORT, async || -> Result<()> {
            looks += 1;
            bail!("look {looks}")
        });
        let error = format!("{:#}", waited.await.unwrap_err());
        assert_eq!(error, format!("waited 200ms in vain until it is true: look {looks}"));
        assert!(looks > 1);
    }

    #[tokio::test]
    async fn a_probe_that_hangs_is_given_up() {
        let hung = eventually("it is true", SHORT, async || -> Result<()> { std::future::pending().await });
        let error = format!("{:#}", hung.await.unwrap_err());
        assert!(error.ends_with("the probe hung"), "{error}");
    }
}
