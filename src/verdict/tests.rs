mod containers;
mod truth;
mod words;

use std::collections::BTreeSet;

use super::*;
use crate::content::Content;
use crate::digest::Hasher;
use crate::hash_key::HashKey;
use crate::last_write::LastWrite;
use crate::record::{By, Owner, ReadSource, SourceRecord, UseRecord};
use crate::reference::Keys;

/// Seconds after the pod's creation, at which it was recorded and its container started.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

type Data = &'static [(&'static str, &'static str)];

/// A pod with one container `c` and one source `m`, and what became of both.
struct Case {
    mode: Mode,
    keys: Keys,
    optional: bool,
    needs: &'static [&'static str],
    /// What was recorded: content, or absent, or no record at all.
    recorded: Recorded,
    now: Now,
    started: Option<i64>,
    restarts: u32,
    rereads: bool,
    secret: bool,
    reader_key: Option<u8>,
    /// Whether an immutable source of that name may have been replaced.
    suspect: bool,
}

enum Recorded {
    Data(Data),
    Immutable(Data),
    Absent,
    Unread,
    Nothing,
}

enum Now {
    Unmoved,
    /// Content, and when it was last written.
    Data(Data, Option<i64>),
    /// The same with another uid, made and written once at that time.
    Recreated(Data, i64),
    Absent,
    NotReadable,
}

fn case(recorded: Recorded, now: Now) -> Case {
    Case {
        mode: Mode::Env,
        keys: Keys::all(),
        optional: false,
        needs: &[],
        recorded,
        now,
        started: Some(2),
        restarts: 0,
        rereads: false,
        secret: false,
        reader_key: Some(1),
        suspect: false,
    }
}

impl Case {
    fn run(&self) -> Finding {
        let id = if self.secret { SourceId::secret("m") } else { SourceId::config_map("m") };
        let key = HashKey::from_bytes(&[1; 32]).unwrap();
        let content = |data: Data| match self.secret {
            true => Content::secret(data.iter().map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()))),
            false => Content::config_map(data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())), []),
        };
        let read = |data: Data, immutable| {
            let hasher = Hasher::new(&id, "x", Some(&key)).unwrap();
            let used = UseRecord::of(&content(data), &hasher, self.mode, &self.keys);
            let uses = [(self.mode, used)].into();
            let (uid, resource_version) = ("u1".to_owned(), "1".to_owned());
            Some(SourceRecord::Read(ReadSource { uid, resource_version, immutable, uses }))
        };
        let recorded = match self.recorded {
            Recorded::Data(data) => read(data, false),
            Recorded::Immutable(data) => read(data, true),
            Recorded::Absent => Some(SourceRecord::Absent),
            Recorded::Unread => Some(SourceRecord::Unread(Unread::Timeout)),
            Recorded::Nothing => None,
        };
        let record = recorded.map(|source| Record {
            at: at(0),
            by: By::Admission,
            namespace: "x".to_owned(),
            owner: Owner::Controller("o".to_owned()),
            hash_key: Some(key.id()),
            sources: [(id.clone(), source)].into(),
        });
        let source = |uid: &str, version: &str, created, data: Data, written: Option<i64>| {
            SourceState::Present(Source {
                uid: uid.to_owned(),
                resource_version: version.to_owned(),
                created_at: at(created),
                immutable: false,
                last_write: written.map(|written| LastWrite {
                    at: at(written),
                    manager: "kubectl".to_owned(),
                    keys: data.iter().map(|(key, _)| (*key).to_owned()).collect(),
                }),
                content: Some(content(data)),
            })
        };
        let state = match self.now {
            Now::Unmoved => source("u1", "1", -100, &[], Some(-100)),
            Now::Data(data, written) => source("u1", "2", -100, data, written),
            Now::Recreated(data, written) => source("u2", "2", written, data, Some(written)),
            Now::Absent => SourceState::Absent,
            Now::NotReadable => SourceState::NotReadable("may not get configmaps".to_owned()),
        };
        let pod = Pod {
            identity: PodIdentity {
                namespace: "x".to_owned(),
                name: "p".to_owned(),
                generate_name: None,
                controller: Some("o".to_owned()),
                created_at: at(0),
            },
            references: vec![Reference {
                source: id.clone(),
                mode: self.mode,
                keys: self.keys.clone(),
                optional: self.optional,
                prefix: None,
                needs: self.needs.iter().map(|key| (*key).to_owned()).collect(),
                container: "c".to_owned(),
            }],
            runs: [
                ("c".to_owned(), Run { started_at: self.started.map(at), restarts: self.restarts }),
                ("other".to_owned(), Run { started_at: Some(at(1)), restarts: 0 }),
            ]
            .into(),
            record: record.ok_or(Unrecorded::None),
            rereads: self.rereads,
            suspects: self.suspect.then(|| id.clone()).into_iter().collect(),
        };
        let reader_key = self.reader_key.map(|byte| HashKey::from_bytes(&[byte; 32]).unwrap());
        let findings = judge(&pod, &[(id, state)].into(), reader_key.as_ref(), Lag::default());
        assert_eq!(findings.len(), 1);
        findings.into_iter().next().unwrap()
    }
}

