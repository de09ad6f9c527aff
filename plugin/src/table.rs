//! Tables as kubectl prints them: upper-case headings, columns three blanks apart.

use std::io::{self, Write as _};

/// Blanks between columns.
const GAP: usize = 3;

/// The column that is cut before any other, and how far: names are copied, words are not.
const WORDS: (&str, usize) = ("WHAT", 16);

/// No other column becomes narrower than this.
const NARROWEST: usize = 20;

/// Lays rows out in columns. Blanks at line ends are left out.
pub(crate) fn render(headings: &[&str], rows: &[Vec<String>]) -> String {
    render_within(headings, rows, None, |_, cell| cell.to_owned())
}

/// The same for a terminal of this width: columns are cut until it fits. `paint` is given
/// the heading and the cell, and may add what takes no room.
pub(crate) fn render_within(
    headings: &[&str],
    rows: &[Vec<String>],
    width: Option<usize>,
    paint: impl Fn(&str, &str) -> String,
) -> String {
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(headings.get(column).map_or(0, |heading| heading.len()))
    };
    let mut widths: Vec<usize> = (0..headings.len()).map(widest).collect();
    if let Some(width) = width {
        shrink(headings, &mut widths, width);
    }
    let mut text = String::new();
    let first: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    for (position, row) in std::iter::once(&first).chain(rows).enumerate() {
        let last = row.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
            let cell = cut(&printable(cell), *width);
            let blanks = if column == last { 0 } else { width + GAP - cell.chars().count() };
            text += &if position == 0 { cell } else { paint(headings[column], &cell) };
            text += &" ".repeat(blanks);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// Takes from the words, then from the widest column again and again, until all fit or none can
/// give.
fn shrink(headings: &[&str], widths: &mut [usize], whole: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    let excess = |widths: &[usize]| (widths.iter().sum::<usize>() + gaps).saturating_sub(whole);
    if let Some(words) = headings.iter().position(|heading| *heading == WORDS.0) {
        let most = widths[words].saturating_sub(WORDS.1);
        widths[words] -= excess(widths).min(most);
    }
    while excess(widths) > 0 {
        let Some(widest) = widths.iter_mut().max() else { return };
        if *widest <= NARROWEST {
            return;
        }
        *widest -= 1;
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The width of the terminal that standard output is; `None` where it is none.
pub(crate) fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Writes to standard output. Whoever reads it may have seen enough and closed it.
pub(crate) fn emit(text: &str) -> io::Result<()> {
    emit_more(text).map(drop)
}

/// Writes to standard output, and says whether anybody still reads it.
pub(crate) fn emit_more(text: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// The text without what could act on a terminal, or make it show something else than there is: control
/// characters, and those that break lines, hide or turn the direction of others.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || misleads(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a character breaks lines, hides, or turns the direction of others.
pub(crate) fn misleads(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A length of time as kubectl's AGE columns have it: `45s`, `5m`, `3h`, `12d`.
pub(crate) fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_acts_on_the_terminal() {
        let rows = vec![
            vec!["deployment/web".to_owned(), "x".to_owned()],
            vec![String::new(), "\u{1b}[2Jy".to_owned()],
        ];
        assert_eq!(
            render(&["WORKLOAD", "SOURCE"], &rows),
            "WORKLOAD         SOURCE\ndeployment/web   x\n                 \u{fffd}[2Jy\n"
        );
    }

    #[test]
    fn nothing_is_shown_in_another_direction_than_it_is_written() {
        assert_eq!(
            printable("a\u{202e}b\u{2066}c\u{200b}d\u{2028}e"),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e"
        );
        assert_eq!(printable("ключ-鍵-é"), "ключ-鍵-é");
    }

    #[test]
    fn a_narrow_terminal_cuts_words_before_names_and_colours_take_no_room() {
        let row = ["deployment/a-very-long-name", "Drifted", "something that takes many words to say"];
        let rows = vec![row.map(str::to_owned).to_vec()];
        let paint = |heading: &str, cell: &str| match heading {
            "VERDICT" => format!("<{cell}>"),
            _ => cell.to_owned(),
        };
        let headings = ["WORKLOAD", "VERDICT", "WHAT"];
        let line = |width| {
            let table = render_within(&headings, &rows, width, paint);
            table.lines().last().unwrap().to_owned()
        };
        for (width, expected) in [
            (None, "deployment/a-very-long-name   <Drifted>   something that takes many words to say"),
            (Some(60), "deployment/a-very-long-name   <Drifted>   something that take…"),
            (Some(54), "deployment/a-very-long-n…   <Drifted>   something that …"),
            (Some(1), "deployment/a-very-l…   <Drifted>   something that …"),
        ] {
            assert_eq!(line(width), expected, "{width:?}");
        }
    }

    #[test]
    fn ages_are_short() {
        for (seconds, text) in [(-5, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_800, "2d")] {
            assert_eq!(age(seconds), text);
        }
    }
}
