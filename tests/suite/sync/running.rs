//! A sync under way.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use reload_tests::{Namespace, Output};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use super::WHILE;

/// `kubectl-reload sync` of a namespace, which ends with it.
pub(super) struct Running {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    told: String,
}

impl Running {
    /// Starts one; `kubeconfig` in place of the administrator's.
    pub(super) fn start(ns: &Namespace<'_>, kubeconfig: Option<&Path>, arguments: &[&str]) -> Result<Self> {
        let mut command = ns.kubectl().program(ns.cluster().binaries().plugin()?)?;
        command.arg("sync").args(arguments).args(["-n", ns.name()]);
        command.env("KUBECTL_RELOAD_NAMESPACE", ns.webhook_options().install_namespace);
        if let Some(kubeconfig) = kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let stderr = BufReader::new(child.stderr.take().context("no stderr")?).lines();
        Ok(Self { child, stderr, told: String::new() })
    }

    /// Waits until it tells something that holds this text.
    pub(super) async fn tells(&mut self, text: &str) -> Result<()> {
        let read = async {
            while let Some(line) = self.stderr.next_line().await? {
                self.told += &(line + "\n");
                if self.told.lines().last().is_some_and(|line| line.contains(text)) {
                    return Ok(());
                }
            }
            anyhow::bail!("it has ended")
        };
        let read = timeout(WHILE, read).await.unwrap_or_else(|_| anyhow::bail!("it does not"));
        read.with_context(|| format!("it should tell {text:?} after:\n{}", self.told))
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().context("it has ended")?;
        Ok(kill_process(Pid::from_raw(i32::try_from(id)?).context("no process")?, signal)?)
    }

    /// Waits until it ends; all that it wrote.
    pub(super) async fn end(mut self) -> Result<Output> {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().context("no stdout")?;
        let rest = async {
            let mut rest = String::new();
            while let Some(line) = self.stderr.next_line().await? {
                rest += &(line + "\n");
            }
            anyhow::Ok(rest)
        };
        let all = async { tokio::join!(pipe.read_to_string(&mut stdout), rest, self.child.wait()) };
        let (read, rest, status) = timeout(WHILE, all).await.context("it does not end")?;
        read?;
        let status = status?;
        Ok(Output {
            command: "kubectl-reload sync".to_owned(),
            code: status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1),
            stdout,
            stderr: self.told + &rest?,
        })
    }
}
