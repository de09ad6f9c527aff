//! What the times of writing and starting tell of the content that a container holds.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Run;
use super::ladder::Use;
use crate::record::{By, Record, SourceRecord};
use crate::reference::{Keys, Mode, Reference};
use crate::source::Source;

/// A container that starts for the first time within this time of the record is taken to have read
/// what was recorded. One that starts later waited for something, and anything may have been written
/// meanwhile.
const FIRST_START: SignedDuration = SignedDuration::from_secs(60);

/// The same where nothing tells when the source was written, and a write in between would show as
/// little as one that came later.
const FIRST_START_UNTIMED: SignedDuration = SignedDuration::from_secs(10);

/// What a container holds of a source whose content differs from the recorded one; the one that
/// speaks for several containers comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// What is there now, or nothing yet.
    Present,
    /// One or the other. Whether the time of writing is known, and too close to the start.
    Unclear {
        /// Not known counts as less.
        dated: bool,
    },
    /// Probably something older: the source was written since the start, nobody knows in which key.
    ProbablyOlder,
    /// Something older.
    Older,
}

impl Use<'_> {
    /// What the container of this reference holds. `known`: the last write is that of every key that
    /// differs. `dated`: it is that of those of them that are still there.
    pub(super) fn held(&self, reference: &Reference, now: &Source, known: bool, dated: bool) -> Held {
        let Some(run) = self.run(reference) else { return Held::Present };
        let Some(started) = run.started_at else { return Held::Present };
        let written = now.last_write.as_ref().map(|write| write.at);
        // What was written before the record is not what makes the difference.
        let recorded_at = self.pod.record.as_ref().map_or(Timestamp::MIN, |record| record.at);
        let known = known && written.is_some_and(|written| written >= recorded_at);
        if known && self.started_since(reference, now) {
            return Held::Present;
        }
        // Of what is removed without a trace, a write in the second of the record tells nothing.
        let between = written.filter(|written| known || *written > recorded_at);
        let replaced = self.is_another_object(now) && now.created_at <= started;
        if !replaced && self.holds_the_record(run, between) {
            // A write from before the record does not tell of the one that made the difference, either.
            let untimed = written.is_none_or(|written| written < recorded_at);
            return match untimed && self.started_late(run) {
                true => Held::ProbablyOlder,
                false => Held::Older,
            };
        }
        // The manager who removes its own key moves the time of its entry. That an object which was made
        // before the start differs from the recorded one is not for a write since then: that may be a
        // label of the same manager.
        match dated && written.is_some_and(|written| written > started) {
            true if !replaced && self.uses_all_that_was_written(now) => Held::Older,
            true => Held::ProbablyOlder,
            false => Held::Unclear { dated: known },
        }
    }

    /// Whether the object that is there now was made after the record.
    fn is_another_object(&self, now: &Source) -> bool {
        match self.recorded_source() {
            Some(SourceRecord::Read(read)) => read.uid != now.uid,
            Some(SourceRecord::Absent) => true,
            Some(SourceRecord::Unread(_)) | None => false,
        }
    }

    /// Whether the last write was one of keys in use, whichever of the owned ones it was.
    fn uses_all_that_was_written(&self, now: &Source) -> bool {
        let used = |key: &String| self.references.iter().any(|reference| reference.keys.contains(key));
        let whole = || now.last_write.as_ref().is_some_and(|write| write.keys.iter().all(used));
        *self.whole.get_or_init(whole)
    }

    /// Whether the present run read what was recorded: it is the pod's first, soon after the record,
    /// and nothing was written in between; or the record was written while it ran.
    fn holds_the_record(&self, run: Run, written: Option<Timestamp>) -> bool {
        let (Ok(record), Some(started)) = (&self.pod.record, run.started_at) else { return false };
        let between = written.is_some_and(|written| written >= record.at && written <= started);
        is_described_by(record, run) && !between
    }

    /// Whether the pod's first run began so late after the record that a write may lie in between.
    fn started_late(&self, run: Run) -> bool {
        let Ok(record) = &self.pod.record else { return true };
        run.started_at.is_none_or(|started| started > later(record.at, FIRST_START_UNTIMED))
    }

    /// Whether a container may have read other content between the record and now, which are alike.
    pub(super) fn may_have_read_another(&self, record: &Record, now: &Source) -> bool {
        let written = now.last_write.as_ref().map(|write| write.at);
        // No last write since the record is no proof: a key that came and went leaves no trace.
        let since_record = written.filter(|written| *written >= record.at);
        if since_record.is_none() && written.is_some() && self.every_key_is_covered(now) {
            return false;
        }
        self.references.iter().filter_map(|reference| self.run(reference)).any(|run| {
            let before_write = run.started_at.is_some_and(|started| {
                since_record.is_none_or(|written| started <= later(written, self.lag))
            });
            before_write && !is_described_by(record, run)
        })
    }

    /// Whether a container started so late after the record that what came and went in between may
    /// have reached it.
    pub(super) fn started_again(&self) -> bool {
        let Ok(record) = &self.pod.record else { return true };
        let runs = self.references.iter().filter_map(|reference| self.run(reference));
        runs.into_iter().any(|run| run.started_at.is_some() && !is_described_by(record, run))
    }

    /// Whether the time of the last write is that of every key in use: for that they have to be
    /// known, to exist, and to be owned.
    pub(super) fn every_key_is_covered(&self, now: &Source) -> bool {
        self.references.iter().all(|r| match &r.keys {
            Keys::All { .. } => false,
            Keys::Some(keys) => covered(now, self.mode, &keys.iter().map(String::as_str).collect()),
        })
    }

    /// Whether the container certainly read what was last written: it started well after, or has
    /// yet to start.
    pub(super) fn started_since(&self, reference: &Reference, now: &Source) -> bool {
        let started = self.run(reference).and_then(|run| run.started_at);
        let written = now.last_write.as_ref().map(|write| write.at);
        started.is_none_or(|started| written.is_some_and(|written| later(written, self.lag) < started))
    }
}

/// Whether a run is the one that the record was written for: the first, which follows it soon, or
/// one that was under way when the pod was adopted. A later run that seems older than the record of
/// an admission is one of a node whose clock is behind.
pub(super) fn is_described_by(record: &Record, run: Run) -> bool {
    run.started_at.is_some_and(|started| {
        let under_way = record.by == By::Adopt && started < record.at;
        under_way || (run.restarts == 0 && started <= later(record.at, FIRST_START))
    })
}

/// A sum of times: those of `managedFields` are whatever a writer says, up to the end of time.
pub(super) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Whether each of these keys exists and its last write is known.
pub(super) fn covered(now: &Source, mode: Mode, keys: &BTreeSet<&str>) -> bool {
    let exists = |key: &str| now.content.as_ref().is_none_or(|content| content.has(mode, key));
    let known = |key: &str| now.last_write.as_ref().is_some_and(|write| write.keys.contains(key));
    keys.iter().all(|key| exists(key) && known(key))
}
