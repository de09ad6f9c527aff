//! The screen: lines on both streams, and on a terminal bars below them that move.

use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use crate::table::{emit, printable};

/// Where a command speaks. Whatever is written while bars are shown is written by it: they stand
/// below all lines.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    /// None where standard error is no terminal, or one that cannot move its cursor.
    bars: Option<MultiProgress>,
}

impl Screen {
    /// Of this process.
    pub(crate) fn new() -> Self {
        let target = ProgressDrawTarget::stderr();
        Self { bars: (!target.is_hidden()).then(|| MultiProgress::with_draw_target(target)) }
    }

    /// A bar at the bottom, where there are bars.
    pub(crate) fn bar(&self) -> Option<ProgressBar> {
        // The length comes later.
        self.bars.as_ref().map(|bars| bars.add(ProgressBar::no_length()))
    }

    /// A line on standard output.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn say(&self, line: &str) -> io::Result<()> {
        self.apart(|| emit(&(printable(line) + "\n")))
    }

    /// A line on standard error.
    pub(crate) fn tell(&self, line: &str) {
        let text = printable(line) + "\n";
        // If it cannot be written, nobody can be told so.
        let _ = self.apart(|| io::stderr().lock().write_all(text.as_bytes()));
    }

    /// Text on standard error, made printable and painted before.
    pub(crate) fn show(&self, text: &str) {
        let _ = self.apart(|| io::stderr().lock().write_all(text.as_bytes()));
    }

    /// Takes the bars away.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.bars {
            // A terminal that is gone shows none.
            let _ = bars.clear();
        }
    }

    /// Writes with no bar in the way.
    fn apart<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// Standard error, for the log.
impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.apart(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
