//! A child process under a guardian, with its streams in files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

use crate::guard::{Guardian, PROCESS};

/// Where a process reads and writes. Files rather than pipes: they can be read while it runs and
/// after it was killed, and never make it wait.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Read as stdin; `/dev/null` for none.
    pub input: PathBuf,
    /// Appended to.
    pub stdout: PathBuf,
    /// Appended to; may be the same as `stdout`.
    pub stderr: PathBuf,
}

impl Streams {
    /// No input, and everything that it writes in one file.
    pub fn into_file(log: &Path) -> Self {
        Self { input: PathBuf::from("/dev/null"), stdout: log.to_owned(), stderr: log.to_owned() }
    }
}

/// A running child process. It is killed, with all that it has started, when this value is dropped
/// or when our own process ends, in whatever way.
#[derive(Debug)]
pub struct Process {
    program: String,
    guardian: Guardian,
}

impl Process {
    /// Starts the command with its arguments, environment and working directory.
    pub async fn spawn(command: &Command, streams: &Streams) -> Result<Self> {
        Self::spawn_by(Command::new("/bin/sh"), command, streams).await
    }

    /// The same, but through `shell`, which may lead to a shell elsewhere: `nsenter … /bin/sh`.
    pub(crate) async fn spawn_by(mut shell: Command, command: &Command, streams: &Streams) -> Result<Self> {
        shell.args(["-c", PROCESS, "guardian"]);
        let program = command.get_program().to_string_lossy().into_owned();
        let files = [&streams.input, &streams.stdout, &streams.stderr];
        let arguments = files
            .into_iter()
            .map(OsString::from)
            .chain([command.get_program().to_owned()])
            .chain(command.get_args().map(OsString::from));
        let guardian = Guardian::spawn_shell(shell, arguments, command)?;
        guardian.started().await.with_context(|| format!("cannot start {program}"))?;
        Ok(Self { program, guardian })
    }

    /// The process id.
    pub fn id(&self) -> Option<u32> {
        self.guardian.report().started
    }

    /// The exit code if the process has ended; 128 and the signal's number after a signal,
    /// and -1 when nobody knows it.
    pub fn exit_code(&self) -> Option<i32> {
        self.guardian.report().exited
    }

    /// Waits until the process has ended, and gives its exit code; -1 when nobody knows it.
    pub async fn ended(&self) -> i32 {
        self.guardian.exited().await
    }

    /// The same, but fails when the process still runs after this time.
    pub async fn wait(&self, within: Duration) -> Result<i32> {
        timeout(within, self.ended())
            .await
            .with_context(|| format!("{} still runs after {within:?}", self.program))
    }

    /// SIGTERM, then waits until the process has ended, and gives its exit code.
    pub async fn stop(self, within: Duration) -> Result<i32> {
        self.guardian.signal("TERM")?;
        let code = self.wait(within).await?;
        self.guardian.close().await;
        Ok(code)
    }

    /// SIGKILL, then waits until the process is gone.
    pub async fn kill(self) {
        self.guardian.close().await;
    }

    /// Leaves the process running when this one ends, until the file `marker` is removed.
    pub fn keep(&self, marker: &Path) -> Result<()> {
        if !marker.exists() {
            bail!("{} does not exist: nothing would be kept", marker.display());
        }
        self.guardian.keep(marker)
    }
}
