//! A program on a terminal: what it shows, and what a person types.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::kubectl::Kubectl;
use crate::namespace::Namespace;
use crate::wait::eventually;

mod row;

pub use row::{Row, Stretch};

/// How long a program may take to show something, and to end.
const LIMIT: Duration = Duration::from_secs(60);

/// A pseudo-terminal with a program on it, which ends with it.
pub struct Terminal {
    master: File,
    child: Child,
    shown: Arc<Mutex<Shown>>,
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
    /// Nobody can write any more.
    ended: bool,
}

impl Namespace<'_> {
    /// `kubectl reload … -n NAME` on a terminal of so many rows and columns; `None` where there is no
    /// setsid, which makes the terminal the program's own.
    pub fn reload_on_terminal(&self, arguments: &[&str], size: (u16, u16)) -> Result<Option<Terminal>> {
        self.cluster().binaries().plugin()?;
        self.kubectl_with_webhook()
            .on_terminal(&[&["reload"], arguments, &["-n", self.name()]].concat(), size)
    }
}

impl Kubectl<'_> {
    /// `kubectl …` on a terminal, likewise, in the folder of the cluster.
    pub fn on_terminal(&self, arguments: &[&str], size: (u16, u16)) -> Result<Option<Terminal>> {
        if std::process::Command::new("setsid").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("setsid is not installed: terminals are not tested");
            return Ok(None);
        }
        let mut command = self.program("setsid")?;
        command
            // Ctrl-C is heard, whatever started the tests: a shell's background jobs begin deaf to it.
            .args(["--ctty", "--wait", "env", "--default-signal=INT", "kubectl"])
            .args(arguments)
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .current_dir(self.folder());
        Terminal::start(command, size).map(Some)
    }
}

impl Terminal {
    fn start(command: std::process::Command, (rows, columns): (u16, u16)) -> Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        // Else the program would keep its own terminal alive.
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?;
        let slave = OpenOptions::new().read(true).write(true).open(path.to_str()?)?;
        let slave = OwnedFd::from(slave);
        let mut command = Command::from(command);
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave).kill_on_drop(true);
        let master = File::from(master);
        let parser = vt100::Parser::new(rows, columns, 0);
        let shown = Arc::new(Mutex::new(Shown { parser, raw: Vec::new(), ended: false }));
        let terminal = Self { child: command.spawn()?, master, shown };
        terminal.resize(rows, columns)?;
        let (mut output, shown) = (terminal.master.try_clone()?, terminal.shown.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It fails when nobody has the other end open any more.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let mut shown = lock(&shown);
                shown.parser.process(&bytes[..count]);
                shown.raw.extend_from_slice(&bytes[..count]);
            }
            lock(&shown).ended = true;
        });
        Ok(terminal)
    }

    /// What is on the screen now.
    pub fn screen(&self) -> String {
        lock(&self.shown).parser.screen().contents()
    }

    /// What is there with its colours when the program has ended and all is read.
    pub async fn last_rows(&mut self) -> Result<Vec<Row>> {
        self.code().await?;
        eventually("all is read", LIMIT, async || {
            let shown = lock(&self.shown);
            ensure!(shown.ended, "somebody may write still");
            Ok(row::rows(shown.parser.screen()))
        })
        .await
    }

    /// Waits until the screen holds all of these texts at once, and gives it as it is then.
    pub async fn rows_with(&self, texts: &[&str]) -> Result<Vec<Row>> {
        eventually(format!("the screen shows {texts:?}"), LIMIT, async || {
            let shown = lock(&self.shown);
            let screen = shown.parser.screen();
            let contents = screen.contents();
            ensure!(texts.iter().all(|text| contents.contains(text)), "{contents}");
            Ok(row::rows(screen))
        })
        .await
    }

    /// All that was ever written, with what moves the cursor.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&lock(&self.shown).raw).into_owned()
    }

    /// Waits until the screen holds this text.
    pub async fn shows(&self, text: &str) -> Result<()> {
        eventually(format!("the screen shows {text:?}"), LIMIT, async || {
            let screen = self.screen();
            ensure!(screen.contains(text), "{screen}\n(all: {:?})", self.raw());
            Ok(())
        })
        .await
    }

    /// Presses keys: `\u{3}` is Ctrl-C.
    pub fn press(&self, keys: &str) -> Result<()> {
        Ok((&self.master).write_all(keys.as_bytes())?)
    }

    /// Changes its size, as whoever drags its window does.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        lock(&self.shown).parser.screen_mut().set_size(rows, columns);
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(self.master.as_fd(), size)?)
    }

    /// Waits until the program has ended, and gives its exit code: 128 and the signal's number after
    /// a signal.
    pub async fn code(&mut self) -> Result<i32> {
        let ended = timeout(LIMIT, self.child.wait()).await;
        let status = ended.with_context(|| format!("it does not end\n{}", self.screen()))??;
        let signal = status.signal().map(|signal| 128 + signal);
        status.code().or(signal).context("it has neither a code nor a signal")
    }
}

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}
