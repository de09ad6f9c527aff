//! A place for one machine among those that run at the same time: its name and addresses.

use std::fs::File;
use std::path::Path;

use anyhow::{Result, bail};

use crate::port::{lock, locks};

/// How many machines can run at once.
const SLOTS: u8 = 250;

/// A name and addresses that no other machine has as long as this value lives: it holds a file
/// lock, which ends with the process.
#[derive(Debug)]
pub(super) struct Slot {
    number: u8,
    _claim: File,
}

impl Slot {
    /// Claims a slot of which nothing is left from an earlier machine.
    pub(super) fn claim() -> Result<Self> {
        let folder = locks()?;
        for number in 0..SLOTS {
            let Some(claim) = lock(&folder.join(format!("node-{number}"))) else {
                continue;
            };
            let slot = Self { number, _claim: claim };
            if slot.is_free() {
                return Ok(slot);
            }
        }
        bail!("no slot for a machine is free: {SLOTS} are in use");
    }

    /// The name of its link and of its cgroups.
    pub(super) fn name(&self) -> String {
        format!("reload-node-{}", self.number)
    }

    /// Our own address on the link to the machine.
    pub(super) fn our_address(&self) -> String {
        format!("10.210.{}.1", self.number)
    }

    /// The machine's address on that link.
    pub(super) fn its_address(&self) -> String {
        format!("10.210.{}.2", self.number)
    }

    /// The network of the machine's pods.
    pub(super) fn pods(&self) -> String {
        format!("10.211.{}.0/24", self.number)
    }

    /// The network of the cluster's Services.
    pub(super) fn services(&self) -> String {
        format!("10.212.{}.0/24", self.number)
    }

    fn is_free(&self) -> bool {
        let name = self.name();
        let link = Path::new("/sys/class/net").join(&name);
        let groups = ["", "memory", "systemd", "unified"];
        let mut groups = groups.iter().map(|tree| Path::new("/sys/fs/cgroup").join(tree).join(&name));
        !link.exists() && !groups.any(|group| group.exists())
    }
}
