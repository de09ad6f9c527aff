//! Questions that a person has to agree to before something is written.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::table::printable;

/// Asks on standard error, and says whether the answer is yes; anything else is no.
///
/// # Errors
/// Where no terminal can be asked; `unasked` says what is to be done then.
pub(crate) fn agrees(question: &str, unasked: &str) -> anyhow::Result<bool> {
    anyhow::ensure!(io::stdin().is_terminal(), "{unasked} and no terminal can be asked: pass --yes");
    eprint!("{} [y/N] ", printable(question));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
