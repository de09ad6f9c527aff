//! The evidence ladder, cheapest first: unmoved, same content, other content, and what times tell.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::evidence::Evidence;
use super::times::{Held, covered};
use super::{Certainty, Doubt, Finding, Lag, Pod, Reason, Run, SourceState, Verdict};
use crate::content::Content;
use crate::digest::Hasher;
use crate::hash_key::HashKey;
use crate::record::{By, Changes, ReadSource, Record, SourceRecord, UseRecord};
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
    for (source, modes) in selection(&*pod.references) {
        for mode in modes.into_keys() {
            let references = pod.references.iter().filter(|r| r.source == source && r.mode == mode).collect();
            let (lag, whole) = (lag.of(mode), OnceCell::new());
            let used = Use { pod, sources, source: &source, mode, references, hash_key, lag, whole };
            let state = sources.get(&source);
            let finding = used.softened(used.finding(state));
            findings.push(Finding { evidence: Evidence::of(&used, state), ..finding });
        }
    }
    findings
}

/// How many keys are compared for one use, at most, each as often as a reference takes all of them: whoever may
/// make a pod decides how long everybody waits for its verdict.
pub(super) const MOST_COMPARED: usize = 1_000_000;

/// So many keys are passed over, by a reference that takes others, in the time that one is compared.
const PASSED_OVER: usize = 16;

/// One use under judgement: all references of a pod to one source in one mode.
pub(super) struct Use<'a> {
    pub(super) pod: &'a Pod,
    pub(super) sources: &'a BTreeMap<SourceId, SourceState>,
    pub(super) source: &'a SourceId,
    pub(super) mode: Mode,
    pub(super) references: Vec<&'a Reference>,
    hash_key: Option<&'a HashKey>,
    pub(super) lag: SignedDuration,
    /// Whether they use all that was last written, once that is known.
    pub(super) whole: OnceCell<bool>,
}

impl<'a> Use<'a> {
    fn finding(&self, state: Option<&SourceState>) -> Finding {
        match (self.recorded_source(), state) {
            (_, None) => self.unknown(Reason::NotReadable("it was not looked at".to_owned())),
            (_, Some(SourceState::NotReadable(why))) => self.unknown(Reason::NotReadable(why.clone())),
            (recorded, Some(SourceState::Absent)) => self.absent(recorded),
            (_, Some(SourceState::Present(now))) if self.may_be_served_older(now) => {
                self.unknown(Reason::ImmutableReplaced).since(now)
            }
            (_, Some(SourceState::Present(now))) if self.is_too_much(now) => {
                self.unknown(Reason::NotReadable("its keys are used in too many ways to compare".to_owned()))
            }
            (Some(SourceRecord::Read(read)), Some(SourceState::Present(now))) => self.read(read, now),
            (Some(SourceRecord::Absent), Some(SourceState::Present(now))) => self.was_absent(now),
            (Some(SourceRecord::Unread(_)) | None, Some(SourceState::Present(now))) => self.infer(now),
        }
    }

    fn is_too_much(&self, now: &Source) -> bool {
        let keys = now.content.as_ref().map_or(0, Content::len);
        let work = |reference: &Reference| match &reference.keys {
            Keys::All { .. } => keys,
            Keys::Some(some) => some.len() + keys / PASSED_OVER,
        };
        let uses = self.pod.references.iter().filter(|r| r.source == *self.source);
        !self.is_unmoved(now) && uses.map(work).fold(0, usize::saturating_add) > MOST_COMPARED
    }

    fn is_unmoved(&self, now: &Source) -> bool {
        matches!(self.recorded_source(), Some(SourceRecord::Read(read))
            if read.uid == now.uid && read.resource_version == now.resource_version)
    }

