//! The very seconds at which rules begin to hold: the record is of second 0, and the start of second 2
//! where no other is given.

use super::*;

#[test]
fn a_write_in_the_second_of_the_record_tells_nothing_of_a_removed_key() {
    let removed = |written| was(A).now(WITHOUT_K, written).keys(&["k"]).optional();
    for (scene, verdict, certainty) in [
        (removed(0), Verdict::Drifted, Certainty::Recorded),
        (removed(0).run(30, 0), Verdict::Drifted, Certainty::Recorded),
        (removed(1), Verdict::Unknown, Certainty::Inferred),
    ] {
        let finding = scene.finding();
        assert_eq!((finding.verdict, finding.certainty), (verdict, certainty), "{:?}", finding.reason);
    }
}

#[test]
fn a_key_that_was_written_in_the_second_of_the_record_may_have_been_read() {
    let finding = was(A).now(B, 0).finding();
    assert_eq!((finding.verdict, finding.certainty), (Verdict::Unknown, Certainty::Inferred));
}

#[test]
fn a_first_run_is_late_after_ten_seconds() {
    for (started, certainty) in [(10, Certainty::Recorded), (11, Certainty::Inferred)] {
        let finding = was(A).undated(B).run(started, 0).finding();
        assert_eq!((finding.verdict, finding.certainty), (Verdict::Drifted, certainty), "{started}");
    }
}
