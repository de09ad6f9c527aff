//! Verdicts: whether a pod still runs on the configuration that is there now.

mod absence;
mod evidence;
mod immutable;
mod infer;
mod ladder;
mod overridden;
mod roll_up;
mod runs;
mod times;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::record::{Changes, Distrust, Record, Unreadable};
use crate::reference::{Class, Mode, Reference};
use crate::source::{Source, SourceId};

pub use evidence::{Evidence, Recorded, Seen, Version};
pub use immutable::{Object, Trace, doubt};
pub use ladder::{judge, unmoved};
pub use roll_up::{PodVerdict, Progress, RollUp, Rollout, roll_up};
pub use runs::{Run, Runs};

/// What is found of a reference, a pod or a workload; the worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Verdict {
    /// Left out on request.
    Ignored,
    /// It runs on what is there now.
    Current,
    /// The evidence does not tell.
    Unknown,
    /// Workloads only: a rollout that replaces the drifted pods is making progress.
    Rolling,
    /// It runs on something else.
    Drifted,
}

/// What a verdict rests on; recorded is the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// On times alone.
    Inferred,
    /// On the pod's record.
    Recorded,
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The object was not written since the record.
    Unmoved,
    /// It was written since, with the same content.
    Touched,
    /// It differs, and every container that uses it started after the last write.
    StartedSince,
    /// A required source is absent, and no container that uses it has started.
    Awaited,
    /// It differs in keys that a later `envFrom` entry overrides.
    Overridden,
    /// An optional source that was absent is absent still, or has none of the keys in use.
    StillAbsent,
    /// Mounted files changed, and the process follows them by itself.
    Reread,
    /// The content differs.
    Changed,
    /// An optional source that was absent is there now.
    Appeared,
    /// A required source or key is gone: a restart would not start.
    Missing,
    /// Written after a container that uses it had started.
    WrittenSinceStart,
    /// The same content, but a container started again between two changes of it.
    ChangedAndBack,
    /// An immutable source was replaced: the kubelet may go on serving the old content by name.
    ImmutableReplaced,
    /// Written too close to the start to tell what the container read.
    TooClose,
    /// Nothing tells when the keys in use were last written.
    NoWriteTime,
    /// The reader may not read the source, or could not.
    NotReadable(String),
}

/// How one use of one source stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The source.
    pub source: SourceId,
    /// How it is used.
    pub mode: Mode,
    /// How it stands.
    pub verdict: Verdict,
    /// On what evidence.
    pub certainty: Certainty,
    /// Why.
    pub reason: Reason,
    /// The keys that differ, as far as they are known.
    pub changes: Changes,
    /// When the source was last written, where that is known.
    pub since: Option<Timestamp>,
    /// What was looked at.
    pub evidence: Evidence,
}

/// A pod, as far as verdicts look at it.
#[derive(Debug)]
pub struct Pod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// What it uses, without what is ignored; pods of one template share it.
    pub references: Arc<[Reference]>,
    /// Its containers' present runs.
    pub runs: Runs,
    /// Its record, if it has one that is its own.
    pub record: Result<Record, Unrecorded>,
    /// Whether its processes follow changes of mounted files by themselves.
    pub rereads: bool,
    /// Immutable sources that its node may know in an older version.
    pub doubts: BTreeMap<SourceId, Doubt>,
}

/// What makes an immutable source doubtful, although the API server has it as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Whether it was made again could not be looked into.
    Unseen,
    /// It was made again, and if it is immutable, a node may go on serving the older content by name.
    OlderIfImmutable,
    /// It was made again, and a node may go on serving the older content by name.
    OlderServed,
}

/// Why a pod has no record to go by.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// It has none.
    #[error("it has no record")]
    None,
    /// It has one that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It has one that is not its own.
    #[error(transparent)]
    Distrusted(#[from] Distrust),
}

/// A source as it is now.
pub enum SourceState {
    /// There is none of that name.
    Absent,
    /// It is there.
    Present(Source),
    /// The reader may not read it, or could not: why, and what would help.
    NotReadable(String),
}

/// How long after a write a container may still start on the old content.
#[derive(Debug, Clone, Copy)]
pub struct Lag {
    /// Of environment variables: the kubelet's watch is behind the API server.
    pub env: SignedDuration,
    /// Of mounted files: the kubelet's sync period, its jitter and its cache.
    pub files: SignedDuration,
}

impl Default for Lag {
    fn default() -> Self {
        Self { env: SignedDuration::from_secs(10), files: SignedDuration::from_secs(150) }
    }
}

impl Lag {
    fn of(&self, mode: Mode) -> SignedDuration {
        match mode {
            Mode::Env | Mode::Api => self.env,
            Mode::SubPath | Mode::Directory => self.files,
        }
    }
}

impl Finding {
    /// Whether a restart would fail for want of the source or a key of it.
    pub fn would_not_start(&self) -> bool {
        self.reason == Reason::Missing
    }
}

/// The verdict that speaks for all findings of a pod, as [`worst_of`] has it.
pub fn worst<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> (Verdict, Certainty) {
    worst_of(findings.into_iter().map(|finding| (finding.verdict, finding.certainty)))
}

/// The verdict that speaks for all of them: drift that is sure before drift that is possible,
/// before what is unknown, before what is inferred to be current. Of none: Current.
pub fn worst_of(verdicts: impl IntoIterator<Item = (Verdict, Certainty)>) -> (Verdict, Certainty) {
    // Among equal verdicts, the surest drift and the least sure of the others.
    let rank = |(verdict, certainty): &(Verdict, Certainty)| {
        (*verdict, (*verdict == Verdict::Drifted) == (*certainty == Certainty::Recorded))
    };
    verdicts.into_iter().max_by_key(rank).unwrap_or((Verdict::Current, Certainty::Recorded))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmoved => "not written since",
            Self::Touched => "written since, with the same content",
            Self::StartedSince => "started since the last write",
            Self::Awaited => "the container waits for it",
            Self::Overridden => "changed in keys that are overridden",
            Self::StillAbsent => "absent, and optional",
            Self::Reread => "files updated, and the process reads them again",
            Self::Changed => "changed",
            Self::Appeared => "appeared",
            Self::Missing => "missing: a restart would not start",
            Self::WrittenSinceStart => "written since the start",
            Self::ChangedAndBack => "changed and changed back?",
            Self::ImmutableReplaced => "immutable and replaced: the node may go on serving the old content",
            Self::TooClose => "written about when it started",
            Self::NoWriteTime => "no time of writing",
            Self::NotReadable(why) => why,
        })
    }
}

impl Finding {
    /// The reason in words; a live use that drifted says that its files follow.
    pub fn words(&self) -> String {
        let follows = self.verdict == Verdict::Drifted && self.mode.class() == Class::Live;
        match self.reason {
            Reason::Changed | Reason::Appeared | Reason::WrittenSinceStart if follows => {
                format!("{}: files updated, process not restarted", self.reason)
            }
            _ => self.reason.to_string(),
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
