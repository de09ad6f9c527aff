//! Free TCP ports of 127.0.0.1 that stay ours until they are used.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Below what Linux and macOS hand out to outgoing connections, so that a port stays free between
/// two uses, and below the node ports of Kubernetes.
const RANGE: std::ops::Range<u16> = 15_000..30_000;

/// A port that no other test process will choose as long as this value lives: it holds a file lock,
/// which ends with the process.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: File,
}

impl Port {
    /// Claims a port on which nobody listens.
    pub fn claim() -> Result<Self> {
        let folder = locks()?;
        let size = RANGE.end - RANGE.start;
        // Processes begin at different places, so that they seldom meet.
        let first = u16::try_from(std::process::id() * 37 % u32::from(size))?;
        for step in 0..size {
            let number = RANGE.start + (first + step) % size;
            let Some(claim) = lock(&folder.join(number.to_string())) else {
                continue;
            };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _claim: claim });
            }
        }
        bail!("no free port between {} and {}", RANGE.start, RANGE.end);
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// The folder of locks is shared by all users of the machine, like the ports.
pub(crate) fn locks() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join("kubectl-reload-ports");
    if fs::create_dir(&folder).is_ok() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777))
            .with_context(|| format!("cannot open {} to everybody", folder.display()))?;
    }
    Ok(folder)
}

/// `None`: another process or another value of this one holds it.
pub(crate) fn lock(path: &Path) -> Option<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .or_else(|_| File::open(path))
        .ok()?;
    file.try_lock().ok()?;
    Some(file)
}
