//! The evidence ladder, cheapest first: unmoved, same content, other content, and what times tell.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Certainty, Finding, Lag, Pod, Reason, Run, SourceState, Verdict};
use crate::digest::Hasher;
use crate::hash_key::HashKey;
use crate::record::{Changes, ReadSource, Record, SourceRecord, UseRecord};
use crate::reference::{Keys, Mode, Reference, selection};
use crate::source::{Source, SourceId};

/// Whether every source of the record is still the very object that was recorded, given how to find
/// the present uid and resourceVersion of a source (`None`: it does not exist). Nothing else of
/// such a pod has to be read.
pub fn unmoved<'a>(record: &Record, now: impl Fn(&SourceId) -> Option<(&'a str, &'a str)>) -> bool {
    record.sources.iter().all(|(id, source)| match source {
        SourceRecord::Read(read) => now(id) == Some((read.uid.as_str(), read.resource_version.as_str())),
        SourceRecord::Absent | SourceRecord::Unread(_) => false,
    })
}

/// Judges every use of every source of a running pod.
pub fn judge(
    pod: &Pod,
    sources: &BTreeMap<SourceId, SourceState>,
    hash_key: Option<&HashKey>,
    lag: Lag,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (source, modes) in selection(&pod.references) {
        for mode in modes.into_keys() {
            let references = pod.references.iter().filter(|r| r.source == source && r.mode == mode).collect();
            let used = Use { pod, sources, source: &source, mode, references, hash_key, lag: lag.of(mode) };
            findings.push(used.finding(sources.get(&source)));
        }
    }
    findings
}

/// One use under judgement: all references of a pod to one source in one mode.
pub(super) struct Use<'a> {
    pub(super) pod: &'a Pod,
    pub(super) sources: &'a BTreeMap<SourceId, SourceState>,
    source: &'a SourceId,
    pub(super) mode: Mode,
    pub(super) references: Vec<&'a Reference>,
    hash_key: Option<&'a HashKey>,
    pub(super) lag: SignedDuration,
}

impl<'a> Use<'a> {
    fn finding(&self, state: Option<&SourceState>) -> Finding {
        let recorded = self.pod.record.as_ref().ok().and_then(|record| record.sources.get(self.source));
        match (recorded, state) {
            (_, None) => self.unknown(Reason::NotReadable("it was not looked at".to_owned())),
            (_, Some(SourceState::NotReadable(why))) => self.unknown(Reason::NotReadable(why.clone())),
            (recorded, Some(SourceState::Absent)) => self.absent(recorded),
            (_, Some(SourceState::Present(now))) if self.pod.suspects.contains(self.source) => {
                self.unknown(Reason::ImmutableReplaced).since(now)
            }
            (Some(SourceRecord::Read(read)), Some(SourceState::Present(now))) => self.read(read, now),
            (Some(SourceRecord::Absent), Some(SourceState::Present(now))) => self.was_absent(now),
            (Some(SourceRecord::Unread(_)) | None, Some(SourceState::Present(now))) => self.infer(now),
        }
    }

    /// Rungs 1 to 4 for a source that was read at admission.
    fn read(&self, read: &ReadSource, now: &Source) -> Finding {
        if read.uid == now.uid && read.resource_version == now.resource_version {
            return self.recorded(Verdict::Current, Reason::Unmoved);
        }
        if read.immutable && read.uid != now.uid {
            return self.unknown(Reason::ImmutableReplaced).since(now);
        }
        let used = read.uses.get(&self.mode).filter(|used| self.covers(&used.keys));
        match (used, &now.content, self.hasher()) {
            (Some(used), Some(content), Some(hasher)) => match used.changes(content, &hasher, self.mode) {
                Some(changes) => self.other_content(used, changes, now),
                // A key may be required without being used.
                None => self.lacks_keys(now).unwrap_or_else(|| self.same_content(now)),
            },
            _ => self.lacks_keys(now).unwrap_or_else(|| self.infer(now)),
        }
    }

    /// The hasher of the record's digests, where this reader has the right hash key.
    fn hasher(&self) -> Option<Hasher> {
        let recorded = self.pod.record.as_ref().ok().and_then(|record| record.hash_key.as_ref());
        let key = self.hash_key.filter(|key| recorded == Some(&key.id()));
        Hasher::new(self.source, &self.pod.identity.namespace, key)
    }