const A: Data = &[("k", "a"), ("l", "1")];
const B: Data = &[("k", "b"), ("l", "1")];
const WITHOUT_K: Data = &[("l", "1")];

#[test]
fn the_ladder() {
    use Certainty::{Inferred, Recorded as Sure};
    use Recorded::{Absent, Data as Was, Immutable, Nothing, Unread as Failed};
    use Verdict::{Current, Drifted, Unknown};
    let key = |name: &str| Keys::one(name);
    let cases = [
        ("unmoved", case(Was(A), Now::Unmoved), Current, Sure, Reason::Unmoved),
        (
            "unmoved, whatever restarted",
            Case { started: Some(900), restarts: 3, ..case(Was(A), Now::Unmoved) },
            Current,
            Sure,
            Reason::Unmoved,
        ),
        ("touched", case(Was(A), Now::Data(A, Some(50))), Current, Sure, Reason::Touched),
        (
            "touched by a label of another manager",
            case(Was(A), Now::Data(A, Some(-100))),
            Current,
            Sure,
            Reason::Touched,
        ),
        ("recreated alike", case(Was(A), Now::Recreated(A, 50)), Current, Sure, Reason::Touched),
        (
            "changed and back around a restart in place",
            Case { started: Some(40), restarts: 1, ..case(Was(A), Now::Data(A, Some(50))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "changed and back, restarted within the lag of the last write",
            Case { started: Some(55), restarts: 1, ..case(Was(A), Now::Data(A, Some(50))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "changed and back, restarted well after",
            Case { started: Some(99), restarts: 1, ..case(Was(A), Now::Data(A, Some(50))) },
            Current,
            Sure,
            Reason::Touched,
        ),
        (
            "changed and back behind a long init container",
            Case { started: Some(70), ..case(Was(A), Now::Data(A, Some(80))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "touched by another manager, or a key came and went, after a restart",
            Case { started: Some(40), restarts: 1, ..case(Was(A), Now::Data(A, Some(-100))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "touched by another manager after a restart, where the one key in use cannot have gone",
            Case { keys: key("k"), started: Some(40), restarts: 1, ..case(Was(A), Now::Data(A, Some(-100))) },
            Current,
            Sure,
            Reason::Touched,
        ),
        (
            "touched, or a key that is not there came and went, after a restart",
            Case {
                keys: key("z"),
                optional: true,
                started: Some(40),
                restarts: 1,
                ..case(Was(A), Now::Data(A, Some(-100)))
            },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "touched at an unknown time after a restart",
            Case { started: Some(40), restarts: 1, ..case(Was(A), Now::Data(A, None)) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        ("changed", case(Was(A), Now::Data(B, Some(50))), Drifted, Sure, Reason::Changed),
        ("recreated otherwise", case(Was(A), Now::Recreated(B, 50)), Drifted, Sure, Reason::Changed),
        (
            "changed in a key that is not used",
            Case { keys: key("l"), ..case(Was(A), Now::Data(B, Some(50))) },
            Current,
            Sure,
            Reason::Touched,
        ),
        (
            "made while the source was at B, back at A since, by an old writer",
            case(Was(B), Now::Data(A, Some(50))),
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "restarted in place well after the change",
            Case { started: Some(61), restarts: 1, ..case(Was(A), Now::Data(B, Some(50))) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "restarted in place within the lag of the change",
            Case { started: Some(60), restarts: 1, ..case(Was(A), Now::Data(B, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "a file needs a longer lag",
            Case {
                mode: Mode::SubPath,
                started: Some(199),
                restarts: 1,
                ..case(Was(A), Now::Data(B, Some(50)))
            },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "and has it",
            Case {
                mode: Mode::SubPath,
                started: Some(201),
                restarts: 1,
                ..case(Was(A), Now::Data(B, Some(50)))
            },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "restarted after a change at an unknown time",
            Case { started: Some(900), restarts: 1, ..case(Was(A), Now::Data(B, None)) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "restarted after a key was removed: nothing tells when",
            Case { started: Some(900), restarts: 1, ..case(Was(A), Now::Data(WITHOUT_K, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "waits to start again",
            Case { started: None, restarts: 1, ..case(Was(A), Now::Data(B, Some(50))) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "a required key removed",
            Case { keys: key("k"), needs: &["k"], ..case(Was(A), Now::Data(WITHOUT_K, Some(50))) },
            Drifted,
            Sure,
            Reason::Missing,
        ),
        (
            "an optional key removed",
            Case { keys: key("k"), optional: true, ..case(Was(A), Now::Data(WITHOUT_K, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "an optional key appears",
            Case { keys: key("k"), optional: true, ..case(Was(WITHOUT_K), Now::Data(A, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "files in a directory",
            Case { mode: Mode::Directory, ..case(Was(A), Now::Data(B, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "files that are read again",
            Case { mode: Mode::Directory, rereads: true, ..case(Was(A), Now::Data(B, Some(50))) },
            Current,
            Sure,
            Reason::Reread,
        ),
        (
            "env is never read again",
            Case { rereads: true, ..case(Was(A), Now::Data(B, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        ("a required source deleted", case(Was(A), Now::Absent), Drifted, Sure, Reason::Missing),
        (
            "a required source deleted while the container waits",
            Case { started: None, ..case(Was(A), Now::Absent) },
            Drifted,
            Sure,
            Reason::Missing,
        ),
        (
            "an optional source deleted",
            Case { optional: true, ..case(Was(A), Now::Absent) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "an optional source deleted that had nothing in use",
            Case { optional: true, keys: key("z"), ..case(Was(A), Now::Absent) },
            Current,
            Sure,
            Reason::StillAbsent,
        ),
        (
            "an optional source still absent",
            Case { optional: true, ..case(Absent, Now::Absent) },
            Current,
            Sure,
            Reason::StillAbsent,
        ),
        (
            "an optional source appears",
            Case { optional: true, ..case(Absent, Now::Recreated(A, 50)) },
            Drifted,
            Sure,
            Reason::Appeared,
        ),
        (
            "an optional source appears without the key",
            Case { optional: true, keys: key("z"), ..case(Absent, Now::Recreated(A, 50)) },
            Current,
            Sure,
            Reason::StillAbsent,
        ),
        (
            "an optional source appears before a restart",
            Case { optional: true, started: Some(70), restarts: 1, ..case(Absent, Now::Recreated(A, 50)) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "a required source that came late, written once",
            Case { started: Some(52), ..case(Absent, Now::Recreated(A, 50)) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "a required source that came late, and was made again since",
            case(Absent, Now::Recreated(A, 50)),
            Drifted,
            Inferred,
            Reason::WrittenSinceStart,
        ),
        (
            "a required source that came late, and was made again within the lag of a restart",
            Case { started: Some(52), restarts: 1, ..case(Absent, Now::Recreated(A, 50)) },
            Unknown,
            Inferred,
            Reason::TooClose,
        ),
        (
            "a required source that came late, written once, well before a restart",
            Case { started: Some(70), restarts: 1, ..case(Absent, Now::Recreated(A, 50)) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "a required source that came late and was changed",
            Case { started: Some(52), ..case(Absent, Now::Data(B, Some(90))) },
            Drifted,
            Inferred,
            Reason::WrittenSinceStart,
        ),
        (
            "a required source still awaited",
            Case { started: None, ..case(Absent, Now::Absent) },
            Current,
            Inferred,
            Reason::Awaited,
        ),
        (
            "a required source that came late and went",
            case(Absent, Now::Absent),
            Drifted,
            Inferred,
            Reason::Missing,
        ),
        (
            "immutable and replaced",
            case(Immutable(A), Now::Recreated(A, 50)),
            Unknown,
            Inferred,
            Reason::ImmutableReplaced,
        ),
        (
            "no record, written long before",
            case(Nothing, Now::Data(A, Some(-50))),
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "no record, written since",
            case(Nothing, Now::Data(A, Some(50))),
            Drifted,
            Inferred,
            Reason::WrittenSinceStart,
        ),
        (
            "no record, written in the same second",
            case(Nothing, Now::Data(A, Some(2))),
            Unknown,
            Inferred,
            Reason::TooClose,
        ),
        ("no record, no time", case(Nothing, Now::Data(A, None)), Unknown, Inferred, Reason::NoWriteTime),
        (
            "no record, a key that nobody owns",
            Case { keys: key("z"), ..case(Nothing, Now::Data(A, Some(-50))) },
            Unknown,
            Inferred,
            Reason::NoWriteTime,
        ),
        ("no record, gone", case(Nothing, Now::Absent), Drifted, Inferred, Reason::Missing),
        (
            "no record, optional and absent",
            Case { optional: true, ..case(Nothing, Now::Absent) },
            Current,
            Inferred,
            Reason::StillAbsent,
        ),
        (
            "the webhook could not read it",
            case(Failed, Now::Data(A, Some(50))),
            Drifted,
            Inferred,
            Reason::WrittenSinceStart,
        ),
        (
            "not readable",
            case(Was(A), Now::NotReadable),
            Unknown,
            Inferred,
            Reason::NotReadable("may not get configmaps".to_owned()),
        ),
        (
            "a Secret",
            Case { secret: true, ..case(Was(A), Now::Data(B, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "a Secret touched",
            Case { secret: true, ..case(Was(A), Now::Data(A, Some(50))) },
            Current,
            Sure,
            Reason::Touched,
        ),
        (
            "a Secret under a hash key that the reader lacks",
            Case { secret: true, reader_key: None, ..case(Was(A), Now::Data(A, Some(50))) },
            Drifted,
            Inferred,
            Reason::WrittenSinceStart,
        ),
        (
            "a Secret under another hash key",
            Case { secret: true, reader_key: Some(2), ..case(Was(A), Now::Data(A, Some(-50))) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "no record, nothing in it, no time",
            case(Nothing, Now::Data(&[], None)),
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "no record, written within the lag before the start",
            case(Nothing, Now::Data(A, Some(-8))),
            Unknown,
            Inferred,
            Reason::TooClose,
        ),
        (
            "no record, written just outside the lag",
            case(Nothing, Now::Data(A, Some(-9))),
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "no record, a file written within its longer lag",
            Case { mode: Mode::SubPath, ..case(Nothing, Now::Data(A, Some(-100))) },
            Unknown,
            Inferred,
            Reason::TooClose,
        ),
        (
            "no record, a file written well before",
            Case { mode: Mode::SubPath, ..case(Nothing, Now::Data(A, Some(-149))) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "no record, the container waits",
            Case { started: None, ..case(Nothing, Now::Data(A, Some(50))) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "no record, and the container waits for the source",
            Case { started: None, ..case(Nothing, Now::Absent) },
            Current,
            Inferred,
            Reason::Awaited,
        ),
        (
            "no record, one of two keys that nobody owns",
            Case {
                keys: Keys::Some(["k", "z"].map(str::to_owned).into()),
                ..case(Nothing, Now::Data(A, Some(-50)))
            },
            Unknown,
            Inferred,
            Reason::NoWriteTime,
        ),
        (
            "no record, an optional key that nobody owns",
            Case { keys: key("z"), optional: true, ..case(Nothing, Now::Data(A, Some(-50))) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "immutable, and in doubt for another pod's sake",
            Case { suspect: true, ..case(Was(A), Now::Unmoved) },
            Unknown,
            Inferred,
            Reason::ImmutableReplaced,
        ),
        (
            "immutable, in doubt, and started since",
            Case { suspect: true, started: Some(99), restarts: 1, ..case(Nothing, Now::Data(B, Some(50))) },
            Unknown,
            Inferred,
            Reason::ImmutableReplaced,
        ),
        (
            "immutable, in doubt, and gone",
            Case { suspect: true, ..case(Was(A), Now::Absent) },
            Drifted,
            Sure,
            Reason::Missing,
        ),
        ("not read at admission, and gone", case(Failed, Now::Absent), Drifted, Inferred, Reason::Missing),
        (
            "not read at admission, optional, and gone",
            Case { optional: true, ..case(Failed, Now::Absent) },
            Current,
            Inferred,
            Reason::StillAbsent,
        ),
        (
            "not read at admission, written well before",
            case(Failed, Now::Data(A, Some(-50))),
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "restarted just within the lag of the last write, same content",
            Case { started: Some(60), restarts: 1, ..case(Was(A), Now::Data(A, Some(50))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "restarted just outside of it",
            Case { started: Some(61), restarts: 1, ..case(Was(A), Now::Data(A, Some(50))) },
            Current,
            Sure,
            Reason::Touched,
        ),
        (
            "written in the second of the record, restarted since",
            Case { started: Some(5), restarts: 1, ..case(Was(A), Now::Data(A, Some(0))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "restarted in the second of the record",
            Case { started: Some(0), restarts: 1, ..case(Was(A), Now::Data(A, Some(50))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "started before the record, as one that is adopted",
            Case { started: Some(-5), restarts: 1, ..case(Was(A), Now::Data(A, Some(50))) },
            Current,
            Sure,
            Reason::Touched,
        ),
        (
            "the same content, and the container waits",
            Case { started: None, restarts: 1, ..case(Was(A), Now::Data(A, Some(50))) },
            Current,
            Sure,
            Reason::Touched,
        ),
        (
            "a first start within a minute of the record",
            Case { started: Some(60), ..case(Was(A), Now::Data(A, Some(70))) },
            Current,
            Sure,
            Reason::Touched,
        ),
        (
            "a first start later than that",
            Case { started: Some(61), ..case(Was(A), Now::Data(A, Some(70))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "restarted in the minute of the first start",
            Case { started: Some(30), restarts: 1, ..case(Was(A), Now::Data(A, Some(70))) },
            Unknown,
            Inferred,
            Reason::ChangedAndBack,
        ),
        (
            "changed at an unknown time, and the container waits",
            Case { started: None, ..case(Was(A), Now::Data(B, None)) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "a required key removed that is used in vain",
            Case {
                keys: Keys::Some(BTreeSet::new()),
                needs: &["k"],
                ..case(Was(A), Now::Data(WITHOUT_K, Some(50)))
            },
            Drifted,
            Sure,
            Reason::Missing,
        ),
        (
            "a required key removed while the container waits",
            Case {
                keys: key("k"),
                needs: &["k"],
                started: None,
                ..case(Was(A), Now::Data(WITHOUT_K, Some(50)))
            },
            Drifted,
            Sure,
            Reason::Missing,
        ),
        (
            "a required key removed, read under another hash key",
            Case {
                secret: true,
                reader_key: Some(2),
                keys: key("k"),
                needs: &["k"],
                ..case(Was(A), Now::Data(WITHOUT_K, Some(50)))
            },
            Drifted,
            Sure,
            Reason::Missing,
        ),
        (
            "a directory, started well after the change",
            Case {
                mode: Mode::Directory,
                started: Some(201),
                restarts: 1,
                ..case(Was(A), Now::Data(B, Some(50)))
            },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "read through the API, changed",
            Case { mode: Mode::Api, ..case(Was(A), Now::Data(B, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "read through the API, started since",
            Case { mode: Mode::Api, started: Some(61), restarts: 1, ..case(Was(A), Now::Data(B, Some(50))) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "a file by subPath is never read again",
            Case { mode: Mode::SubPath, rereads: true, ..case(Was(A), Now::Data(B, Some(50))) },
            Drifted,
            Sure,
            Reason::Changed,
        ),
        (
            "an optional source deleted while the container waits",
            Case { optional: true, started: None, ..case(Was(A), Now::Absent) },
            Current,
            Sure,
            Reason::StartedSince,
        ),
        (
            "an optional source deleted whose files are read again",
            Case { optional: true, mode: Mode::Directory, rereads: true, ..case(Was(A), Now::Absent) },
            Current,
            Sure,
            Reason::Reread,
        ),
        (
            "an optional source appears whose files are read again",
            Case {
                optional: true,
                mode: Mode::Directory,
                rereads: true,
                ..case(Absent, Now::Recreated(A, 50))
            },
            Current,
            Sure,
            Reason::Reread,
        ),
        (
            "an optional source appears while the container waits",
            Case { optional: true, started: None, ..case(Absent, Now::Recreated(A, 50)) },
            Current,
            Inferred,
            Reason::StartedSince,
        ),
        (
            "an optional source appears within the lag of a restart",
            Case { optional: true, started: Some(60), restarts: 1, ..case(Absent, Now::Recreated(A, 50)) },
            Drifted,
            Sure,
            Reason::Appeared,
        ),
        (
            "immutable, and only relabelled",
            case(Immutable(A), Now::Data(A, Some(-50))),
            Current,
            Sure,
            Reason::Touched,
        ),
        ("immutable, and deleted", case(Immutable(A), Now::Absent), Drifted, Sure, Reason::Missing),
        (
            "a Secret appears, without a hash key to read it",
            Case { secret: true, reader_key: None, optional: true, ..case(Absent, Now::Recreated(A, 50)) },
            Drifted,
            Sure,
            Reason::Appeared,
        ),
        (
            "a Secret that did not move needs no hash key",
            Case { secret: true, reader_key: None, ..case(Was(A), Now::Unmoved) },
            Current,
            Sure,
            Reason::Unmoved,
        ),
    ];
    for (name, case, verdict, certainty, reason) in cases {
        let found = case.run();
        assert_eq!((found.verdict, found.certainty, &found.reason), (verdict, certainty, &reason), "{name}");
    }
}

#[test]
fn the_keys_that_changed_are_named() {
    let found = case(Recorded::Data(A), Now::Data(B, Some(50))).run();
    assert_eq!(found.changes.changed, BTreeSet::from(["k".to_owned()]));
    assert_eq!(found.since, Some(at(50)));
    let found = case(Recorded::Data(A), Now::Data(WITHOUT_K, Some(50))).run();
    assert_eq!(found.changes.removed, BTreeSet::from(["k".to_owned()]));
}

#[test]
fn sure_drift_speaks_before_possible_drift_before_doubt() {
    let of =
        |verdict, certainty| Finding { verdict, certainty, ..case(Recorded::Data(A), Now::Unmoved).run() };
    use Certainty::{Inferred, Recorded as Sure};
    use Verdict::{Current, Drifted, Unknown};
    let ranked =
        [(Drifted, Sure), (Drifted, Inferred), (Unknown, Inferred), (Current, Inferred), (Current, Sure)];
    for (position, (verdict, certainty)) in ranked.into_iter().enumerate() {
        let findings: Vec<Finding> = ranked[position..].iter().rev().map(|(v, c)| of(*v, *c)).collect();
        assert_eq!(worst(&findings), (verdict, certainty));
    }
    assert_eq!(worst([]), (Current, Sure));
}

#[test]
fn a_record_without_moved_sources_settles_a_pod_at_once() {
    let read = |version: &str| {
        SourceRecord::Read(ReadSource {
            uid: "u".to_owned(),
            resource_version: version.to_owned(),
            immutable: false,
            uses: BTreeMap::new(),
        })
    };
    let record = |sources: Vec<(&str, SourceRecord)>| Record {
        at: at(0),
        by: By::Admission,
        namespace: "x".to_owned(),
        owner: Owner::Pod("p".to_owned()),
        hash_key: None,
        sources: sources.into_iter().map(|(name, source)| (SourceId::config_map(name), source)).collect(),
    };
    let now = |id: &SourceId| (id.name == "m").then_some(("u", "1"));
    assert!(unmoved(&record(vec![("m", read("1"))]), now));
    assert!(!unmoved(&record(vec![("m", read("2"))]), now));
    assert!(!unmoved(&record(vec![("m", read("1")), ("n", read("1"))]), now));
    assert!(!unmoved(&record(vec![("m", SourceRecord::Absent)]), now));
    assert!(!unmoved(&record(vec![("m", SourceRecord::Unread(Unread::Error))]), now));
}

#[test]
fn a_key_that_a_later_env_from_overrides_is_no_use() {
    let (early, late) = (SourceId::config_map("early"), SourceId::config_map("late"));
    let map =
        |data: Data| Content::config_map(data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())), []);
    let hasher = Hasher::new(&early, "x", None).unwrap();
    let read = |data: Data| {
        let uses = [(Mode::Env, UseRecord::of(&map(data), &hasher, Mode::Env, &Keys::all()))].into();
        let (uid, resource_version) = ("u".to_owned(), "1".to_owned());
        SourceRecord::Read(ReadSource { uid, resource_version, immutable: false, uses })
    };
    let reference = |source: &SourceId, prefix: &str, container: &str| Reference {
        source: source.clone(),
        mode: Mode::Env,
        keys: Keys::all(),
        optional: false,
        needs: BTreeSet::new(),
        prefix: Some(prefix.to_owned()),
        container: container.to_owned(),
    };
    let judged =
        |prefixes: [&str; 2], container_of_late: &str, version_of_late: &str, late_had: SourceRecord| {
            let state = |version: &str, data: Data, keys: &[&str]| {
                SourceState::Present(Source {
                    uid: "u".to_owned(),
                    resource_version: version.to_owned(),
                    created_at: at(-100),
                    immutable: false,
                    last_write: Some(LastWrite {
                        at: at(50),
                        manager: "kubectl".to_owned(),
                        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
                    }),
                    content: Some(map(data)),
                })
            };
            let pod = Pod {
                identity: PodIdentity {
                    namespace: "x".to_owned(),
                    name: "p".to_owned(),
                    generate_name: None,
                    controller: Some("o".to_owned()),
                    created_at: at(0),
                },
                references: vec![
                    reference(&early, prefixes[0], "c"),
                    reference(&late, prefixes[1], container_of_late),
                ],
                runs: [("c".to_owned(), Run { started_at: Some(at(2)), restarts: 0 })].into(),
                record: Ok(Record {
                    at: at(0),
                    by: By::Admission,
                    namespace: "x".to_owned(),
                    owner: Owner::Controller("o".to_owned()),
                    hash_key: None,
                    sources: [(early.clone(), read(A)), (late.clone(), late_had)].into(),
                }),
                rereads: false,
                suspects: BTreeSet::new(),
            };
            let states = [
                (early.clone(), state("2", B, &["k", "l"])),
                (late.clone(), state(version_of_late, A, &["k", "l"])),
            ];
            let findings = judge(&pod, &states.into(), None, Lag::default());
            findings.into_iter().find(|finding| finding.source == early).unwrap().reason
        };
    assert_eq!(judged(["", ""], "c", "1", read(A)), Reason::Overridden);
    assert_eq!(judged(["P_", "P_"], "c", "1", read(A)), Reason::Overridden);
    assert_eq!(judged(["P_", ""], "c", "1", read(A)), Reason::Changed, "another variable");
    assert_eq!(judged(["", ""], "c", "2", read(A)), Reason::Changed, "the later one moved");
    assert_eq!(judged(["", ""], "c", "1", read(WITHOUT_K)), Reason::Changed, "the later one lacks the key");
    assert_eq!(judged(["", ""], "d", "1", read(A)), Reason::Changed, "of another container");
    let binary = Content::config_map(
        A[1..].iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        [("k".to_owned(), vec![1])],
    );
    let uses = [(Mode::Env, UseRecord::of(&binary, &hasher, Mode::Env, &Keys::all()))].into();
    let (uid, resource_version) = ("u".to_owned(), "1".to_owned());
    let binary = SourceRecord::Read(ReadSource { uid, resource_version, immutable: false, uses });
    assert_eq!(judged(["", ""], "c", "1", binary), Reason::Changed, "env sees no binaryData");
}
