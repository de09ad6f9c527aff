//! Sources that were absent at admission, or are now.

use std::collections::BTreeSet;

use super::ladder::Use;
use super::times::{Held, covered, is_described_by};
use super::{Finding, Reason, Run, Verdict};
use crate::content::Content;
use crate::record::{Changes, ReadSource, SourceRecord};
use crate::reference::Reference;
use crate::source::Source;

impl Use<'_> {
    /// The source was absent and is there now: an optional one that appeared, or a required one
    /// that the container waited for.
    pub(super) fn was_absent(&self, now: &Source) -> Finding {
        let Some(content) = &now.content else { return self.infer(now) };
        if let Some(finding) = self.lacks_keys(now) {
            return finding;
        }
        // A container that requires it started when it was there: written once, and not made again
        // since, it is what was read.
        let once = now.last_write.as_ref().is_some_and(|write| write.at == now.created_at);
        let first = |run: &Run| run.restarts == 0 && run.started_at.is_none_or(|at| at >= now.created_at);
        let waited = |r: &Reference| once && !r.optional && self.run(r).as_ref().is_none_or(first);
        let proven = |r: &Reference| waited(r) || self.started_since(r, now);
        let all_proven = self.references.iter().all(|r| proven(r));
        if self.references.iter().all(|r| !r.optional) && !(once && all_proven) {
            return self.infer(now);
        }
        let seen = self.references.iter().flat_map(|r| content.select(self.mode, &r.keys));
        let added: BTreeSet<&str> = seen.filter_map(|(key, value)| value.map(|_| key)).collect();
        if added.is_empty() {
            return self.still_absent().since(now);
        }
        let known = covered(now, self.mode, &added);
        let held = |r: &Reference| match known && waited(r) {
            true => Held::Present,
            false => self.held(r, now, known, known),
        };
        let held = self.references.iter().map(|r| held(r)).max();
        let added = added.into_iter().map(str::to_owned).collect();
        match self.without_overridden(Changes { added, ..Changes::default() }) {
            Some(changes) => self.differing(held, Reason::Appeared, changes).since(now),
            None => self.recorded(Verdict::Current, Reason::Overridden).since(now),
        }
    }

    /// Rung 4 for a whole source.
    pub(super) fn absent(&self, recorded: Option<&SourceRecord>) -> Finding {
        let required: Vec<&&Reference> = self.references.iter().filter(|r| !r.optional).collect();
        match recorded {
            Some(SourceRecord::Read(read)) if required.is_empty() => self.optional_gone(read),
            Some(SourceRecord::Read(_)) => self.recorded(Verdict::Drifted, Reason::Missing),
            // It was there when the container started, and is gone.
            _ if required.iter().any(|r| self.has_started(r)) => {
                self.inferred(Verdict::Drifted, Reason::Missing)
            }
            _ if !required.is_empty() => self.inferred(Verdict::Current, Reason::Awaited),
            Some(SourceRecord::Absent) => self.still_absent(),
            Some(SourceRecord::Unread(_)) | None => self.inferred(Verdict::Current, Reason::StillAbsent),
        }
    }

    /// Nothing was there and nothing is. What came and went in between leaves no trace, and a
    /// container that started in between may have read it.
    fn still_absent(&self) -> Finding {
        if self.started_again() {
            self.inferred(Verdict::Current, Reason::StillAbsent)
        } else {
            self.recorded(Verdict::Current, Reason::StillAbsent)
        }
    }

    /// An optional source that was there: what it had of the keys in use is gone, and nothing tells
    /// since when.
    fn optional_gone(&self, read: &ReadSource) -> Finding {
        if !self.references.iter().any(|r| self.has_started(r)) {
            return self.recorded(Verdict::Current, Reason::StartedSince);
        }
        let changes = match self.lost(read) {
            None => return self.inferred(Verdict::Drifted, Reason::Changed),
            Some(None) => return self.still_absent(),
            Some(Some(changes)) => changes,
        };
        let Some(changes) = self.without_overridden(changes) else {
            return self.recorded(Verdict::Current, Reason::Overridden);
        };
        if self.references.iter().any(|r| self.holds_what_was_recorded(r, &changes)) {
            self.recorded(Verdict::Drifted, Reason::Changed).with(changes)
        } else {
            self.unknown(Reason::NoWriteTime).with(changes)
        }
    }

    /// Whether a container uses a key that differs, in the run that the record was written for.
    fn holds_what_was_recorded(&self, reference: &Reference, changes: &Changes) -> bool {
        let (Ok(record), Some(run)) = (&self.pod.record, self.run(reference)) else { return false };
        let mut keys = changes.keys().peekable();
        let concerned = keys.peek().is_none() || keys.any(|key| reference.keys.contains(key));
        concerned && is_described_by(record, run)
    }

    /// What the pod used of a source that is gone: `Some(None)` where that was nothing, `None` where
    /// it cannot be told, for want of marks and of the hash key.
    fn lost(&self, read: &ReadSource) -> Option<Option<Changes>> {
        let used = read.uses.get(&self.mode)?;
        match (&used.marks, self.hasher()) {
            (Some(marks), _) => {
                let there = marks.iter().filter(|(_, mark)| mark.is_some());
                let removed: BTreeSet<String> = there.map(|(key, _)| key.clone()).collect();
                Some((!removed.is_empty()).then(|| Changes { removed, ..Changes::default() }))
            }
            (None, Some(hasher)) => Some(used.changes(&Content::config_map([], []), &hasher, self.mode)),
            (None, None) => None,
        }
    }
}
