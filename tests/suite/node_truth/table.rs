//! The truth table as it came out.

use std::fmt;

use anyhow::{Result, ensure};

use super::truth::Truth;

/// What came of one scenario.
pub(crate) struct Row {
    pub(crate) truth: Truth,
    /// Whether chance decides what the containers run on.
    pub(crate) by_chance: bool,
    /// With its certainty: `Drifted recorded`.
    pub(crate) verdict: String,
    pub(crate) reason: String,
    /// What differs from what the scenario expects.
    pub(crate) surprises: Vec<String>,
}

/// How a verdict stands to the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Exact,
    NeedlessDrifted,
    Unknown,
    WrongCurrent,
    /// A wrong Current that is known, see [`KNOWN`].
    KnownWrong,
    /// None of those that a settled workload can have.
    Strange,
}

/// Where Current is known to be wrong, and why. To be made shorter, never longer.
const KNOWN: [(&str, &str); 4] = [
    (
        "immutable, recreated mutable, rolling update",
        "the present source does not tell that the one before was immutable",
    ),
    (
        "immutable, recreated mutable, two rolling updates",
        "the present source does not tell that the one before was immutable",
    ),
    (
        "short init, changed and back around the start",
        "a container that starts within a minute of its record is taken to have read what was recorded",
    ),
    (
        "optional source, appeared and went around a restart",
        "what came and went leaves no trace: the verdict is inferred",
    ),
];

fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|(known, _)| *known == name)
}

/// All scenarios that were run.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(&'static str, Row)>,
    broken: Vec<(&'static str, anyhow::Error)>,
}

impl Row {
    fn outcome(&self, name: &str) -> Outcome {
        let verdict = self.verdict.split(' ').next();
        match (verdict, self.truth.is_current()) {
            (Some("Current"), true) | (Some("Drifted"), false) => Outcome::Exact,
            (Some("Current"), false) if is_known(name) => Outcome::KnownWrong,
            (Some("Current"), false) => Outcome::WrongCurrent,
            (Some("Drifted"), true) => Outcome::NeedlessDrifted,
            (Some("Unknown"), _) => Outcome::Unknown,
            _ => Outcome::Strange,
        }
    }
}

impl Table {
    /// Takes down what came of a scenario.
    pub(crate) fn add(&mut self, name: &'static str, row: Result<Row>) {
        match row {
            Ok(row) => self.rows.push((name, row)),
            Err(error) => self.broken.push((name, error)),
        }
    }

    /// Fails when a verdict of Current was wrong, a known one no more, a scenario did not go as it
    /// should, or there were fewer than that.
    pub(crate) fn check(&self, at_least: usize) -> Result<()> {
        let wrong = self.count(Outcome::WrongCurrent) + self.count(Outcome::Strange);
        let surprising =
            self.rows.iter().filter(|(name, row)| !row.surprises.is_empty() && !is_known(name)).count();
        ensure!(
            wrong == 0 && surprising == 0 && self.broken.is_empty(),
            "{wrong} wrong verdicts, {surprising} surprises, {} scenarios broke off",
            self.broken.len()
        );
        let mended = self.mended();
        ensure!(mended.is_empty(), "no longer wrong, to be removed from KNOWN: {}", mended.join("; "));
        ensure!(self.rows.len() >= at_least, "only {} scenarios of {at_least} ran", self.rows.len());
        Ok(())
    }

    /// Known wrong ones that are not there, or not wrong although the container runs on something old,
    /// where that is not left to chance.
    fn mended(&self) -> Vec<&'static str> {
        let still_wrong = |(name, row): &(&str, Row)| {
            row.by_chance || row.truth.is_current() || row.outcome(name) == Outcome::KnownWrong
        };
        let known = KNOWN.iter().map(|(known, _)| *known);
        known.filter(|known| !self.rows.iter().any(|row| row.0 == *known && still_wrong(row))).collect()
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|(name, row)| row.outcome(name) == outcome).count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![["SCENARIO", "RUNS ON", "VERDICT", "REASON", "OUTCOME"].map(str::to_owned)];
        lines.extend(self.rows.iter().map(|(name, row)| {
            let outcome = format!("{:?}", row.outcome(name));
            [(*name).to_owned(), row.truth.to_string(), row.verdict.clone(), row.reason.clone(), outcome]
        }));
        lines[1..].sort();
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
        let widths = [width(0), width(1), width(2), width(3)];
        for [name, runs, verdict, reason, outcome] in &lines {
            let [w0, w1, w2, w3] = widths;
            writeln!(f, "{name:w0$}  {runs:w1$}  {verdict:w2$}  {reason:w3$}  {outcome}")?;
        }
        for (name, row) in &self.rows {
            for surprise in &row.surprises {
                writeln!(f, "SURPRISE {name}: {surprise}")?;
            }
        }
        for (name, why) in KNOWN {
            writeln!(f, "KNOWN {name}: {why}")?;
        }
        for (name, error) in &self.broken {
            writeln!(f, "BROKE OFF {name}: {error:#}")?;
        }
        write!(
            f,
            "{} scenarios, {} exact, {} needless Drifted, {} Unknown, {} known wrong Current, {} wrong Current",
            self.rows.len(),
            self.count(Outcome::Exact),
            self.count(Outcome::NeedlessDrifted),
            self.count(Outcome::Unknown),
            self.count(Outcome::KnownWrong),
            self.count(Outcome::WrongCurrent),
        )
    }
}
