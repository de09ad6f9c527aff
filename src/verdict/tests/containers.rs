//! Several containers that use one source: each is judged by the keys that it uses and by its own
//! start.

use super::*;
use crate::reference::selection;

/// One container's use: its name, keys, whether they are optional, and when it started in which run.
type User = (&'static str, &'static [&'static str], bool, Option<i64>, u32);

/// A name, the containers, whether there are marks, what was written, and the verdict.
type Told = (&'static str, Vec<User>, bool, Data, (Verdict, Certainty, Reason));

/// `m`, used by env by some containers, and written 50 s after the record.
struct Scene<'a> {
    users: &'a [User],
    /// The keys that the record covers; those in use where `None`.
    recorded: Option<Keys>,
    /// Without marks nobody knows which keys changed.
    marks: bool,
    before: Data,
    after: Data,
    /// The keys whose last write is known; all where `None`.
    owned: Option<&'a [&'a str]>,
}

/// The finding on a scene in which all is known.
fn finding(users: &[User], marks: bool, before: Data, after: Data) -> Finding {
    Scene { users, recorded: None, marks, before, after, owned: None }.finding()
}

impl Scene<'_> {
    fn finding(self) -> Finding {
        let Self { users, recorded, marks, before, after, owned } = self;
        let id = SourceId::config_map("m");
        let references: Vec<Reference> = users
            .iter()
            .map(|(container, keys, optional, ..)| Reference {
                source: id.clone(),
                mode: Mode::Env,
                keys: match keys {
                    [] => Keys::all(),
                    keys => Keys::Some(keys.iter().map(|key| (*key).to_owned()).collect()),
                },
                optional: *optional,
                needs: BTreeSet::new(),
                prefix: None,
                container: (*container).to_owned(),
            })
            .collect();
        let content = |data: Data| {
            Content::config_map(data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())), [])
        };
        let keys = recorded.unwrap_or_else(|| selection(&references)[&id][&Mode::Env].clone());
        let hasher = Hasher::new(&id, "x", None).unwrap();
        let mut used = UseRecord::of(&content(before), &hasher, Mode::Env, &keys);
        used.marks = used.marks.filter(|_| marks);
        let read = ReadSource {
            uid: "u1".to_owned(),
            resource_version: "1".to_owned(),
            immutable: false,
            uses: [(Mode::Env, used)].into(),
        };
        let record = Record {
            at: at(0),
            by: By::Admission,
            namespace: "x".to_owned(),
            owner: Owner::Controller("o".to_owned()),
            hash_key: None,
            sources: [(id.clone(), SourceRecord::Read(read))].into(),
        };
        let run = |started: Option<i64>, restarts| Run { started_at: started.map(at), restarts };
        let pod = Pod {
            identity: PodIdentity {
                namespace: "x".to_owned(),
                name: "p".to_owned(),
                generate_name: None,
                controller: Some("o".to_owned()),
                created_at: at(0),
            },
            references,
            runs: users
                .iter()
                .map(|(container, _, _, started, restarts)| {
                    ((*container).to_owned(), run(*started, *restarts))
                })
                .collect(),
            record: Ok(record),
            rereads: false,
            suspects: Default::default(),
        };
        let now = SourceState::Present(Source {
            uid: "u1".to_owned(),
            resource_version: "2".to_owned(),
            created_at: at(-100),
            immutable: false,
            last_write: Some(LastWrite {
                at: at(50),
                manager: "kubectl".to_owned(),
                keys: after
                    .iter()
                    .map(|(key, _)| *key)
                    .filter(|key| owned.is_none_or(|owned| owned.contains(key)))
                    .map(str::to_owned)
                    .collect(),
            }),
            content: Some(content(after)),
        });
        let mut findings = judge(&pod, &[(id, now)].into(), None, Lag::default());
        assert_eq!(findings.len(), 1);
        findings.remove(0)
    }
}

