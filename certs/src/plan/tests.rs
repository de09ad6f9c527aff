use std::time::Duration;

use super::*;
use crate::verify::at;

/// A CA of 900 s, a leaf of 300 s, an overlap of 30 s.
fn settings() -> Settings {
    let second = Duration::from_secs(1);
    Settings::new(900 * second, 300 * second, 30 * second).unwrap()
}

fn issued(from: i64, life: i64) -> Validity {
    Validity { not_before: at(from - 300), not_after: at(from + life) }
}

/// All was made at 0.
fn fresh() -> Facts {
    Facts {
        leaf: Some(LeafFacts { validity: issued(0, 300), covers_names: true, signed_by_issuing: true }),
        issuing: Some(IssuingFacts { validity: issued(0, 900), has_key: true }),
        ..Facts::default()
    }
}

fn with(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = fresh();
    change(&mut facts);
    facts
}

fn leaf(facts: &mut Facts) -> &mut LeafFacts {
    facts.leaf.as_mut().unwrap()
}

fn keyless(facts: &mut Facts) {
    facts.issuing.as_mut().unwrap().has_key = false;
}

/// The leaf renewed at 450, so that at 600 the CA alone is due.
fn late(facts: &mut Facts) {
    leaf(facts).validity = issued(450, 300);
}

/// The next CA made at 600.
fn next(published: Option<i64>, in_registration: bool) -> Option<NextFacts> {
    Some(NextFacts { validity: issued(600, 900), published: published.map(at), in_registration })
}

#[test]
fn each_situation_has_its_step() {
    use Reason::*;
    use Step::*;
    let rotating = |published, seen| {
        with(|f| {
            late(f);
            f.next = next(published, seen);
        })
    };
    let retired = |since: Option<i64>, end| {
        with(|f| {
            f.retired = vec![at(end)];
            f.retired_since = since.map(at);
        })
    };
    let both = |change: fn(&mut Facts)| {
        with(|f| {
            f.next = next(None, false);
            change(f);
        })
    };
    let cases = [
        ("nothing exists", 0, Facts::default(), Remake(Missing)),
        ("all is well", 0, fresh(), Keep),
        ("just before two thirds of the leaf", 199, fresh(), Keep),
        ("two thirds of the leaf", 200, fresh(), RenewLeaf(Due)),
        ("the leaf has expired", 301, fresh(), RenewLeaf(Expired)),
        ("the leaf's last second", 300, fresh(), RenewLeaf(Due)),
        (
            "a clock behind",
            -301,
            with(|f| f.issuing.as_mut().unwrap().validity.not_before = at(-900)),
            RenewLeaf(NotYetValid),
        ),
        ("a clock behind the CA too", -301, fresh(), Remake(NotYetValid)),
        ("the leaf is gone", 0, with(|f| f.leaf = None), RenewLeaf(Missing)),
        ("a name is missing", 0, with(|f| leaf(f).covers_names = false), RenewLeaf(Names)),
        ("another CA's leaf", 0, with(|f| leaf(f).signed_by_issuing = false), RenewLeaf(Signer)),
        ("the CA is gone", 0, with(|f| f.issuing = None), Remake(Missing)),
        ("the CA has expired", 901, fresh(), Remake(Expired)),
        ("the key is gone, the leaf is good", 0, with(keyless), PrepareNext(Key)),
        (
            "the key and the leaf are gone",
            0,
            with(|f| {
                keyless(f);
                f.leaf = None;
            }),
            Remake(Missing),
        ),
        ("just before two thirds of the CA", 599, with(late), Keep),
        ("two thirds of the CA", 600, with(late), PrepareNext(Due)),
        ("the next CA is not in the registration", 640, rotating(None, false), Keep),
        ("the next CA is seen in the registration", 610, rotating(None, true), Publish(Some(at(610)))),
        ("the overlap runs", 639, rotating(Some(610), true), Keep),
        ("the overlap is over", 640, rotating(Some(610), true), Promote(Overlap)),
        (
            "the registration lost the next CA at the end of the overlap",
            640,
            rotating(Some(610), false),
            Publish(None),
        ),
        (
            "the leaf is due in the overlap",
            660,
            with(|f| {
                late(f);
                f.next = next(None, false);
            }),
            RenewLeaf(Due),
        ),
        (
            "the leaf is gone in the overlap: the old CA signs",
            620,
            both(|f| f.leaf = None),
            RenewLeaf(Missing),
        ),
        (
            "leaf and key are gone in the overlap",
            620,
            both(|f| {
                f.leaf = None;
                keyless(f);
            }),
            Promote(Missing),
        ),
        ("the CA expired before the next one was seen", 901, both(|_| {}), Promote(Expired)),
        ("all three have expired", 1501, both(|_| {}), Remake(Expired)),
        (
            "the leaf ends with its CA: renewing gains nothing",
            880,
            with(|f| {
                leaf(f).validity = issued(650, 250);
                f.next = next(None, false);
            }),
            Keep,
        ),
        (
            "the key is gone and the leaf due: the next CA's turn comes",
            220,
            with(|f| {
                keyless(f);
                f.next =
                    Some(NextFacts { validity: issued(210, 900), published: None, in_registration: false });
            }),
            Keep,
        ),
        ("a retired CA is needed", 39, retired(Some(10), 900), Keep),
        ("a retired CA is not needed any more", 40, retired(Some(10), 900), DropRetired),
        ("a retired CA expired", 20, retired(Some(10), 20), DropRetired),
        ("a retired CA of unknown age", 20, retired(None, 900), DropRetired),
    ];
    for (case, now, facts, expected) in cases {
        let step = plan(at(now), &facts, &settings(), Jitter::NONE);
        assert_eq!(step, expected, "{case}");
    }
}

