//! What is Drifted: named histories of one container and one source.

use super::*;

#[test]
fn drifted_recorded_changed() {
    check(
        Verdict::Drifted,
        Certainty::Recorded,
        Reason::Changed,
        [
            ("changed", was(A).now(B, 50)),
            ("recreated otherwise", was(A).recreated(B, 50)),
            (
                "recreated otherwise after a restart in place",
                was(A).recreated_and_moved(B, 50, 90).run(40, 1),
            ),
            ("made while the source was at B, back at A since, by an old writer", was(B).now(A, 50)),
            ("an optional key removed", was(A).now(WITHOUT_K, 50).keys(&["k"]).optional()),
            ("an optional key appears", was(WITHOUT_K).now(A, 50).keys(&["k"]).optional()),
            ("files in a directory", was(A).now(B, 50).mode(Directory)),
            ("env is never read again", was(A).now(B, 50).rereads()),
            ("an optional source deleted", was(A).gone().optional()),
            ("a Secret", was(A).now(B, 50).secret(Some(1))),
            ("read through the API, changed", was(A).now(B, 50).mode(Api)),
            ("a file by subPath is never read again", was(A).now(B, 50).mode(SubPath).rereads()),
            ("restarted in place before the change", was(A).now(B, 50).run(40, 1)),
            ("restarted in place before a key was removed", was(A).now(WITHOUT_K, 50).run(40, 1)),
            ("changed in the second after the start", was(A).now(B, 3)),
            ("changed by a writer who left no newer time, in its first run", was(A).now(B, -100)),
            ("changed at a time that nobody knows, started soon after the record", was(A).undated(B)),
            ("an optional source deleted, recorded without marks", was(A).unmarked().gone().optional()),
            ("adopted, changed", was(A).adopted().now(B, 50).run(-5, 1)),
            (
                "immutable, changed, and nobody knows whether it was made again",
                was(A).now(B, 50).doubt(Unseen),
            ),
            ("immutable and replaced, read through the API", was_immutable(A).recreated(B, 50).mode(Api)),
        ],
    );
}

#[test]
fn drifted_recorded_missing() {
    check(
        Verdict::Drifted,
        Certainty::Recorded,
        Reason::Missing,
        [
            ("a required key removed", was(A).now(WITHOUT_K, 50).keys(&["k"]).needs_k()),
            ("a required source deleted", was(A).gone()),
            ("a required source deleted while the container waits", was(A).gone().waits()),
            ("immutable, in doubt, and gone", was(A).gone().doubt(OlderServed)),
            ("a required key removed that is used in vain", was(A).now(WITHOUT_K, 50).keys(&[]).needs_k()),
            (
                "a required key removed while the container waits",
                was(A).now(WITHOUT_K, 50).keys(&["k"]).needs_k().waits(),
            ),
            (
                "a required key removed, read under another hash key",
                was(A).now(WITHOUT_K, 50).keys(&["k"]).needs_k().secret(Some(2)),
            ),
            ("immutable, and deleted", was_immutable(A).gone()),
            ("a required source deleted whose files are read again", was(A).gone().mode(Directory).rereads()),
        ],
    );
}

#[test]
fn drifted_recorded_appeared() {
    check(
        Verdict::Drifted,
        Certainty::Recorded,
        Reason::Appeared,
        [
            ("an optional source appears", was_absent().recreated(A, 50).optional()),
            (
                "an optional source appears in the second after the start, and is labelled since",
                was_absent().recreated_and_moved(A, 3, 50).optional(),
            ),
            (
                "a Secret appears, without a hash key to read it",
                was_absent().recreated(A, 50).optional().secret(None),
            ),
        ],
    );
}

#[test]
fn drifted_inferred_appeared() {
    check(
        Verdict::Drifted,
        Certainty::Inferred,
        Reason::Appeared,
        [
            (
                "an optional source appears before the first start, and is labelled since",
                was_absent().recreated_and_moved(A, 3, 50).optional().run(20, 0),
            ),
            (
                "an optional source appears in the second of the first start, and is labelled since",
                was_absent().recreated_and_moved(A, 2, 50).optional(),
            ),
        ],
    );
}

#[test]
fn drifted_inferred_written_since_start() {
    check(
        Verdict::Drifted,
        Certainty::Inferred,
        Reason::WrittenSinceStart,
        [
            ("a required source that came late, and was made again since", was_absent().recreated(A, 50)),
            ("a required source that came late and was changed", was_absent().now(B, 90).run(52, 0)),
            ("no record, written since", unrecorded().now(A, 50)),
            ("the webhook could not read it", unread().now(A, 50)),
            ("a Secret under a hash key that the reader lacks", was(A).now(A, 50).secret(None)),
        ],
    );
}

#[test]
fn drifted_inferred_missing() {
    check(
        Verdict::Drifted,
        Certainty::Inferred,
        Reason::Missing,
        [
            ("a required source that came late and went", was_absent().gone()),
            ("no record, gone", unrecorded().gone()),
            ("not read at admission, and gone", unread().gone()),
            ("no record, a required key removed", unrecorded().now(WITHOUT_K, -50).keys(&["k"]).needs_k()),
            ("no record, a required key removed, nobody knows when", {
                unrecorded().undated(WITHOUT_K).keys(&["k"]).needs_k()
            }),
            (
                "not read at admission, and a required key removed",
                unread().now(WITHOUT_K, 50).keys(&["k"]).needs_k(),
            ),
        ],
    );
}

#[test]
fn drifted_inferred_changed() {
    check(
        Verdict::Drifted,
        Certainty::Inferred,
        Reason::Changed,
        [
            ("changed at a time that nobody knows, maybe before a late start", was(A).undated(B).run(30, 0)),
            ("changed without a trace, maybe before a late start", was(A).now(B, -100).run(30, 0)),
            (
                "an optional Secret deleted, recorded without marks, under another hash key",
                was(A).unmarked().gone().optional().secret(Some(2)),
            ),
            (
                "recreated otherwise before the first start, and labelled since",
                was(A).recreated_and_moved(B, 3, 50).run(20, 0),
            ),
            (
                "recreated otherwise before a restart, and labelled since",
                was(A).recreated_and_moved(B, 30, 200).run(60, 1),
            ),
            (
                "restarted after a change, and another key written since",
                was(A).now(BOTH, 200).keys(&["k"]).run(100, 1),
            ),
            (
                "started late after a change, and another key written since",
                was(A).now(BOTH, 200).keys(&["k"]).run(90, 0),
            ),
        ],
    );
}
