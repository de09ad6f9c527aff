//! Rows of a terminal, with how they look.

use vt100::{Color, Screen};

/// What stands in one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// From left to right.
    pub stretches: Vec<Stretch>,
    /// Whether its line goes on in the next row; then its last stretch reaches as far as the line did.
    pub wrapped: bool,
}

/// A part of a row that looks alike and has no gap: two blanks end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Where it begins, from 0.
    pub column: u16,
    /// One character a column.
    pub text: String,
    /// One of the terminal's 16 colours, where it is not the usual one.
    pub color: Option<u8>,
    /// Whether it is bold.
    pub bold: bool,
}

/// The rows of a screen but for the empty ones at its end.
pub(super) fn rows(screen: &Screen) -> Vec<Row> {
    let (rows, columns) = screen.size();
    let mut all: Vec<Row> = (0..rows).map(|row| look(screen, row, columns)).collect();
    let used = all.iter().rposition(|row| !row.stretches.is_empty()).map_or(0, |last| last + 1);
    all.truncate(used);
    all
}

fn look(screen: &Screen, row: u16, columns: u16) -> Row {
    let wrapped = screen.row_wrapped(row);
    let mut found: Vec<Stretch> = Vec::new();
    let mut blanks = 2;
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        let text = cell.contents();
        if text.trim().is_empty() {
            blanks += 1;
            continue;
        }
        let color = match cell.fgcolor() {
            Color::Idx(index @ 0..16) => Some(index),
            _ => None,
        };
        match found.last_mut() {
            Some(last) if blanks < 2 && (last.color, last.bold) == (color, cell.bold()) => {
                last.text += &" ".repeat(blanks);
                last.text += text;
            }
            _ => found.push(Stretch { column, text: text.to_owned(), color, bold: cell.bold() }),
        }
        blanks = 0;
    }
    if let Some(last) = found.last_mut().filter(|_| wrapped) {
        last.text += &" ".repeat(blanks);
    }
    Row { stretches: found, wrapped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_split_at_gaps_and_where_its_look_changes() {
        let mut parser = vt100::Parser::new(6, 12, 0);
        parser.process(b"a b   \x1b[31mred\x1b[0m c\r\n\r\n  \x1b[1mbold\x1b[0m\r\na line that wraps\r\n");
        let stretch =
            |column, text: &str, color, bold| Stretch { column, text: text.to_owned(), color, bold };
        let row = |stretches: &[Stretch], wrapped| Row { stretches: stretches.to_vec(), wrapped };
        let plain = |text| stretch(0, text, None, false);
        let first = [plain("a b"), stretch(6, "red", Some(1), false), stretch(10, "c", None, false)];
        assert_eq!(
            rows(parser.screen()),
            [
                row(&first, false),
                Row::default(),
                row(&[stretch(2, "bold", None, true)], false),
                row(&[plain("a line that ")], true),
                row(&[plain("wraps")], false),
            ]
        );
    }
}