#[test]
fn jitter_moves_the_renewal_by_at_most_a_twentieth_of_the_life() {
    let cases = [
        ("none", 0.0, 200),
        ("half", 0.5, 208),
        ("all", 1.0, 215),
        ("too much", 7.0, 215),
        ("no number", f64::NAN, 200),
    ];
    for (case, fraction, second) in cases {
        let step = |now| plan(at(now), &fresh(), &settings(), Jitter::fixed(fraction));
        assert_eq!(step(second - 1), Step::Keep, "{case}");
        assert_eq!(step(second), Step::RenewLeaf(Reason::Due), "{case}");
    }
}

#[test]
fn the_next_instant_is_the_earliest_that_is_to_come() {
    let rotating = with(|f| {
        late(f);
        f.next = next(Some(610), true);
    });
    let retired = with(|f| {
        f.retired = vec![at(900)];
        f.retired_since = Some(at(10));
    });
    let cases = [
        ("nothing exists", 0, Facts::default(), None),
        ("the leaf's renewal", 0, fresh(), Some(200)),
        ("the CA's rotation", 500, with(late), Some(600)),
        ("the end of the overlap", 620, rotating, Some(640)),
        ("the end of a retired CA", 20, retired, Some(40)),
        ("the leaf's end, without a key", 0, with(keyless), Some(300)),
    ];
    for (case, now, facts, expected) in cases {
        let due = next_due(at(now), &facts, &settings(), Jitter::NONE);
        assert_eq!(due, expected.map(at), "{case}");
    }
}

#[test]
fn lives_that_do_not_go_together_are_refused() {
    let cases = [
        ("all is well", 900, 300, 30, true),
        ("the longest overlap", 900, 900, 150, true),
        ("too long an overlap", 900, 300, 151, false),
        ("no overlap", 900, 300, 0, false),
        ("a leaf longer than its CA", 900, 901, 30, false),
        ("too short a leaf", 900, 2, 30, false),
    ];
    for (case, ca, leaf, overlap, fits) in cases {
        let [ca, leaf, overlap] = [ca, leaf, overlap].map(Duration::from_secs);
        let settings = Settings::new(ca, leaf, overlap);
        assert_eq!(settings.is_ok(), fits, "{case}");
    }
    let default = Settings::default();
    let same = Settings::new(default.ca_life(), default.leaf_life(), default.overlap());
    assert_eq!(same.unwrap(), default);
    assert_eq!(default.check_interval(), Duration::from_secs(60));
}
