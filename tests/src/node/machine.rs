//! A machine for one node: namespaces and cgroups of its own, which end with what runs in them.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::processes;
use super::slot::Slot;
use crate::binaries::built;
use crate::cluster::temporary_folder;
use crate::guard::Guardian;
use crate::process::{Process, Streams};
use crate::wait::eventually;

/// Puts together what a machine runs, where it is not in the cache, and names the folder.
const SOFTWARE: &str = "real-node/build.sh";

/// How long its processes may take to die.
const KILLED: Duration = Duration::from_secs(30);

/// A running machine. All of it ends when this value is dropped or when our process ends, in
/// whatever way.
#[derive(Debug)]
pub(super) struct Machine {
    folder: PathBuf,
    slot: Slot,
    software: PathBuf,
    namespaces: u32,
    guardian: Guardian,
}

impl Machine {
    /// Starts a machine that runs nothing yet. What it shall run is downloaded and built first
    /// where it is not in the cache.
    pub(super) async fn start(folder: Option<PathBuf>) -> Result<Self> {
        let software = tokio::task::spawn_blocking(|| built(SOFTWARE, &[])).await??;
        let slot = Slot::claim()?;
        let folder = std::path::absolute(folder.unwrap_or_else(temporary_folder))?;
        // Not for others: it holds the kubelet's credentials.
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot make the node's folder {}", folder.display()))?;

        let mut shell = Command::new("/bin/sh");
        shell.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("real-node/machine.sh"));
        let addresses = [slot.our_address(), slot.its_address(), slot.pods(), slot.services()];
        let arguments = [folder.clone().into_os_string(), slot.name().into()];
        let arguments = arguments.into_iter().chain(addresses.map(OsString::from));
        let mut like = Command::new("");
        environment(&mut like, &software)?;
        let guardian = Guardian::spawn_shell(shell, arguments, &like)?;
        let namespaces = tokio::select! {
            namespaces = guardian.started() => namespaces,
            _ = guardian.exited() => Err(anyhow!("it ended")),
        };
        let namespaces = namespaces.with_context(|| {
            let log = std::fs::read_to_string(folder.join("machine.log")).unwrap_or_default();
            format!(
                "the machine did not start: it needs root with CAP_SYS_ADMIN and CAP_NET_ADMIN, and \
                 cgroups that it may write\n{log}"
            )
        })?;
        Ok(Self { folder, slot, software, namespaces, guardian })
    }

    /// Its name and addresses.
    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Its own folder, which is removed with it: a place for configuration and logs.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A place for the control plane, which has a guardian of its own.
    pub(super) fn cluster_folder(&self) -> PathBuf {
        self.folder.join("cluster")
    }

    /// What [`build.sh`](../../real-node/build.sh) has put together.
    pub(super) fn software(&self) -> &Path {
        &self.software
    }

    /// Writes a file of configuration, and gives its path.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Starts a process in the machine. What it writes is appended to its log.
    pub(super) async fn spawn(&self, name: &str, command: &mut Command) -> Result<Process> {
        environment(command, &self.software)?;
        let namespace = |name: &str| format!("/proc/{}/ns/{name}", self.namespaces);
        let mut shell = Command::new("nsenter");
        shell
            .arg(format!("--net={}", namespace("net")))
            .arg(format!("--mount={}", namespace("mnt")))
            .arg(format!("--pid={}", namespace("pid_for_children")))
            .args(["--", "/bin/sh"]);
        Process::spawn_by(shell, command, &Streams::into_file(&self.log(name))).await
    }

    /// Runs a command in the machine to its end; it has to succeed.
    pub(super) async fn run(&self, name: &str, command: &mut Command) -> Result<()> {
        let code = self.spawn(name, command).await?.ended().await;
        if code != 0 {
            bail!("{name} ended with exit code {code}\n{}", self.end_of_log(name));
        }
        Ok(())
    }

    /// SIGKILL for all that runs in it at once, containers and what starts them included, as when
    /// the power fails. Its file systems and network stay, for what is started again.
    pub(super) async fn kill_all(&self) -> Result<()> {
        eventually("nothing runs in the machine", KILLED, async || {
            let running = processes::inside(self.namespaces)?;
            if running.is_empty() {
                return Ok(());
            }
            let running = running.iter().map(u32::to_string);
            // One may have ended meanwhile.
            Command::new("kill").arg("-KILL").args(running.clone()).stderr(Stdio::null()).status()?;
            bail!("{} processes run", running.len())
        })
        .await
    }

    /// The last lines that a process has written.
    pub(super) fn end_of_log(&self, name: &str) -> String {
        let log = std::fs::read(self.log(name)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Ends all that runs in it, and waits until nothing is left.
    pub(super) async fn stop(self) {
        self.guardian.close().await;
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

/// A command of those that machines have (`ip`, `nft`), to run outside of them.
pub fn tool(name: &str) -> Result<Command> {
    let software = built(SOFTWARE, &[])?;
    let mut command = Command::new(software.join("bin").join(name));
    environment(&mut command, &software)?;
    Ok(command)
}

/// The unpacked commands and their libraries come first.
fn environment(command: &mut Command, software: &Path) -> Result<()> {
    let first = |folder: &str, variable: &str| {
        let inherited = std::env::var_os(variable).unwrap_or_default();
        let folders = [software.join(folder)].into_iter().chain(std::env::split_paths(&inherited));
        std::env::join_paths(folders)
    };
    command.env("PATH", first("bin", "PATH")?).env("LD_LIBRARY_PATH", first("lib", "LD_LIBRARY_PATH")?);
    Ok(())
}