    /// Whether the recorded keys are all that the pod uses: a webhook that ran after ours may have
    /// added a reference.
    fn covers(&self, recorded: &Keys) -> bool {
        self.references.iter().all(|r| recorded.clone().union(r.keys.clone()) == *recorded)
    }

    /// Rung 2: a container that started again between the record and the last write may have read
    /// something else meanwhile.
    fn same_content(&self, now: &Source) -> Finding {
        let Ok(record) = &self.pod.record else { return self.infer(now) };
        let written = now.last_write.as_ref().map(|write| write.at);
        // No last write since the record is no proof: a key that came and went leaves no trace.
        let since_record = written.filter(|written| *written >= record.at);
        if since_record.is_none() && written.is_some() && self.every_key_is_covered(now) {
            return self.recorded(Verdict::Current, Reason::Touched).since(now);
        }
        let doubtful = |run: &Run| {
            let Some(started) = run.started_at else { return false };
            let first_start = run.restarts == 0 && started <= later(record.at, FIRST_START);
            let before_write = since_record.is_none_or(|written| started <= later(written, self.lag));
            !first_start && started >= record.at && before_write
        };
        if self.runs().any(doubtful) {
            self.unknown(Reason::ChangedAndBack).since(now)
        } else {
            self.recorded(Verdict::Current, Reason::Touched).since(now)
        }
    }

    /// Rungs 3 and 4.
    fn other_content(&self, used: &UseRecord, changes: Changes, now: &Source) -> Finding {
        let missing = self.missing_keys(now, |_| true);
        if !missing.is_empty() {
            let changes = Changes { removed: missing, ..changes };
            return self.recorded(Verdict::Drifted, Reason::Missing).with(changes).since(now);
        }
        let Some(changes) = self.without_overridden(changes) else {
            return self.recorded(Verdict::Current, Reason::Overridden).since(now);
        };
        let named: BTreeSet<&str> = changes.keys().map(String::as_str).collect();
        let concerned = |r: &&&Reference| named.is_empty() || named.iter().any(|key| r.keys.contains(key));
        let keys = match (named.is_empty(), &used.keys) {
            (false, _) => Some(named.clone()),
            (true, Keys::Some(keys)) => Some(keys.iter().map(String::as_str).collect()),
            (true, Keys::All { .. }) => None,
        };
        let mut users = self.references.iter().filter(concerned);
        let unstarted = users.clone().all(|r| !self.has_started(r));
        let proven = changes.removed.is_empty()
            && keys.is_some_and(|keys| covered(now, self.mode, &keys))
            && users.all(|r| self.started_since(r, now));
        if unstarted || proven {
            self.inferred(Verdict::Current, Reason::StartedSince).with(changes).since(now)
        } else {
            self.differs(Reason::Changed).with(changes).since(now)
        }
    }

    /// The source was absent and is there now: an optional one that appeared, or a required one
    /// that the container waited for.
    fn was_absent(&self, now: &Source) -> Finding {
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
        let changes =
            Changes { added: added.iter().map(|key| (*key).to_owned()).collect(), ..Changes::default() };
        if added.is_empty() {
            self.still_absent().since(now)
        } else if covered(now, self.mode, &added) && all_proven {
            self.inferred(Verdict::Current, Reason::StartedSince).with(changes).since(now)
        } else {
            self.differs(Reason::Appeared).with(changes).since(now)
        }
    }

    /// Rung 4 for a whole source.
    fn absent(&self, recorded: Option<&SourceRecord>) -> Finding {
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
        let recorded_at = self.pod.record.as_ref().map_or(Timestamp::MAX, |record| record.at);
        let late = |run: &Run| run.started_at.is_some_and(|at| at > later(recorded_at, FIRST_START));
        if self.runs().any(|run| run.restarts > 0 || late(run)) {
            self.inferred(Verdict::Current, Reason::StillAbsent)
        } else {
            self.recorded(Verdict::Current, Reason::StillAbsent)
        }
    }

    /// An optional source that was there: what it had of the keys in use is gone.
    fn optional_gone(&self, read: &ReadSource) -> Finding {
        let marks = read.uses.get(&self.mode).and_then(|used| used.marks.as_ref());
        let removed: BTreeSet<String> = marks
            .into_iter()
            .flatten()
            .filter_map(|(key, mark)| mark.as_ref().map(|_| key.clone()))
            .collect();
        match (marks, self.references.iter().any(|r| self.has_started(r))) {
            (Some(_), _) if removed.is_empty() => self.recorded(Verdict::Current, Reason::StillAbsent),
            (_, true) => self.differs(Reason::Changed).with(Changes { removed, ..Changes::default() }),
            (_, false) => self.recorded(Verdict::Current, Reason::StartedSince),
        }
    }