#[test]
fn containers_are_judged_by_their_own_keys_and_starts() {
    use Certainty::{Inferred, Recorded as Sure};
    use Verdict::{Current, Drifted, Unknown};
    const OLD: (Option<i64>, u32) = (Some(2), 0);
    const NEW: (Option<i64>, u32) = (Some(99), 1);
    const BETWEEN: (Option<i64>, u32) = (Some(30), 1);
    let user = |container, keys, (started, restarts): (Option<i64>, u32)| -> User {
        (container, keys, false, started, restarts)
    };
    let cases: [Told; 12] = [
        (
            "one of two started since: the other still runs on the old value",
            vec![user("a", &["k"], NEW), user("b", &["k"], OLD)],
            true,
            B,
            (Drifted, Sure, Reason::Changed),
        ),
        (
            "both started since",
            vec![user("a", &["k"], NEW), user("b", &["k"], NEW)],
            true,
            B,
            (Current, Inferred, Reason::StartedSince),
        ),
        (
            "the one that uses the changed key started since, the other uses another",
            vec![user("a", &["k"], NEW), user("b", &["l"], OLD)],
            true,
            B,
            (Current, Inferred, Reason::StartedSince),
        ),
        (
            "the other way round",
            vec![user("a", &["k"], OLD), user("b", &["l"], NEW)],
            true,
            B,
            (Drifted, Sure, Reason::Changed),
        ),
        (
            "without marks every container may be concerned",
            vec![user("a", &["k"], NEW), user("b", &["l"], OLD)],
            false,
            B,
            (Drifted, Sure, Reason::Changed),
        ),
        (
            "without marks, and all started since",
            vec![user("a", &["k"], NEW), user("b", &["l"], NEW)],
            false,
            B,
            (Current, Inferred, Reason::StartedSince),
        ),
        (
            "without marks, all keys in use: one may have been removed",
            vec![user("a", &[], NEW)],
            false,
            B,
            (Drifted, Sure, Reason::Changed),
        ),
        (
            "without marks, a key in use is gone",
            vec![user("a", &["k", "l"], NEW)],
            false,
            WITHOUT_K,
            (Drifted, Sure, Reason::Changed),
        ),
        (
            "one uses the key by name, one all of them",
            vec![user("a", &["k"], NEW), user("b", &[], OLD)],
            true,
            B,
            (Drifted, Sure, Reason::Changed),
        ),
        (
            "one of two may have read something else between two writes",
            vec![user("a", &["k"], OLD), user("b", &["k"], BETWEEN)],
            true,
            A,
            (Unknown, Inferred, Reason::ChangedAndBack),
        ),
        (
            "a container waits, and the other runs on the old value",
            vec![user("a", &["k"], (None, 0)), user("b", &["k"], OLD)],
            true,
            B,
            (Drifted, Sure, Reason::Changed),
        ),
        (
            "a container waits, and the other started since",
            vec![user("a", &["k"], (None, 0)), user("b", &["k"], NEW)],
            true,
            B,
            (Current, Inferred, Reason::StartedSince),
        ),
    ];
    for (name, users, marks, after, (verdict, certainty, reason)) in cases {
        let found = finding(&users, marks, A, after);
        assert_eq!((found.verdict, found.certainty, &found.reason), (verdict, certainty, &reason), "{name}");
    }
}

/// A webhook that ran after ours may have added a container, or keys to one.
#[test]
fn a_record_of_fewer_keys_than_are_used_is_no_proof() {
    let user = |keys| -> User { ("a", keys, false, Some(2), 0) };
    let only_l = || Some(Keys::one("l"));
    // What was recorded of is the same, and what was added may be anything.
    for keys in [["k", "l"].as_slice(), &["k"], &[]] {
        let found =
            Scene { users: &[user(keys)], recorded: only_l(), marks: true, before: A, after: B, owned: None }
                .finding();
        assert_eq!((found.verdict, found.certainty), (Verdict::Drifted, Certainty::Inferred), "{keys:?}");
    }
    let found =
        Scene { users: &[user(&["l"])], recorded: only_l(), marks: true, before: A, after: B, owned: None }
            .finding();
    assert_eq!((found.verdict, found.certainty), (Verdict::Current, Certainty::Recorded));
    let all_but_k = || Some(Keys::All { except: ["k".to_owned()].into() });
    let found = Scene {
        users: &[user(&["l"])],
        recorded: all_but_k(),
        marks: true,
        before: A,
        after: B,
        owned: None,
    }
    .finding();
    assert_eq!((found.verdict, found.certainty), (Verdict::Current, Certainty::Recorded));
    let found = Scene {
        users: &[user(&["k"])],
        recorded: all_but_k(),
        marks: true,
        before: A,
        after: B,
        owned: None,
    }
    .finding();
    assert_eq!((found.verdict, found.certainty), (Verdict::Drifted, Certainty::Inferred));
}

/// A key may stand there without an owner: nothing tells when it was written.
#[test]
fn a_change_by_a_writer_who_left_no_trace_is_drift_whatever_started_since() {
    let users: &[User] = &[("a", &["k"], false, Some(900), 1)];
    let found =
        |owned| Scene { users, recorded: None, marks: true, before: A, after: B, owned }.finding().verdict;
    assert_eq!(found(Some(["k"].as_slice())), Verdict::Current);
    assert_eq!(found(Some(["l"].as_slice())), Verdict::Drifted);
    assert_eq!(found(Some([].as_slice())), Verdict::Drifted);
}
