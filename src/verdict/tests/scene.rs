//! A pod `p` with containers that use one source `m`, recorded at second 0, and what became of both.

use super::objects::{config_map, pod, read, record, reference, source};
use super::*;
use crate::content::Content;
use crate::digest::Hasher;
use crate::record::UseRecord;
use crate::reference::selection;

/// A container that uses the source by env.
#[derive(Clone)]
pub(super) struct User {
    pub(super) container: &'static str,
    pub(super) keys: Keys,
    pub(super) started: Option<i64>,
    pub(super) restarts: u32,
}

enum Recorded {
    Data(Data, bool),
    Absent,
    Unread,
    Nothing,
}

enum Now {
    Unmoved,
    Present { data: Data, uid: &'static str, created: i64, written: Option<i64> },
    Absent,
    NotReadable,
}

/// See the module. All that is not said is plain: one container `c`, required keys by env, started 2 s
/// after the record.
pub(super) struct Scene {
    recorded: Recorded,
    by: By,
    now: Now,
    mode: Mode,
    users: Vec<User>,
    optional: bool,
    needs: BTreeSet<String>,
    rereads: bool,
    marked: bool,
    recorded_keys: Option<Keys>,
    owned: Option<&'static [&'static str]>,
    immutable: bool,
    secret: bool,
    reader_key: Option<u8>,
    doubt: Option<Doubt>,
}

/// Recorded with this content, and not written since.
pub(super) fn was(data: Data) -> Scene {
    scene(Recorded::Data(data, false))
}

/// The same, and it was immutable.
pub(super) fn was_immutable(data: Data) -> Scene {
    scene(Recorded::Data(data, true))
}

pub(super) fn was_absent() -> Scene {
    scene(Recorded::Absent)
}

pub(super) fn unread() -> Scene {
    scene(Recorded::Unread)
}

pub(super) fn unrecorded() -> Scene {
    scene(Recorded::Nothing)
}

fn scene(recorded: Recorded) -> Scene {
    Scene {
        recorded,
        by: By::Admission,
        now: Now::Unmoved,
        mode: Mode::Env,
        users: vec![User { container: "c", keys: Keys::all(), started: Some(2), restarts: 0 }],
        optional: false,
        needs: BTreeSet::new(),
        rereads: false,
        marked: true,
        recorded_keys: None,
        owned: None,
        immutable: false,
        secret: false,
        reader_key: Some(1),
        doubt: None,
    }
}

impl Scene {
    /// What it holds now, last written at that second.
    pub(super) fn now(self, data: Data, written: i64) -> Self {
        Self { now: Now::Present { data, uid: "u1", created: -100, written: Some(written) }, ..self }
    }

    /// The same, and it is immutable.
    pub(super) fn now_immutable(self, data: Data, written: i64) -> Self {
        Self { immutable: true, ..self.now(data, written) }
    }

    /// What it holds now, written nobody knows when.
    pub(super) fn undated(self, data: Data) -> Self {
        Self { now: Now::Present { data, uid: "u1", created: -100, written: None }, ..self }
    }

    /// Another object of the name, made and written once at that second.
    pub(super) fn recreated(self, data: Data, made: i64) -> Self {
        Self { now: Now::Present { data, uid: "u2", created: made, written: Some(made) }, ..self }
    }

    /// Another object of the name, made at that second, and written or labelled by its writer since.
    pub(super) fn recreated_and_moved(self, data: Data, made: i64, moved: i64) -> Self {
        Self { now: Now::Present { data, uid: "u2", created: made, written: Some(moved) }, ..self }
    }

    pub(super) fn gone(self) -> Self {
        Self { now: Now::Absent, ..self }
    }

    pub(super) fn not_readable(self) -> Self {
        Self { now: Now::NotReadable, ..self }
    }

    pub(super) fn adopted(self) -> Self {
        Self { by: By::Adopt, ..self }
    }

    pub(super) fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub(super) fn keys(mut self, keys: &[&str]) -> Self {
        self.users[0].keys = Keys::Some(keys.iter().map(|key| (*key).to_owned()).collect());
        self
    }

    pub(super) fn needs_k(self) -> Self {
        Self { needs: ["k".to_owned()].into(), ..self }
    }

    pub(super) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// When the present run started, and how many there were before.
    pub(super) fn run(mut self, started: i64, restarts: u32) -> Self {
        self.users[0] = User { started: Some(started), restarts, ..self.users[0].clone() };
        self
    }

    pub(super) fn waits(mut self) -> Self {
        self.users[0].started = None;
        self
    }

    pub(super) fn rereads(self) -> Self {
        Self { rereads: true, ..self }
    }

