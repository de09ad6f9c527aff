use super::*;

const FAILED: Outcome = Outcome::Failed(Unread::Timeout);

/// The namespace (`-` for none), and whether it failed.
type Observed = (&'static str, bool);

/// After these in a row.
fn after(observed: &[Observed]) -> (Breaker, Option<Change>) {
    let mut breaker = Breaker::default();
    let mut change = None;
    for (origin, failed) in observed {
        let origin = Some(*origin).filter(|origin| *origin != "-");
        let outcome = if *failed { FAILED } else { Outcome::Answered };
        change = breaker.observe(Instant::now(), origin, outcome);
    }
    (breaker, change)
}

#[test]
fn it_opens_after_failures_in_a_row_from_more_than_one_place() {
    const A: Observed = ("a", true);
    const B: Observed = ("b", true);
    const NONE: Observed = ("-", true);
    const OK: Observed = ("b", false);
    type Case = (&'static str, &'static [Observed], bool, bool);
    let cases: [Case; 10] = [
        ("nothing", &[], false, false),
        ("four", &[A, B, A, B], false, false),
        ("five of two namespaces", &[A, B, A, B, A], true, false),
        ("five, the last from elsewhere", &[A, A, A, A, B], true, false),
        ("one namespace alone", &[A; 100], false, true),
        ("one namespace, and a request of none", &[A, A, A, A, NONE], true, false),
        ("one namespace, and a request of none that is answered", &[A, A, A, A, ("-", false)], false, false),
        (
            "two namespaces, and a request of none that is answered",
            &[A, B, A, B, ("-", false), A],
            true,
            false,
        ),
        ("an answer in between", &[A, B, A, B, OK, A, B, A, B], false, false),
        ("requests of none alone", &[NONE; 10], false, false),
    ];
    for (name, observed, opens, suspects) in cases {
        let (breaker, change) = after(observed);
        assert_eq!(change.is_some(), opens, "{name}");
        assert_eq!(breaker.refusal(), opens.then_some(Unread::Timeout), "{name}");
        assert_eq!(breaker.suspects(), suspects, "{name}");
    }
}

fn open() -> Breaker {
    after(&[("a", true), ("b", true), ("a", true), ("b", true), ("a", true)]).0
}

#[test]
fn an_open_one_asks_for_one_probe_after_a_pause() {
    let mut breaker = open();
    let due = breaker.probe_at().unwrap();
    assert!(!breaker.begin_probe(due - Duration::from_millis(1)));
    assert!(breaker.begin_probe(due));
    assert!(!breaker.begin_probe(due), "a second one");
    assert!(breaker.refusal().is_some());
    assert_eq!(breaker.end_probe(due, Outcome::Answered), Some(Change::Closed));
    assert_eq!((breaker.refusal(), breaker.probe_at()), (None, None));
}

#[test]
fn each_probe_that_fails_doubles_the_pause_up_to_the_longest() {
    let mut breaker = open();
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let now = breaker.probe_at().unwrap();
        assert!(breaker.begin_probe(now));
        assert_eq!(breaker.end_probe(now, Outcome::Failed(Unread::Overload)), None);
        assert_eq!(breaker.refusal(), Some(Unread::Overload));
        pauses.push((breaker.probe_at().unwrap() - now).as_secs());
    }
    assert_eq!(pauses, [2, 4, 8, 8, 8]);
}

#[test]
fn late_outcomes_neither_close_it_nor_put_the_probe_off() {
    let mut breaker = open();
    let due = breaker.probe_at();
    for outcome in [Outcome::Answered, FAILED] {
        assert_eq!(breaker.observe(Instant::now(), Some("a"), outcome), None);
        assert_eq!(breaker.end_probe(Instant::now(), outcome), None);
        assert_eq!(breaker.probe_at(), due);
    }
}
