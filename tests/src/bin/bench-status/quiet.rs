//! Waits until the machine has nothing else to do, so that what is measured is what runs.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long is looked.
const WHILE: Duration = Duration::from_secs(3);

/// How much of all cores others may take meanwhile.
const BUSY: f64 = 0.1;

/// How long is waited for it.
const LIMIT: Duration = Duration::from_secs(180);

/// Waits; says so where it does not come to rest. Where nothing tells, does not wait.
pub(crate) async fn wait() {
    let limit = Instant::now() + LIMIT;
    while let Some(before) = times() {
        sleep(WHILE).await;
        let Some(after) = times() else { return };
        let (busy, all) = (after.0 - before.0, after.1 - before.1);
        if busy <= BUSY * all {
            return;
        }
        if Instant::now() > limit {
            println!("the machine does not come to rest: {:.0}% busy", 100.0 * busy / all);
            return;
        }
    }
}

/// What all cores did, and have been there, by the kernel's count.
fn times() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let numbers = stat.lines().next()?.split_whitespace().skip(1);
    let numbers: Vec<f64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    // user nice system idle iowait …
    let idle = numbers.get(3)? + numbers.get(4)?;
    let all: f64 = numbers.iter().take(8).sum();
    Some((all - idle, all))
}
