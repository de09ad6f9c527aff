//! Several containers that use one source: each is judged by the keys that it uses and by its own
//! start.

use super::scene::User;
use super::*;

/// A name, the containers, whether there are marks, what was written, and the verdict.
type Told = (&'static str, Vec<User>, bool, Data, (Verdict, Certainty, Reason));

/// A container, and the keys that it uses by env; all where none is named.
fn user(container: &'static str, keys: &[&str], (started, restarts): (Option<i64>, u32)) -> User {
    let keys = match keys {
        [] => Keys::all(),
        keys => Keys::Some(keys.iter().map(|key| (*key).to_owned()).collect()),
    };
    User { container, keys, started, restarts }
}

#[test]
fn containers_are_judged_by_their_own_keys_and_starts() {
    use Certainty::{Inferred, Recorded as Sure};
    use Verdict::{Current, Drifted, Unknown};
    const OLD: (Option<i64>, u32) = (Some(2), 0);
    const NEW: (Option<i64>, u32) = (Some(99), 1);
    const BETWEEN: (Option<i64>, u32) = (Some(30), 1);
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
            (Unknown, Inferred, Reason::NoWriteTime),
        ),
        (
            "without marks, a key in use is gone",
            vec![user("a", &["k", "l"], NEW)],
            false,
            WITHOUT_K,
            (Unknown, Inferred, Reason::NoWriteTime),
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
        let scene = was(A).now(after, 50).users(users);
        let found = if marks { scene } else { scene.unmarked() }.finding();
        assert_eq!((found.verdict, found.certainty, &found.reason), (verdict, certainty, &reason), "{name}");
    }
}

/// A webhook that ran after ours may have added a container, or keys to one.
#[test]
fn a_record_of_fewer_keys_than_are_used_is_no_proof() {
    let all_but_k = || Keys::All { except: ["k".to_owned()].into() };
    let found = |keys: &[&str], recorded| {
        let user = user("a", keys, (Some(2), 0));
        let found = was(A).now(B, 50).users(vec![user]).recorded_keys(recorded).finding();
        (found.verdict, found.certainty)
    };
    // What was recorded of is the same, and what was added may be anything.
    for keys in [["k", "l"].as_slice(), &["k"], &[]] {
        assert_eq!(found(keys, Keys::one("l")), (Verdict::Drifted, Certainty::Inferred), "{keys:?}");
    }
    assert_eq!(found(&["l"], Keys::one("l")), (Verdict::Current, Certainty::Recorded));
    assert_eq!(found(&["l"], all_but_k()), (Verdict::Current, Certainty::Recorded));
    assert_eq!(found(&["k"], all_but_k()), (Verdict::Drifted, Certainty::Inferred));
}

/// A key may stand there without an owner: nothing tells when it was written.
#[test]
fn a_change_by_a_writer_who_left_no_trace_is_not_current_whatever_started_since() {
    let found = |owned, run| was(A).now(B, 50).keys(&["k"]).owned(owned).run(run, 1).finding().verdict;
    assert_eq!(found(&["k"], 900), Verdict::Current);
    assert_eq!(found(&["l"], 900), Verdict::Unknown);
    assert_eq!(found(&[], 900), Verdict::Unknown);
    assert_eq!(found(&["l"], 40), Verdict::Unknown, "the write that is known is of another key");
    let first_run = was(A).now(B, 50).keys(&["k"]).owned(&["l"]).finding().verdict;
    assert_eq!(first_run, Verdict::Drifted);
}

/// The key of an optional source that is gone was used by one container alone, which started since.
#[test]
fn a_source_that_is_gone_concerns_the_containers_that_used_what_it_held() {
    let users = |run| vec![user("c", &["z"], (Some(2), 0)), user("d", &["k"], run)];
    let found = |run| was(A).gone().optional().users(users(run)).finding();
    assert_eq!(found((Some(100), 1)).verdict, Verdict::Unknown);
    assert_eq!(found((Some(2), 0)).verdict, Verdict::Drifted);
}
