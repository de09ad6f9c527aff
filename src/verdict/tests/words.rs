//! What people read of a verdict.

use super::*;

#[test]
fn a_finding_says_what_a_person_can_act_on() {
    for (scene, words) in [
        (was(A).now(B, 50), "changed"),
        (was(A).now(B, 50).mode(Directory), "changed: files updated, process not restarted"),
        (
            was_absent().recreated(A, 50).optional().mode(Directory),
            "appeared: files updated, process not restarted",
        ),
        (
            unrecorded().now(A, 50).mode(Directory),
            "written since the start: files updated, process not restarted",
        ),
        (unrecorded().now(A, 50), "written since the start"),
        (was(A).gone(), "missing: a restart would not start"),
        (was(A).not_readable(), "may not get configmaps"),
    ] {
        assert_eq!(scene.finding().words(), words);
    }
}

#[test]
fn only_what_is_missing_would_not_start() {
    assert!(was(A).gone().finding().would_not_start());
    assert!(!was(A).now(B, 50).finding().would_not_start());
}

#[test]
fn what_is_missing_and_what_appeared_is_named() {
    let set = |key: &str| BTreeSet::from([key.to_owned()]);
    let removed = Changes { removed: set("k"), ..Changes::default() };
    let changed = Changes { changed: set("l"), ..removed.clone() };
    const L_CHANGED: Data = &[("l", "2")];
    for (scene, changes) in [
        (was(A).now(WITHOUT_K, 50).keys(&["k"]).needs_k(), removed.clone()),
        (was(A).now(WITHOUT_K, 50).keys(&[]).needs_k(), removed.clone()),
        (was(A).now(L_CHANGED, 50).keys(&["l"]).needs_k(), changed),
        (
            was_absent().recreated(A, 50).keys(&["k"]).optional(),
            Changes { added: set("k"), ..Changes::default() },
        ),
        (was(A).gone().keys(&["k"]).optional(), removed),
    ] {
        assert_eq!(scene.finding().changes, changes);
    }
}

#[test]
fn a_run_is_told_once_for_each_container() {
    let source = SourceId::config_map("s");
    let of = |container: &str| Reference {
        container: container.to_owned(),
        ..objects::reference(&source, Keys::all())
    };
    let run = |second| Run { started_at: Some(objects::at(second)), restarts: 0 };
    let runs = Runs::from_iter([("c".to_owned(), run(2)), ("d".to_owned(), run(3))]);
    let pod = objects::pod(vec![of("d"), of("c"), of("d"), of("c")], runs, Err(Unrecorded::None));
    let findings = judge(&pod, &[(source, SourceState::Absent)].into(), None, Lag::default());
    let told: Vec<&str> = findings[0].evidence.runs.iter().map(|(container, _)| container.as_str()).collect();
    assert_eq!(told, ["c", "d"]);
}

#[test]
fn the_evidence_is_told_in_sentences() {
    let told = |scene: Scene| scene.finding().evidence.to_string();
    assert_eq!(
        told(was(A).now(B, 50).run(40, 1)),
        "Recorded at the pod's admission, 2026-09-21T14:13:20Z: uid u1, resourceVersion 1.\n\
         Now: uid u1, resourceVersion 2, created at 2026-09-21T14:11:40Z, last written at \
         2026-09-21T14:14:10Z by kubectl.\n\
         Container c started at 2026-09-21T14:14:00Z, after 1 restart.\n\
         A container that starts within 10 s of a write may still read what was there before."
    );
    for (scene, sentence) in [
        (unrecorded().now(A, 50), "The pod counts as unrecorded: it has no record."),
        (unread().now(A, 50), ": it could not be read: no answer came in time."),
        (was_absent().gone(), ": it did not exist.\nNow: it does not exist."),
        (was(A).adopted(), "Recorded when the pod was adopted, "),
        (was(A).not_readable(), "Now: may not get configmaps."),
        (was(A).undated(A), "last written at an unknown time."),
        (was(A).waits(), "Container c has yet to start."),
        (was(A).mode(SubPath), "within 150 s of a write"),
    ] {
        let told = told(scene);
        assert!(told.contains(sentence), "{told}");
    }
}
