//! What a webhook takes of the machine; Linux alone tells.

use std::fs::{read_dir, read_to_string};
use std::time::Duration;

use anyhow::{Context, Result};

use super::Webhook;

impl Webhook {
    /// The memory that it occupies (RSS), in bytes.
    pub fn memory(&self) -> Result<u64> {
        self.memory_as("VmRSS:")
    }

    /// The most memory that it has occupied, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        self.memory_as("VmHWM:")
    }

    fn memory_as(&self, what: &str) -> Result<u64> {
        let status = read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no such line")?;
        Ok(kilobytes.parse::<u64>()? * 1024)
    }

    /// The time that its threads, of those that still run, have spent on a processor.
    pub fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in read_dir(format!("/proc/{}/task", self.id()?))? {
            let times = read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += times.split_whitespace().next().context("no time")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}
