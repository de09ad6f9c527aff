//! Golden outputs: what a view has to show, to the letter, in `snapshots/` beside the test.

/// What a name may hold that acts on a terminal, and that turns what follows it.
pub(crate) const HOSTILE: &str = "\u{1b}[2J\u{202e}";

/// Compares a text with the golden output of that name. Nothing in a text acts on a terminal, but for the
/// colours of one whose name says that it is colored; those are kept as `ESC`. Documents hold text as it is,
/// but for control characters.
macro_rules! golden {
    ($name:expr, $text:expr) => {{
        let (name, text): (&str, String) = ($name, $text);
        let is_color = |c: char| c == '\u{1b}' && name.contains("colored");
        let is_document = name.contains("json") || name.contains("yaml");
        let turns = |c: char| !is_document && crate::table::printable(&c.to_string()) != c.to_string();
        let acts = |c: char| (c.is_control() || turns(c)) && c != '\n' && !is_color(c);
        assert!(!text.contains(acts), "{name}: {text:?}");
        insta::assert_snapshot!(name.replace(' ', "-"), text.replace('\u{1b}', "ESC"));
    }};
}

pub(crate) use golden;
