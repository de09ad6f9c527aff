//! What is Unknown: named histories of one container and one source.

use super::*;

#[test]
fn unknown_inferred_changed_and_back() {
    check(
        Verdict::Unknown,
        Certainty::Inferred,
        Reason::ChangedAndBack,
        [
            ("changed and back around a restart in place", was(A).now(A, 50).run(40, 1)),
            ("changed and back, restarted within the lag of the last write", was(A).now(A, 50).run(55, 1)),
            ("changed and back behind a long init container", was(A).now(A, 80).run(70, 0)),
            (
                "touched by another manager, or a key came and went, after a restart",
                was(A).now(A, -100).run(40, 1),
            ),
            (
                "touched, or a key that is not there came and went, after a restart",
                was(A).now(A, -100).keys(&["z"]).optional().run(40, 1),
            ),
            ("touched at an unknown time after a restart", was(A).undated(A).run(40, 1)),
            ("restarted just within the lag of the last write, same content", was(A).now(A, 50).run(60, 1)),
            ("written in the second of the record, restarted since", was(A).now(A, 0).run(5, 1)),
            ("restarted in the second of the record", was(A).now(A, 50).run(0, 1)),
            ("a first start later than that", was(A).now(A, 70).run(61, 0)),
            ("restarted in the minute of the first start", was(A).now(A, 70).run(30, 1)),
            (
                "changed and back around a restart in place, on a node whose clock is minutes behind",
                was(A).now(A, 50).keys(&["k"]).run(-140, 1),
            ),
        ],
    );
}

#[test]
fn unknown_inferred_too_close() {
    check(
        Verdict::Unknown,
        Certainty::Inferred,
        Reason::TooClose,
        [
            ("restarted in place within the lag of the change", was(A).now(B, 50).run(60, 1)),
            ("a file needs a longer lag", was(A).now(B, 50).mode(SubPath).run(199, 1)),
            (
                "a required source that came late, and was made again within the lag of a restart",
                was_absent().recreated(A, 50).run(52, 1),
            ),
            ("no record, written in the same second", unrecorded().now(A, 2)),
            ("no record, written within the lag before the start", unrecorded().now(A, -8)),
            ("no record, a file written within its longer lag", unrecorded().now(A, -100).mode(SubPath)),
            (
                "an optional source appears within the lag of a restart",
                was_absent().recreated(A, 50).optional().run(60, 1),
            ),
            ("changed between the record and a start soon after", was(A).now(B, 3).run(5, 0)),
            ("changed in the second of the start", was(A).now(B, 2)),
            ("changed behind a long init container, right before the start", was(A).now(B, 65).run(70, 0)),
            ("a required key that came late", was(WITHOUT_K).now(A, 3).keys(&["k"]).needs_k().run(5, 0)),
            (
                "an optional source appears between the record and the start",
                was_absent().recreated(A, 3).optional().run(5, 0),
            ),
        ],
    );
}

#[test]
fn unknown_inferred_no_write_time() {
    check(
        Verdict::Unknown,
        Certainty::Inferred,
        Reason::NoWriteTime,
        [
            ("restarted after a change at an unknown time", was(A).undated(B).run(900, 1)),
            ("restarted after a key was removed: nothing tells when", was(A).now(WITHOUT_K, 50).run(900, 1)),
            ("no record, no time", unrecorded().undated(A)),
            ("no record, a key that nobody owns", unrecorded().now(A, -50).keys(&["z"])),
            ("no record, one of two keys that nobody owns", unrecorded().now(A, -50).keys(&["k", "z"])),
            (
                "changed by a writer who left no newer time, restarted",
                was(A).now(B, -100).keys(&["k"]).run(900, 1),
            ),
            ("an optional source deleted, and restarted", was(A).gone().optional().run(900, 1)),
        ],
    );
}

#[test]
fn unknown_inferred_immutable_replaced() {
    check(
        Verdict::Unknown,
        Certainty::Inferred,
        Reason::ImmutableReplaced,
        [
            ("immutable and replaced", was_immutable(A).recreated(A, 50)),
            ("immutable, and in doubt for another pod's sake", was(A).doubt(OlderServed)),
            ("immutable, in doubt, and started since", unrecorded().now(B, 50).run(99, 1).doubt(OlderServed)),
            ("immutable as metadata has it, and it is", was(A).now_immutable(A, 50).doubt(OlderIfImmutable)),
        ],
    );
}

#[test]
fn unknown_inferred_not_readable() {
    check(
        Verdict::Unknown,
        Certainty::Inferred,
        Reason::NotReadable("may not get configmaps".to_owned()),
        [("not readable", was(A).not_readable())],
    );
}

/// Whoever may make a pod decides how much there is to compare.
#[test]
fn unknown_inferred_more_uses_times_keys_than_are_compared() {
    use crate::content::Content;

    let id = SourceId::config_map("m");
    let of = |prefix: &dyn Fn(usize) -> String| {
        let reference = |i| Reference {
            optional: true,
            prefix: Some(prefix(i)),
            ..objects::reference(&id, Keys::All { except: BTreeSet::new() })
        };
        (0..400).map(reference).collect::<Vec<_>>()
    };
    let run = |references: Vec<Reference>, keys: usize| {
        let names: Vec<String> = (0..keys).map(|i| format!("k{i}")).collect();
        let content = Content::config_map(names.iter().map(|name| (name.clone(), "1".to_owned())), []);
        let owned: Vec<&str> = names.iter().map(String::as_str).collect();
        let now = objects::source("1", Some(10), content, &owned);
        let record = objects::record([(id.clone(), SourceRecord::Absent)].into());
        let runs = [("c".to_owned(), Run { started_at: Some(at(2)), restarts: 0 })].into_iter().collect();
        let pod = objects::pod(references, runs, Ok(record));
        let states = [(id.clone(), SourceState::Present(now))].into();
        judge(&pod, &states, None, Lag::default()).pop().unwrap()
    };
    let many = run(of(&|i| format!("p{i}_")), 3000);
    assert_eq!((many.verdict, many.certainty), (Verdict::Unknown, Certainty::Inferred));
    assert!(matches!(&many.reason, Reason::NotReadable(why) if why.contains("too many ways")), "{many:?}");
    // As many as there may be are judged as one is.
    for references in [of(&|i| format!("p{i}_")), of(&|_| String::new())] {
        let finding = run(references, 500);
        assert_eq!((finding.verdict, finding.reason), (Verdict::Drifted, Reason::Appeared));
    }
}
