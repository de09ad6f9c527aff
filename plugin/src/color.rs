//! Colours, on terminals alone.

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::{Args, ValueEnum};

/// Whether output has colours.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct ColorArgs {
    /// Colours: auto means on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// Paints, or leaves as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

/// By meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    /// All is well.
    Green,
    /// Look at it.
    Yellow,
    /// Mend it.
    Red,
    /// Under way.
    Blue,
}

impl ColorArgs {
    /// As asked, for standard output.
    pub(crate) fn paint(self) -> Paint {
        self.paint_on(&std::io::stdout())
    }

    /// As asked, for standard error.
    pub(crate) fn paint_errors(self) -> Paint {
        self.paint_on(&std::io::stderr())
    }

    fn paint_on(self, stream: &impl IsTerminal) -> Paint {
        let variable = |name: &str| std::env::var_os(name);
        Paint(self.color.holds(stream.is_terminal(), variable("NO_COLOR"), variable("TERM")))
    }
}

impl When {
    /// <https://no-color.org>: any value but an empty one.
    fn holds(self, terminal: bool, no_color: Option<OsString>, term: Option<OsString>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let refused = no_color.is_some_and(|value| !value.is_empty());
                terminal && !refused && term.is_none_or(|term| term != "dumb")
            }
        }
    }
}

impl Paint {
    /// The text in a colour.
    pub(crate) fn paint(self, color: Color, text: &str) -> String {
        let code = match color {
            Color::Green => 32,
            Color::Yellow => 33,
            Color::Red => 31,
            Color::Blue => 34,
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
impl Paint {
    /// None at all.
    pub(crate) const PLAIN: Self = Self(false);
    /// Always.
    pub(crate) const COLORED: Self = Self(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_unless_something_else_is_asked_for() {
        let some = |text: &str| Some(OsString::from(text));
        assert!(When::Auto.holds(true, None, some("xterm")));
        assert!(When::Auto.holds(true, some(""), None));
        assert!(!When::Auto.holds(true, some("1"), some("xterm")));
        assert!(!When::Auto.holds(true, None, some("dumb")));
        assert!(!When::Auto.holds(false, None, None));
        assert!(When::Always.holds(false, some("1"), None));
        assert!(!When::Never.holds(true, None, None));
    }
}
