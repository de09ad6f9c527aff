//! What is Current: named histories of one container and one source.

use super::*;

#[test]
fn current_recorded_unmoved() {
    check(
        Verdict::Current,
        Certainty::Recorded,
        Reason::Unmoved,
        [
            ("unmoved", was(A)),
            ("unmoved, whatever restarted", was(A).run(900, 3)),
            ("a Secret that did not move needs no hash key", was(A).secret(None)),
            ("in doubt, read through the API", was(A).mode(Api).doubt(OlderServed)),
        ],
    );
}

#[test]
fn current_recorded_touched() {
    check(
        Verdict::Current,
        Certainty::Recorded,
        Reason::Touched,
        [
            ("touched", was(A).now(A, 50)),
            ("touched by a label of another manager", was(A).now(A, -100)),
            ("recreated alike", was(A).recreated(A, 50)),
            (
                "touched by another manager after a restart, where the one key in use cannot have gone",
                was(A).now(A, -100).keys(&["k"]).run(40, 1),
            ),
            ("changed in a key that is not used", was(A).now(B, 50).keys(&["l"])),
            ("a Secret touched", was(A).now(A, 50).secret(Some(1))),
            ("a first start before the record, by a clock that is behind", was(A).now(A, 50).run(-5, 0)),
            ("the same content, and the container waits", was(A).now(A, 50).waits()),
            ("a first start within a minute of the record", was(A).now(A, 70).run(60, 0)),
            ("immutable, and only relabelled", was_immutable(A).now(A, -50)),
            (
                "changed and back, restarted well after, where the one key in use cannot have gone",
                was(A).now(A, 50).keys(&["k"]).run(99, 1),
            ),
            ("immutable as metadata has it, and it is not", was(A).now(A, 50).doubt(OlderIfImmutable)),
        ],
    );
}

#[test]
fn current_recorded_reread() {
    check(
        Verdict::Current,
        Certainty::Recorded,
        Reason::Reread,
        [
            ("files that are read again", was(A).now(B, 50).mode(Directory).rereads()),
            (
                "an optional source deleted whose files are read again",
                was(A).gone().mode(Directory).optional().rereads(),
            ),
            (
                "an optional source appears whose files are read again",
                was_absent().recreated(A, 50).mode(Directory).optional().rereads(),
            ),
        ],
    );
}

#[test]
fn current_recorded_still_absent() {
    check(
        Verdict::Current,
        Certainty::Recorded,
        Reason::StillAbsent,
        [
            ("an optional source deleted that had nothing in use", was(A).gone().keys(&["z"]).optional()),
            ("an optional source still absent", was_absent().gone().optional()),
            (
                "an optional source appears without the key",
                was_absent().recreated(A, 50).keys(&["z"]).optional(),
            ),
            (
                "an optional source deleted that had nothing in use, recorded without marks",
                was(A).unmarked().gone().keys(&["z"]).optional(),
            ),
        ],
    );
}

#[test]
fn current_recorded_started_since() {
    check(
        Verdict::Current,
        Certainty::Recorded,
        Reason::StartedSince,
        [("an optional source deleted while the container waits", was(A).gone().optional().waits())],
    );
}

#[test]
fn current_inferred_touched() {
    check(
        Verdict::Current,
        Certainty::Inferred,
        Reason::Touched,
        [
            ("changed and back, restarted well after", was(A).now(A, 50).run(99, 1)),
            ("restarted just outside of it", was(A).now(A, 50).run(61, 1)),
            ("adopted, touched", was(A).adopted().now(A, 50).run(-5, 1)),
        ],
    );
}

#[test]
fn current_inferred_started_since() {
    check(
        Verdict::Current,
        Certainty::Inferred,
        Reason::StartedSince,
        [
            ("restarted in place well after the change", was(A).now(B, 50).run(61, 1)),
            ("and has it", was(A).now(B, 50).mode(SubPath).run(201, 1)),
            ("waits to start again", was(A).now(B, 50).waits()),
            (
                "an optional source appears before a restart",
                was_absent().recreated(A, 50).optional().run(70, 1),
            ),
            ("a required source that came late, written once", was_absent().recreated(A, 50).run(52, 0)),
            (
                "a required source that came late, written once, well before a restart",
                was_absent().recreated(A, 50).run(70, 1),
            ),
            ("no record, written long before", unrecorded().now(A, -50)),
            ("a Secret under another hash key", was(A).now(A, -50).secret(Some(2))),
            ("no record, nothing in it, no time", unrecorded().undated(&[])),
            ("no record, written just outside the lag", unrecorded().now(A, -9)),
            ("no record, a file written well before", unrecorded().now(A, -149).mode(SubPath)),
            ("no record, the container waits", unrecorded().now(A, 50).waits()),
            ("no record, an optional key that nobody owns", unrecorded().now(A, -50).keys(&["z"]).optional()),
            ("not read at admission, written well before", unread().now(A, -50)),
            ("changed at an unknown time, and the container waits", was(A).undated(B).waits()),
            ("a directory, started well after the change", was(A).now(B, 50).mode(Directory).run(201, 1)),
            ("read through the API, started since", was(A).now(B, 50).mode(Api).run(61, 1)),
            (
                "an optional source appears while the container waits",
                was_absent().recreated(A, 50).optional().waits(),
            ),
            ("changed between the record and a start well after", was(A).now(B, 3).run(20, 0)),
            ("changed behind a long init container, before the start", was(A).now(B, 50).run(61, 0)),
        ],
    );
}

#[test]
fn current_inferred_awaited() {
    check(
        Verdict::Current,
        Certainty::Inferred,
        Reason::Awaited,
        [
            ("a required source still awaited", was_absent().gone().waits()),
            ("no record, and the container waits for the source", unrecorded().gone().waits()),
        ],
    );
}

#[test]
fn current_inferred_still_absent() {
    check(
        Verdict::Current,
        Certainty::Inferred,
        Reason::StillAbsent,
        [
            ("no record, optional and absent", unrecorded().gone().optional()),
            ("not read at admission, optional, and gone", unread().gone().optional()),
            (
                "an optional source still absent, and restarted: it may have come and gone",
                was_absent().gone().optional().run(40, 1),
            ),
            (
                "an optional source deleted, and restarted after its key came",
                was(WITHOUT_K).gone().keys(&["k"]).optional().run(100, 1),
            ),
        ],
    );
}

#[test]
fn current_inferred_unmoved() {
    check(
        Verdict::Current,
        Certainty::Inferred,
        Reason::Unmoved,
        [
            ("adopted, unmoved", was(A).adopted().run(-5, 1)),
            ("immutable, and nobody knows whether it was made again", was(A).doubt(Unseen)),
        ],
    );
}

#[test]
fn current_inferred_reread() {
    check(
        Verdict::Current,
        Certainty::Inferred,
        Reason::Reread,
        [
            ("no record, files that are read again", unrecorded().now(A, 50).mode(Directory).rereads()),
            (
                "no record, files that are read again, written about the start",
                unrecorded().now(A, 2).mode(Directory).rereads(),
            ),
            (
                "changed and back, files that are read again",
                was(A).now(A, 50).mode(Directory).run(40, 1).rereads(),
            ),
        ],
    );
}
