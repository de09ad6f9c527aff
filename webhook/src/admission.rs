//! What is recorded of a pod at its admission.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use reload_core::annotation::RECORD;
use reload_core::hash_key::HashKey;
use reload_core::record::{By, MAX_ANNOTATIONS, MAX_SOURCES, ReadSource, Record, SourceRecord, Unread};
use reload_core::reference::{Keys, Mode};
use reload_core::source::{IGNORED, SourceId, SourceKind};
use tokio::time::Instant;

use crate::hash_key::Known;
use crate::metrics::Cause;
use crate::server_clock::ServerClock;
use crate::sources::{Held, Missed, Sources};
use crate::subject::Subject;

/// Sources of one pod that are read at once.
const PARALLEL: usize = 32;

/// What records hold.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Records")]
pub(crate) struct RecordArgs {
    /// Sources that are never recorded, as configmap/NAME or secret/NAME.
    #[arg(long, env = "KUBECTL_RELOAD_IGNORE", value_delimiter = ',', default_values = IGNORED)]
    pub(crate) ignore: Vec<SourceId>,

    /// Whether Secrets are read; without the right to, say no, and records say that they are unread.
    #[arg(long, env = "KUBECTL_RELOAD_SECRETS", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) secrets: bool,

    /// Whether records show the names of a Secret's keys; without them a drift names no key.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_SECRET_KEY_NAMES",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub(crate) secret_key_names: bool,
}

/// Writes records.
pub(crate) struct Recorder {
    pub(crate) sources: Sources,
    pub(crate) clock: Arc<ServerClock>,
    pub(crate) hash_key: Known,
    pub(crate) args: RecordArgs,
}

/// Why a pod is admitted without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unrecordable {
    #[error("the pod uses no source")]
    NothingToRecord,
    #[error("the record would be too long")]
    TooLong,
    #[error("the pod's annotations have no room for a record")]
    NoRoom,
    #[error("the pod has too many references to look at")]
    TooManyReferences,
}

/// A record, and what it lacks.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The annotation's value.
    pub(crate) text: String,
    pub(crate) lacks: BTreeSet<Cause>,
}

impl Recorder {
    /// The record of a pod. Sources that are not there at `until` are recorded as unread.
    pub(crate) async fn record(
        &self,
        namespace: &str,
        subject: Subject,
        until: Instant,
    ) -> Result<Recorded, Unrecordable> {
        let Subject { owner, uses, annotations, has_record } = subject;
        if uses.is_empty() && !has_record {
            return Err(Unrecordable::NothingToRecord);
        }
        // Nothing is read that could not be written down.
        if uses.len() > MAX_SOURCES {
            return Err(Unrecordable::TooLong);
        }
        let key = self.hash_key.borrow().clone();
        // Before the first read: what is written later is newer than the record.
        let at = self.clock.now();
        let taken: Vec<(SourceId, Taken)> = futures::stream::iter(uses)
            .map(|(id, modes)| self.source(namespace, id, modes, key.as_deref(), until))
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let lacks = taken.iter().filter_map(|(_, taken)| taken.lacks).collect();
        let sources: BTreeMap<_, _> = taken.into_iter().map(|(id, taken)| (id, taken.record)).collect();
        let hashed = |id: &SourceId| id.kind == SourceKind::Secret;
        let record = Record {
            at,
            by: By::Admission,
            namespace: namespace.to_owned(),
            owner,
            hash_key: key.filter(|_| sources.keys().any(hashed)).map(|key| key.id()),
            sources,
        };
        let text = record.encode().map_err(|_| Unrecordable::TooLong)?;
        if annotations + RECORD.len() + text.len() > MAX_ANNOTATIONS {
            return Err(Unrecordable::NoRoom);
        }
        Ok(Recorded { text, lacks })
    }

    async fn source(
        &self,
        namespace: &str,
        id: SourceId,
        modes: BTreeMap<Mode, Keys>,
        key: Option<&HashKey>,
        until: Instant,
    ) -> (SourceId, Taken) {
        if id.kind == SourceKind::Secret && !self.args.secrets {
            // By choice: nothing is amiss.
            return (id, Taken { record: SourceRecord::Unread(Unread::Forbidden), lacks: None });
        }
        let taken = match self.sources.read(namespace, &id, until).await {
            Err(missed) => missed.into(),
            Ok(None) => Taken { record: SourceRecord::Absent, lacks: None },
            // Hashing takes time as well.
            Ok(Some(_)) if Instant::now() >= until => Missed::LATE.into(),
            Ok(Some(held)) => {
                let taken = self.take(namespace, &id, &held, modes, key);
                drop(held);
                // Others have their turn between any two.
                tokio::task::yield_now().await;
                taken
            }
        };
        (id, taken)
    }

    fn take(
        &self,
        namespace: &str,
        id: &SourceId,
        held: &Held,
        modes: BTreeMap<Mode, Keys>,
        key: Option<&HashKey>,
    ) -> Taken {
        let named = self.args.secret_key_names || id.kind == SourceKind::ConfigMap;
        let used = |mode, keys: &Keys| held.used(namespace, id, mode, keys, key);
        let record = SourceRecord::Read(ReadSource::of(&held.source, modes, named, used));
        let unhashed = id.kind == SourceKind::Secret && key.is_none();
        Taken { record, lacks: unhashed.then_some(Cause::NoHashKey) }
    }
}

/// What is recorded of one source, and what that lacks.
struct Taken {
    record: SourceRecord,
    lacks: Option<Cause>,
}

impl From<Missed> for Taken {
    fn from(missed: Missed) -> Self {
        Self { record: SourceRecord::Unread(missed.why), lacks: Some(missed.cause) }
    }
}
