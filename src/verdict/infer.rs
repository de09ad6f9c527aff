//! Rung 6: without a usable record, what the times of writing and starting tell, and what is missing.

use super::ladder::Use;
use super::times::later;
use super::{Certainty, Finding, Reason, Verdict};
use crate::reference::{Keys, Reference};
use crate::source::Source;

/// What the times tell of one container; the worst comes last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    WrittenBefore,
    TooClose,
    NoTime,
    WrittenSince,
}

impl Use<'_> {
    /// Compares the last write with the start of every container that uses the source. Time is
    /// evidence only for keys that exist and whose write is known; a removed key leaves no trace, but
    /// what a container needs was there when it started.
    pub(super) fn infer(&self, now: &Source) -> Finding {
        if let Some(missing) = self.lacks_keys(now) {
            return Finding { certainty: Certainty::Inferred, ..missing };
        }
        let told = self.references.iter().map(|reference| self.told(reference, now)).max();
        let finding = match told {
            None | Some(Told::WrittenBefore) => self.inferred(Verdict::Current, Reason::StartedSince),
            Some(Told::TooClose) => self.unknown(Reason::TooClose),
            Some(Told::NoTime) => self.unknown(Reason::NoWriteTime),
            Some(Told::WrittenSince) => self.inferred(Verdict::Drifted, Reason::WrittenSinceStart),
        };
        finding.since(now)
    }

    fn told(&self, reference: &Reference, now: &Source) -> Told {
        let Some(started) = self.run(reference).and_then(|run| run.started_at) else {
            return Told::WrittenBefore;
        };
        let Some(write) = &now.last_write else {
            return if is_empty(now) { Told::WrittenBefore } else { Told::NoTime };
        };
        let needed = reference.needs.iter().all(|key| write.keys.contains(key));
        let known = match &reference.keys {
            Keys::All { .. } => needed,
            Keys::Some(keys) => {
                needed && keys.iter().all(|key| reference.optional || write.keys.contains(key))
            }
        };
        if !known {
            Told::NoTime
        } else if write.at > started {
            Told::WrittenSince
        } else if later(write.at, self.lag) < started {
            Told::WrittenBefore
        } else {
            Told::TooClose
        }
    }
}

/// Whether the source is known to hold nothing at all.
fn is_empty(now: &Source) -> bool {
    now.content.as_ref().is_some_and(|content| content.is_empty())
}
