//! A terminal's screen as a drawing.

use reload_tests::terminal::Row;

use crate::svg::{Piece, Svg};

/// Of one character, in pixels.
const CELL: (f64, f64) = (8.4, 19.0);

const MARGIN: f64 = 16.0;

/// The command, and below it what it shows.
pub(crate) fn draw(command: &str, rows: &[Row]) -> String {
    let prompt = format!("$ {command}");
    let stretches = rows.iter().flat_map(|row| &row.stretches);
    let ends = stretches.map(|stretch| usize::from(stretch.column) + length(&stretch.text));
    let columns = ends.chain([length(&prompt), 80]).max().unwrap_or_default();
    let size = (at(columns) + MARGIN, row(rows.len() + 1));
    let mut svg = Svg::new(round(size.0), size.1, command);
    let piece = |column: usize, class, text| Piece {
        x: at(column),
        width: Some(round(length(text) as f64 * CELL.0)),
        class,
        text,
    };
    svg.line(row(0), [piece(0, "bold", &prompt)]);
    for (index, shown) in rows.iter().enumerate().filter(|(_, row)| !row.stretches.is_empty()) {
        let pieces = shown.stretches.iter().map(|stretch| {
            let class = match stretch.color {
                Some(1 | 9) => "red",
                Some(2 | 10) => "green",
                Some(3 | 11) => "yellow",
                Some(4 | 12) => "blue",
                _ if stretch.bold => "bold",
                _ => "",
            };
            piece(stretch.column.into(), class, &stretch.text)
        });
        match shown.wrapped {
            true => svg.wrapped_line(row(index + 1), pieces),
            false => svg.line(row(index + 1), pieces),
        }
    }
    svg.finish()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Where a column begins.
fn at(column: usize) -> f64 {
    round(MARGIN + column as f64 * CELL.0)
}

/// Where the line of a row stands.
fn row(index: usize) -> f64 {
    MARGIN + (index + 1) as f64 * CELL.1 - 5.0
}

/// Tenths of pixels are enough.
fn round(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}
