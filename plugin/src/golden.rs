//! Golden outputs: what a view has to show, to the letter, in `snapshots/` beside the test.

/// Compares a text with the golden output of that name. Nothing in a text acts on a terminal, but for the
/// colours of one whose name says that it is colored; those are kept as `ESC`.
macro_rules! golden {
    ($name:expr, $text:expr) => {{
        let (name, text): (&str, String) = ($name, $text);
        let is_color = |c: char| c == '\u{1b}' && name.contains("colored");
        let acts = |c: char| c.is_control() && c != '\n' && !is_color(c);
        assert!(!text.contains(acts), "{name}: {text:?}");
        insta::assert_snapshot!(name.replace(' ', "-"), text.replace('\u{1b}', "ESC"));
    }};
}

pub(crate) use golden;
