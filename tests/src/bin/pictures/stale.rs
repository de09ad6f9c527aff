//! Whether a picture tells something else than before: but for what differs each time.

use crate::svg::lines;

/// The first line that differs, as it was and as it is.
pub(crate) fn difference(before: &str, now: &str) -> Option<String> {
    let (before, now) = (told(before), told(now));
    let count = before.len().max(now.len());
    let line = |lines: &[String], index: usize| lines.get(index).cloned().unwrap_or_default();
    let pair = (0..count).map(|index| (line(&before, index), line(&now, index)));
    pair.into_iter().find(|(before, now)| before != now).map(|(before, now)| format!("- {before}\n+ {now}"))
}

/// In order of the text: what goes on at once may end in any order.
fn told(svg: &str) -> Vec<String> {
    let mut lines: Vec<String> = lines(svg).iter().map(|line| lasting(line)).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort();
    lines
}

/// A line without what differs each time.
fn lasting(line: &str) -> String {
    // How long before or after the other, in words.
    if line.trim_start().starts_with("The last write came") {
        return "The last write came".to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let bare = word.trim_end_matches(['.', ',', ':']);
        let is_version = words.last().is_some_and(|last| last == "resourceVersion");
        let differs = is_version || is_age(bare) || is_time(bare) || is_id(bare) || is_spinner(bare);
        words.push(if differs { "…".to_owned() } else { word.to_owned() });
    }
    words.join(" ")
}

/// `5s`, `12m`.
fn is_age(word: &str) -> bool {
    word.strip_suffix(['s', 'm', 'h', 'd']).is_some_and(|number| number.parse::<u32>().is_ok())
}

/// `2030-01-01T12:00:00Z`.
fn is_time(word: &str) -> bool {
    word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T'
}

/// A uid, or the id of a hash key.
fn is_id(word: &str) -> bool {
    let hex = word.chars().filter(|c| *c != '-').all(|c| c.is_ascii_hexdigit());
    hex && matches!(word.len(), 8 | 36)
}

fn is_spinner(word: &str) -> bool {
    matches!(word, "|" | "/" | "-" | "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_times_and_ids_make_no_difference_and_words_do() {
        for (line, other) in [
            ("web   Drifted   0s", "web Drifted   12m"),
            ("at 2026-11-22T23:34:59Z, by", "at 2030-01-01T00:00:00Z. by"),
            ("uid b1a63764-e24c-4b42-bd02-cc58fe5ed48a", "uid 00000000-e24c-4b42-bd02-cc58fe5ed48a"),
            ("hash key b58fb7c5 in", "hash key 0000ffff in"),
            ("resourceVersion 283.", "resourceVersion 4000."),
            ("- web [=> ] 1/3 0s", "| web [=> ] 1/3 2s"),
        ] {
            assert_eq!(lasting(line), lasting(other), "{line}");
        }
        for (line, other) in [
            ("3/3", "2/3"),
            ("NEW_CART changed", "OLD_CART changed"),
            ("v1.36.3", "v1.36.4"),
            ("[=> ] 1/3", "[==> ] 2/3"),
        ] {
            assert_ne!(lasting(line), lasting(other), "{line}");
        }
    }
}