    /// Of a Secret, which a reader with this hash key looks at; it was recorded under key 1.
    pub(super) fn secret(self, reader_key: Option<u8>) -> Self {
        Self { secret: true, reader_key, ..self }
    }

    pub(super) fn doubt(self, doubt: Doubt) -> Self {
        Self { doubt: Some(doubt), ..self }
    }

    /// Recorded without marks.
    pub(super) fn unmarked(self) -> Self {
        Self { marked: false, ..self }
    }

    /// Other containers than `c`.
    pub(super) fn users(self, users: Vec<User>) -> Self {
        Self { users, ..self }
    }

    /// The keys that the record covers, where they are not those in use.
    pub(super) fn recorded_keys(self, keys: Keys) -> Self {
        Self { recorded_keys: Some(keys), ..self }
    }

    /// The keys of which the last write is known, where that is not all.
    pub(super) fn owned(self, keys: &'static [&'static str]) -> Self {
        Self { owned: Some(keys), ..self }
    }

    /// The one finding.
    pub(super) fn finding(&self) -> Finding {
        let key = HashKey::from_bytes(&[1; 32]).unwrap();
        let pod = Pod { rereads: self.rereads, ..pod(self.references(), self.runs(), self.record(&key)) };
        let doubts = self.doubt.map(|doubt| (self.id(), doubt)).into_iter().collect();
        let reader_key = self.reader_key.map(|byte| HashKey::from_bytes(&[byte; 32]).unwrap());
        let states = [(self.id(), self.state())].into();
        let mut findings = judge(&Pod { doubts, ..pod }, &states, reader_key.as_ref(), Lag::default());
        assert_eq!(findings.len(), 1);
        findings.remove(0)
    }

    fn id(&self) -> SourceId {
        if self.secret { SourceId::secret("m") } else { SourceId::config_map("m") }
    }

    fn references(&self) -> Vec<Reference> {
        let reference = |user: &User| Reference {
            mode: self.mode,
            optional: self.optional,
            needs: self.needs.clone(),
            container: user.container.to_owned(),
            ..reference(&self.id(), user.keys.clone())
        };
        self.users.iter().map(reference).collect()
    }

    fn runs(&self) -> Runs {
        let other = ("other".to_owned(), Run { started_at: Some(at(1)), restarts: 0 });
        let run = |user: &User| Run { started_at: user.started.map(at), restarts: user.restarts };
        self.users.iter().map(|user| (user.container.to_owned(), run(user))).chain([other]).collect()
    }

    fn content(&self, data: Data) -> Content {
        match self.secret {
            true => Content::secret(data.iter().map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()))),
            false => config_map(data),
        }
    }

    fn record(&self, key: &HashKey) -> Result<Record, Unrecorded> {
        let source = match self.recorded {
            Recorded::Nothing => return Err(Unrecorded::None),
            Recorded::Absent => SourceRecord::Absent,
            Recorded::Unread => SourceRecord::Unread(Unread::Timeout),
            Recorded::Data(data, immutable) => {
                let keys = selection(&self.references())[&self.id()][&self.mode].clone();
                let keys = self.recorded_keys.clone().unwrap_or(keys);
                let hasher = Hasher::new(&self.id(), "x", Some(key)).unwrap();
                let used = UseRecord::of(&self.content(data), &hasher, self.mode, &keys);
                let marks = used.marks.filter(|_| self.marked);
                let uses = [(self.mode, UseRecord { keys, marks, digest: used.digest })].into();
                let SourceRecord::Read(read) = read(uses) else { unreachable!() };
                SourceRecord::Read(ReadSource { immutable, ..read })
            }
        };
        let record = record([(self.id(), source)].into());
        Ok(Record { by: self.by, hash_key: Some(key.id()), ..record })
    }

    fn state(&self) -> SourceState {
        let (data, uid, created, written) = match self.now {
            Now::Absent => return SourceState::Absent,
            Now::NotReadable => return SourceState::NotReadable("may not get configmaps".to_owned()),
            Now::Unmoved => return SourceState::Present(source("1", Some(-100), config_map(&[]), &[])),
            Now::Present { data, uid, created, written } => (data, uid, created, written),
        };
        let owned = self.owned.map(<[&str]>::to_vec);
        let owned = owned.unwrap_or_else(|| data.iter().map(|(key, _)| *key).collect());
        let source = source("2", written, self.content(data), &owned);
        let (uid, created_at, immutable) = (uid.to_owned(), at(created), self.immutable);
        SourceState::Present(Source { uid, created_at, immutable, ..source })
    }
}
