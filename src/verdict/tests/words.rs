//! What people read of a verdict.

use super::*;

#[test]
fn a_finding_says_what_a_person_can_act_on() {
    let live = Case { mode: Mode::Directory, ..case(Recorded::Data(A), Now::Data(B, Some(50))) };
    let appeared =
        Case { mode: Mode::Directory, optional: true, ..case(Recorded::Absent, Now::Recreated(A, 50)) };
    let cases = [
        (case(Recorded::Data(A), Now::Data(B, Some(50))), "changed"),
        (live, "changed: files updated, process not restarted"),
        (appeared, "appeared: files updated, process not restarted"),
        (case(Recorded::Data(A), Now::Absent), "missing: a restart would not start"),
        (case(Recorded::Data(A), Now::NotReadable), "may not get configmaps"),
    ];
    for (case, words) in cases {
        assert_eq!(case.run().words(), words);
    }
}

#[test]
fn only_what_is_missing_would_not_start() {
    assert!(case(Recorded::Data(A), Now::Absent).run().would_not_start());
    assert!(!case(Recorded::Data(A), Now::Data(B, Some(50))).run().would_not_start());
}

#[test]
fn what_is_missing_and_what_appeared_is_named() {
    let set = |key: &str| BTreeSet::from([key.to_owned()]);
    let missing = Case {
        keys: Keys::one("k"),
        needs: &["k"],
        ..case(Recorded::Data(A), Now::Data(WITHOUT_K, Some(50)))
    };
    assert_eq!(missing.run().changes, Changes { removed: set("k"), ..Changes::default() });
    let unused = Case { keys: Keys::Some(BTreeSet::new()), ..missing };
    assert_eq!(unused.run().changes, Changes { removed: set("k"), ..Changes::default() });
    let beside_a_change = Case { keys: Keys::one("l"), now: Now::Data(&[("l", "2")], Some(50)), ..unused };
    let changes = Changes { changed: set("l"), removed: set("k"), ..Changes::default() };
    assert_eq!(beside_a_change.run().changes, changes);
    let appeared =
        Case { keys: Keys::one("k"), optional: true, ..case(Recorded::Absent, Now::Recreated(A, 50)) };
    assert_eq!(appeared.run().changes, Changes { added: set("k"), ..Changes::default() });
    let gone = Case { optional: true, keys: Keys::one("k"), ..case(Recorded::Data(A), Now::Absent) };
    assert_eq!(gone.run().changes, Changes { removed: set("k"), ..Changes::default() });
}
