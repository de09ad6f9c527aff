//! The command as it was typed, to be typed again.

use std::ffi::OsString;

/// The flag whose value is not shown.
const SECRET: &str = "--token";

/// Of the words after the program's name.
pub(super) fn command(words: impl IntoIterator<Item = OsString>) -> String {
    let mut text = "kubectl reload".to_owned();
    let mut hidden = false;
    for word in words {
        let word = word.to_string_lossy();
        let shown = match word.strip_prefix(SECRET) {
            _ if hidden => "…".to_owned(),
            Some(rest) if rest.starts_with('=') => format!("{SECRET}=…"),
            _ => quote(&word),
        };
        hidden = !hidden && word == SECRET;
        text += &format!(" {shown}");
    }
    text
}

/// For a POSIX shell.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_again_and_shows_no_token() {
        for (words, expected) in [
            (&["sync", "-n", "shop"] as &[&str], "kubectl reload sync -n shop"),
            (&["sync", "-l", "a in (b, c)", ""], "kubectl reload sync -l 'a in (b, c)' ''"),
            (&["sync", "-l", "it's"], r"kubectl reload sync -l 'it'\''s'"),
            (&["--token", "sesame", "sync"], "kubectl reload --token … sync"),
            (&["--token=sesame", "sync"], "kubectl reload --token=… sync"),
            (&["--token", "--token", "sync"], "kubectl reload --token … sync"),
        ] {
            assert_eq!(command(words.iter().map(Into::into)), expected);
        }
    }
}
