//! No process is left behind, whatever happens to the one that started it.
//!
//! Destructors do not run when a process is killed, and a parent's death says nothing to its
//! children. A pipe does: its write end closes when the process that holds it ends, in whatever
//! way. So everything that is started gets a **guardian**, a small shell in a process group of its
//! own (Ctrl-C does not reach it) that reads from such a pipe, and tears down when it closes.
//!
//! The guardian itself starts what it guards. So there is no moment at which something runs and
//! nobody guards it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::sync::watch;

/// Guards a process and all that it starts: they share the guardian's process group.
///
/// Arguments: the files for stdin, stdout and stderr, then the command. Reads `signal NAME PID`
/// and `keep FILE`; reports `started PID` and `exited CODE`. The process holds the guardian's stdout
/// as its file descriptor 3, so that this ends only when none of them is left.
pub(crate) const PROCESS: &str = r#"
in=$1 out=$2 err=$3
shift 3
( "$@" <"$in" 3>&1 >>"$out" 2>>"$err" & echo "started $!"; wait $!; echo "exited $?" ) 2>/dev/null &
trap '' HUP INT TERM PIPE
kept=
while [ -z "$kept" ] && read -r word rest; do
  case $word in
    signal) kill -s $rest 2>/dev/null ;;
    keep) kept=$rest ;;
  esac
done
while [ -n "$kept" ] && [ -e "$kept" ]; do sleep 1; done
kill -s KILL 0
"#;

/// Guards a cluster, whose processes are daemons in sessions of their own.
///
/// Arguments: the log, the cluster's folder and name, kwokctl, then the arguments of kwokctl that
/// create it. Reads `keep FILE`; reports `started CODE` with the exit code of kwokctl. A creation
/// that is under way when the pipe closes ends first: only then is all of it known that there is
/// to delete.
pub(crate) const CLUSTER: &str = r#"
log=$1 folder=$2 name=$3 kwokctl=$4
shift 4
trap : HUP INT TERM PIPE
"$kwokctl" "$@" </dev/null >>"$log" 2>&1
echo "started $?"
trap '' HUP INT TERM PIPE
kept=
while [ -z "$kept" ] && read -r word rest; do
  [ "$word" = keep ] && kept=$rest
done
while [ -n "$kept" ] && [ -e "$kept" ]; do sleep 1; done
"$kwokctl" delete cluster --name "$name" </dev/null >>"$log" 2>&1
rm -rf "$folder"
"#;

/// What a guardian has said so far of that which it guards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// `PROCESS`: the process id. `CLUSTER`: kwokctl's exit code.
    pub(crate) started: Option<u32>,
    /// The exit code, or 128 and the signal's number; -1 when nobody knows it.
    pub(crate) exited: Option<i32>,
    /// The guardian itself has ended, and with it what it guarded.
    gone: bool,
}

/// A guardian, and the pipe whose end is its sign to tear down. Dropping it closes the pipe.
#[derive(Debug)]
pub(crate) struct Guardian {
    pipe: Mutex<ChildStdin>,
    reports: watch::Receiver<Report>,
}

impl Guardian {
    /// Starts one of the scripts above with its arguments, in the environment and the working
    /// directory of `like`.
    pub(crate) fn spawn(
        script: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        like: &Command,
    ) -> Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, "guardian"]);
        Self::spawn_shell(shell, arguments, like)
    }

    /// The same, but `shell` says which shell reads which script, and where.
    pub(crate) fn spawn_shell(
        mut command: Command,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        like: &Command,
    ) -> Result<Self> {
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = like.get_current_dir() {
            command.current_dir(folder);
        }
        let mut shell = command.spawn().context("cannot start /bin/sh")?;
        let pipe = shell.stdin.take().context("the guardian has no pipe")?;
        let (sender, reports) = watch::channel(Report::default());
        // A thread, not a task: a guardian may outlive the runtime of the test that started it.
        std::thread::Builder::new().name("guardian".to_owned()).spawn(move || listen(shell, &sender))?;
        Ok(Self { pipe: Mutex::new(pipe), reports })
    }

    /// The last report.
    pub(crate) fn report(&self) -> Report {
        *self.reports.borrow()
    }

    /// Waits for the number that comes with `started`.
    pub(crate) async fn started(&self) -> Result<u32> {
        let report = self.wait(|report| report.started.is_some()).await;
        report.started.context("the guardian ended before it started anything")
    }

    /// Waits until what it guards has ended, and gives the exit code; -1 when nobody knows it.
    pub(crate) async fn exited(&self) -> i32 {
        let report = self.wait(|report| report.exited.is_some()).await;
        report.exited.unwrap_or(-1)
    }

    /// Waits until a report is as wanted, or the last one.
    async fn wait(&self, wanted: impl Fn(&Report) -> bool) -> Report {
        let mut reports = self.reports.clone();
        // An error says that the thread has ended: no other report will come.
        let _ = reports.wait_for(|report| report.gone || wanted(report)).await;
        self.report()
    }

    /// Sends a signal (`TERM`) to the process, unless it has ended.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        match self.report() {
            Report { started: Some(process), exited: None, gone: false } => {
                self.tell(&format!("signal {name} {process}"))
            }
            _ => Ok(()),
        }
    }

    /// From now on the guardian tears down when `marker` is removed, and not when this process
    /// ends.
    pub(crate) fn keep(&self, marker: &Path) -> Result<()> {
        self.tell(&format!("keep {}", marker.display()))
    }

    /// Closes the pipe and waits until the guardian has torn down.
    pub(crate) async fn close(self) {
        let Self { pipe, mut reports } = self;
        drop(pipe);
        // An error says that the thread has ended, which it does with the guardian.
        let _ = reports.wait_for(|report| report.gone).await;
    }

    fn tell(&self, line: &str) -> Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(pipe, "{line}").context("the guardian is gone")
    }
}

/// Hands on what the guardian says, until it ends.
fn listen(mut shell: Child, reports: &watch::Sender<Report>) {
    if let Some(stdout) = shell.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            reports.send_modify(|report| hear(report, &line));
        }
    }
    // Waited for, so that it does not stay behind as a zombie.
    let _ = shell.wait();
    reports.send_modify(|report| {
        report.gone = true;
        report.exited.get_or_insert(-1);
    });
}

fn hear(report: &mut Report, line: &str) {
    match line.split_once(' ') {
        Some(("started", number)) => report.started = number.parse().ok(),
        Some(("exited", code)) => report.exited = code.parse().ok(),
        _ => {}
    }
}