    /// Drift for sure, unless it is one of files that the process reads again by itself.
    fn differs(&self, reason: Reason) -> Finding {
        if self.mode == Mode::Directory && self.pod.rereads {
            self.recorded(Verdict::Current, Reason::Reread)
        } else {
            self.recorded(Verdict::Drifted, reason)
        }
    }

    /// Drift where a key is gone that a container which runs needs.
    fn lacks_keys(&self, now: &Source) -> Option<Finding> {
        let removed = self.missing_keys(now, |r| self.has_started(r));
        let changes = Changes { removed, ..Changes::default() };
        (!changes.removed.is_empty())
            .then(|| self.recorded(Verdict::Drifted, Reason::Missing).with(changes).since(now))
    }

    /// Keys that are gone although references of that sort need them.
    fn missing_keys(&self, now: &Source, sort: impl Fn(&Reference) -> bool) -> BTreeSet<String> {
        let Some(content) = &now.content else { return BTreeSet::new() };
        let needs = self.references.iter().filter(|r| sort(r)).flat_map(|r| &r.needs);
        needs.filter(|key| !content.has(self.mode, key)).cloned().collect()
    }

    /// Whether the time of the last write is that of every key in use: for that they have to be
    /// known, to exist, and to be owned.
    fn every_key_is_covered(&self, now: &Source) -> bool {
        self.references.iter().all(|r| match &r.keys {
            Keys::All { .. } => false,
            Keys::Some(keys) => covered(now, self.mode, &keys.iter().map(String::as_str).collect()),
        })
    }

    pub(super) fn run(&self, reference: &Reference) -> Option<Run> {
        self.pod.runs.get(&reference.container).copied()
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.references.iter().filter_map(|r| self.pod.runs.get(&r.container))
    }

    fn has_started(&self, reference: &Reference) -> bool {
        self.run(reference).is_some_and(|run| run.started_at.is_some())
    }

    /// Whether the container certainly read what was last written: it started well after, or has
    /// yet to start.
    fn started_since(&self, reference: &Reference, now: &Source) -> bool {
        let started = self.run(reference).and_then(|run| run.started_at);
        let written = now.last_write.as_ref().map(|write| write.at);
        started.is_none_or(|started| written.is_some_and(|written| later(written, self.lag) < started))
    }

    fn conclude(&self, verdict: Verdict, certainty: Certainty, reason: Reason) -> Finding {
        Finding {
            source: self.source.clone(),
            mode: self.mode,
            verdict,
            certainty,
            reason,
            changes: Changes::default(),
            since: None,
        }
    }

    pub(super) fn recorded(&self, verdict: Verdict, reason: Reason) -> Finding {
        self.conclude(verdict, Certainty::Recorded, reason)
    }

    pub(super) fn inferred(&self, verdict: Verdict, reason: Reason) -> Finding {
        self.conclude(verdict, Certainty::Inferred, reason)
    }

    pub(super) fn unknown(&self, reason: Reason) -> Finding {
        self.inferred(Verdict::Unknown, reason)
    }
}

/// A container that starts for the first time within this time of the record is taken to have read
/// what was recorded. One that starts later waited for something, and anything may have been written
/// meanwhile.
const FIRST_START: SignedDuration = SignedDuration::from_secs(60);

/// A sum of times: those of `managedFields` are whatever a writer says, up to the end of time.
pub(super) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Whether each of these keys exists and its last write is known.
fn covered(now: &Source, mode: Mode, keys: &BTreeSet<&str>) -> bool {
    let exists = |key: &str| now.content.as_ref().is_none_or(|content| content.has(mode, key));
    let known = |key: &str| now.last_write.as_ref().is_some_and(|write| write.keys.contains(key));
    keys.iter().all(|key| exists(key) && known(key))
}

impl Finding {
    fn with(self, changes: Changes) -> Self {
        Self { changes, ..self }
    }

    pub(super) fn since(self, now: &Source) -> Self {
        let since: Option<Timestamp> = now.last_write.as_ref().map(|write| write.at);
        Self { since, ..self }
    }
}