    /// What the pod's record says of the source.
    pub(super) fn recorded_source(&self) -> Option<&'a SourceRecord> {
        self.pod.record.as_ref().ok().and_then(|record| record.sources.get(self.source))
    }

    fn doubt(&self) -> Option<Doubt> {
        // What is read through the API does not come from the kubelet.
        self.pod.doubts.get(self.source).copied().filter(|_| self.mode != Mode::Api)
    }

    /// Whether the kubelet may go on serving an older object of the name.
    fn may_be_served_older(&self, now: &Source) -> bool {
        match self.doubt() {
            Some(Doubt::OlderServed) => true,
            // Metadata shows that somebody has set `immutable`, and not to what.
            Some(Doubt::OlderIfImmutable) => now.content.is_none() || now.immutable,
            Some(Doubt::Unseen) | None => false,
        }
    }

    /// What holds for every rung: files that the process reads again are no drift, and what an
    /// adopted record or unseen revisions leave open is not sure.
    fn softened(&self, finding: Finding) -> Finding {
        let of_files = matches!(
            finding.reason,
            Reason::Changed
                | Reason::Appeared
                | Reason::WrittenSinceStart
                | Reason::ChangedAndBack
                | Reason::TooClose
                | Reason::NoWriteTime
        );
        if of_files && self.mode == Mode::Directory && self.pod.rereads {
            return Finding { verdict: Verdict::Current, reason: Reason::Reread, ..finding };
        }
        let adopted = self.pod.record.as_ref().is_ok_and(|record| record.by == By::Adopt);
        let open = adopted || self.doubt() == Some(Doubt::Unseen);
        match finding.verdict {
            Verdict::Current if open => Finding { certainty: Certainty::Inferred, ..finding },
            _ => finding,
        }
    }

    /// Rungs 1 to 4 for a source that was read at admission.
    fn read(&self, read: &ReadSource, now: &Source) -> Finding {
        if self.is_unmoved(now) {
            return self.recorded(Verdict::Current, Reason::Unmoved);
        }
        if read.immutable && read.uid != now.uid && self.mode != Mode::Api {
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
    pub(super) fn hasher(&self) -> Option<Hasher> {
        let recorded = self.pod.record.as_ref().ok().and_then(|record| record.hash_key.as_ref());
        let key = self.hash_key.filter(|key| recorded == Some(&key.id()));
        Hasher::new(self.source, &self.pod.namespace, key)
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
        if self.may_have_read_another(record, now) {
            self.unknown(Reason::ChangedAndBack).since(now)
        } else if self.started_again() && !self.every_key_is_covered(now) {
            // A key that came and went leaves no trace.
            self.inferred(Verdict::Current, Reason::Touched).since(now)
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
        let there =
            named.difference(&changes.removed.iter().map(String::as_str).collect()).copied().collect();
        let dated = covered(now, self.mode, &there);
        let known = changes.removed.is_empty() && keys.is_some_and(|keys| covered(now, self.mode, &keys));
        let held = self.references.iter().filter(concerned).map(|r| self.held(r, now, known, dated)).max();
        self.differing(held, Reason::Changed, changes).since(now)
    }

    /// The verdict on other content than the recorded one, by what the containers certainly hold.
    pub(super) fn differing(&self, held: Option<Held>, reason: Reason, changes: Changes) -> Finding {
        let finding = match held {
            None | Some(Held::Present) => self.inferred(Verdict::Current, Reason::StartedSince),
            Some(Held::Unclear { dated: true }) => self.unknown(Reason::TooClose),
            Some(Held::Unclear { dated: false }) => self.unknown(Reason::NoWriteTime),
            Some(Held::ProbablyOlder) => self.inferred(Verdict::Drifted, reason),
            Some(Held::Older) => self.recorded(Verdict::Drifted, reason),
        };
        finding.with(changes)
    }

    /// Drift where a key is gone that a container which runs needs.
    pub(super) fn lacks_keys(&self, now: &Source) -> Option<Finding> {
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

    pub(super) fn run(&self, reference: &Reference) -> Option<Run> {
        self.pod.runs.get(&reference.container)
    }

    pub(super) fn has_started(&self, reference: &Reference) -> bool {
        self.run(reference).is_some_and(|run| run.started_at.is_some())
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
            evidence: Evidence::default(),
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

impl Finding {
    pub(super) fn with(self, changes: Changes) -> Self {
        Self { changes, ..self }
    }

    pub(super) fn since(self, now: &Source) -> Self {
        let since = now.last_write.as_ref().map(|write| write.at);
        Self { since, ..self }
    }
}
