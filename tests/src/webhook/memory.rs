//! The memory of a webhook's process.

use anyhow::{Context, Result};

use super::Webhook;

impl Webhook {
    /// The memory that it occupies (RSS), in bytes; Linux alone tells.
    pub fn memory(&self) -> Result<u64> {
        self.memory_as("VmRSS:")
    }

    /// The most memory that it has occupied, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        self.memory_as("VmHWM:")
    }

    fn memory_as(&self, what: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no such line")?;
        Ok(kilobytes.parse::<u64>()? * 1024)
    }
}
