//! The result.

use std::fmt;
use std::time::Duration;

/// What was measured, beside what was aimed at.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 3]>,
    missed: Vec<String>,
}

impl Table {
    /// One figure; it is shown on stderr at once, too, for the whole takes minutes.
    pub(crate) fn row(&mut self, what: &str, figure: impl fmt::Display, goal: &str) {
        eprintln!("{what}: {figure}");
        self.rows.push([what.to_owned(), figure.to_string(), goal.to_owned()]);
    }

    /// One figure that has to reach its goal.
    pub(crate) fn goal(&mut self, what: &str, figure: impl fmt::Display, goal: &str, is_reached: bool) {
        if !is_reached {
            self.missed.push(format!("{}: {figure}, not {goal}", what.trim()));
        }
        let mark = if is_reached { "" } else { " (missed)" };
        self.row(what, figure, &format!("{goal}{mark}"));
    }

    /// The goals that were missed.
    pub(crate) fn missed(&self) -> &[String] {
        &self.missed
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [what, figure] = [width(0), width(1)];
        writeln!(f, "{:what$}  {:>figure$}  goal", "", "measured")?;
        for row in &self.rows {
            writeln!(f, "{:what$}  {:>figure$}  {}", row[0], row[1], row[2])?;
        }
        Ok(())
    }
}

/// The value at a share from 0 to 1 of all; the median at 0.5.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
