//! The evidence of a finding: what was looked at, for people to check.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::ladder::Use;
use super::{Run, SourceState};
use crate::record::{By, SourceRecord, Unread};

/// What a finding rests on. Its [`Display`](fmt::Display) is one sentence a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What the record says, or why there is none to go by.
    pub recorded: Option<Result<Recorded, String>>,
    /// What is there now; `None` where that was not looked at.
    pub now: Option<Seen>,
    /// The containers that use it, by name, and their present runs.
    pub runs: Vec<(String, Run)>,
    /// How long after a write a container may still start on the old content.
    pub lag: SignedDuration,
}

/// What a record says of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When it was written.
    pub at: Timestamp,
    /// On what occasion.
    pub by: By,
    /// The object that was read; `Ok(None)` where there was none.
    pub version: Result<Option<Version>, Unread>,
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
}

/// What is there now of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing of that name.
    Absent,
    /// Why it could not be read.
    NotReadable(String),
    /// An object.
    Present {
        /// Which.
        version: Version,
        /// `metadata.creationTimestamp`.
        created_at: Timestamp,
        /// When its data was last written and by which field manager, where that is known.
        written: Option<(Timestamp, String)>,
    },
}

impl Evidence {
    pub(super) fn of(used: &Use<'_>, state: Option<&SourceState>) -> Self {
        let mut runs: Vec<(String, Run)> = used
            .references
            .iter()
            .filter_map(|reference| Some((reference.container.clone(), used.run(reference)?)))
            .collect();
        runs.sort_by(|(one, _), (other, _)| one.cmp(other));
        runs.dedup_by(|(one, _), (other, _)| one == other);
        Self { recorded: recorded(used), now: state.map(Seen::of), runs, lag: used.lag }
    }
}

fn recorded(used: &Use<'_>) -> Option<Result<Recorded, String>> {
    let record = match &used.pod.record {
        Ok(record) => record,
        Err(why) => return Some(Err(why.to_string())),
    };
    let version = match used.recorded_source() {
        None => return Some(Err("its record does not name the source".to_owned())),
        Some(SourceRecord::Absent) => Ok(None),
        Some(SourceRecord::Unread(why)) => Err(*why),
        Some(SourceRecord::Read(read)) => {
            let (uid, resource_version) = (read.uid.clone(), read.resource_version.clone());
            Ok(Some(Version { uid, resource_version }))
        }
    };
    Some(Ok(Recorded { at: record.at, by: record.by, version }))
}

impl Seen {
    fn of(state: &SourceState) -> Self {
        match state {
            SourceState::Absent => Self::Absent,
            SourceState::NotReadable(why) => Self::NotReadable(why.clone()),
            SourceState::Present(source) => Self::Present {
                version: Version {
                    uid: source.uid.clone(),
                    resource_version: source.resource_version.clone(),
                },
                created_at: source.created_at,
                written: source.last_write.as_ref().map(|write| (write.at, write.manager.clone())),
            },
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.recorded {
            None => {}
            Some(Err(why)) => writeln!(f, "The pod counts as unrecorded: {why}.")?,
            Some(Ok(recorded)) => writeln!(f, "{recorded}.")?,
        }
        match &self.now {
            None => writeln!(f, "What is there now was not looked at.")?,
            Some(seen) => writeln!(f, "{seen}.")?,
        }
        for (container, Run { started_at, restarts }) in &self.runs {
            match (started_at, restarts) {
                (None, _) => writeln!(f, "Container {container} has yet to start.")?,
                (Some(at), 0) => writeln!(f, "Container {container} started at {at}, for the first time.")?,
                (Some(at), 1) => writeln!(f, "Container {container} started at {at}, after 1 restart.")?,
                (Some(at), n) => writeln!(f, "Container {container} started at {at}, after {n} restarts.")?,
            }
        }
        let lag = self.lag.as_secs();
        write!(f, "A container that starts within {lag} s of a write may still read what was there before.")
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let occasion = match self.by {
            By::Admission => "at the pod's admission",
            By::Adopt => "when the pod was adopted",
        };
        write!(f, "Recorded {occasion}, {}: ", self.at)?;
        match &self.version {
            Ok(Some(version)) => write!(f, "{version}"),
            Ok(None) => f.write_str("it did not exist"),
            Err(why) => write!(f, "it could not be read: {why}"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}, resourceVersion {}", self.uid, self.resource_version)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("Now: it does not exist"),
            Self::NotReadable(why) => write!(f, "Now: {why}"),
            Self::Present { version, created_at, written: Some((at, manager)) } => {
                write!(f, "Now: {version}, created at {created_at}, last written at {at} by {manager}")
            }
            Self::Present { version, created_at, written: None } => {
                write!(f, "Now: {version}, created at {created_at}, last written at an unknown time")
            }
        }
    }
}
