//! The same answer again and again: drawn anew on a terminal, appended elsewhere where it changed.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;

use crate::table::{emit_more, printable};

/// To the upper left corner, and all below is cleared.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Whether and how often the cluster is looked at again.
#[derive(Debug, Clone, Args)]
pub(super) struct WatchArgs {
    /// Look again and again, until Ctrl-C; elsewhere than on a terminal, tell when the answer changed.
    #[arg(short, long, conflicts_with = "exit_code")]
    pub(super) watch: bool,

    /// How long to wait before looking again, in seconds.
    #[arg(long, requires = "watch", default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    watch_interval: u64,
}

impl WatchArgs {
    /// Shows what `look` gives, until nobody reads it any more. A look that fails is told, and the
    /// next one may succeed; the first has to.
    ///
    /// # Errors
    /// When the first look fails, or nothing can be written.
    pub(super) async fn run(&self, look: impl AsyncFn() -> anyhow::Result<String>) -> anyhow::Result<()> {
        let terminal = std::io::stdout().is_terminal();
        let mut shown = look().await?;
        let mut first = true;
        let mut looked = Ok(shown.clone());
        loop {
            let changed = match looked {
                Ok(text) if first || terminal || unchanging(&text) != unchanging(&shown) => Some(text),
                Ok(_) => None,
                Err(error) => {
                    let error: anyhow::Error = error;
                    eprintln!("error: {}", printable(&error.to_string()));
                    None
                }
            };
            if let Some(text) = changed {
                let before = if terminal {
                    CLEAR
                } else if first {
                    ""
                } else {
                    "\n"
                };
                if !emit_more(&format!("{before}{text}"))? {
                    return Ok(());
                }
                (first, shown) = (false, text);
            }
            tokio::time::sleep(Duration::from_secs(self.watch_interval)).await;
            looked = look().await;
        }
    }
}

/// The text without ages, which change by themselves: the last words of lines of tables.
fn unchanging(text: &str) -> Vec<Vec<&str>> {
    let is_age = |word: &&str| {
        let (number, unit) = word.split_at(word.len() - word.chars().last().map_or(0, char::len_utf8));
        matches!(unit, "s" | "m" | "h" | "d") && number.parse::<u64>().is_ok()
    };
    text.lines().map(|line| line.split_whitespace().filter(|word| !is_age(word)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_no_change() {
        assert_eq!(unchanging("a   changed   5s\nb"), unchanging("a   changed    12m\nb"));
        assert_ne!(unchanging("a   1/2   5s"), unchanging("a   2/2   5s"));
        assert_eq!(unchanging("grün …"), [["grün", "…"]]);
    }
}
