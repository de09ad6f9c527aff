//! Properties over arbitrary references.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set("[a-d]", 0..4)
}

fn keys() -> impl Strategy<Value = Keys> {
    prop_oneof![names().prop_map(Keys::Some), names().prop_map(|except| Keys::All { except })]
}

fn reference() -> impl Strategy<Value = Reference> {
    let source = ("[mn]", any::<bool>()).prop_map(|(name, secret)| match secret {
        true => SourceId::secret(name),
        false => SourceId::config_map(name),
    });
    (source, proptest::sample::select(&Mode::ALL), keys(), any::<bool>(), names(), "[xy]").prop_map(
        |(source, mode, keys, optional, needs, container)| Reference {
            source,
            mode,
            keys,
            optional,
            prefix: None,
            needs,
            container,
        },
    )
}

/// More than the keys that the strategies make.
const ANY_KEY: [&str; 6] = ["a", "b", "c", "d", "e", ""];

proptest! {
    #[test]
    fn a_union_holds_what_either_holds(a in keys(), b in keys()) {
        let both = a.clone().union(b.clone());
        for key in ANY_KEY {
            prop_assert_eq!(both.contains(key), a.contains(key) || b.contains(key), "{}", key);
        }
    }

    #[test]
    fn unions_do_not_depend_on_order(a in keys(), b in keys(), c in keys()) {
        prop_assert_eq!(a.clone().union(b.clone()), b.clone().union(a.clone()));
        prop_assert_eq!(
            a.clone().union(b.clone()).union(c.clone()),
            a.clone().union(b.union(c)),
        );
        prop_assert_eq!(a.clone().union(a.clone()), a);
    }

    #[test]
    fn merging_does_not_depend_on_order(
        references in vec(reference(), 0..8)
            .prop_flat_map(|references| (Just(references.clone()), Just(references).prop_shuffle())),
    ) {
        let (given, shuffled) = references;
        prop_assert_eq!(selection(&given), selection(&shuffled));
    }

    #[test]
    fn merging_loses_no_source_no_mode_and_no_key(references in vec(reference(), 0..8)) {
        let merged = selection(&references);
        for (source, modes) in &merged {
            for (mode, keys) in modes {
                let of = |r: &&Reference| r.source == *source && r.mode == *mode;
                for key in ANY_KEY {
                    let used = references.iter().filter(of).any(|r| r.keys.contains(key));
                    prop_assert_eq!(keys.contains(key), used, "{} {:?} {}", source, mode, key);
                }
            }
        }
        for reference in &references {
            prop_assert!(merged[&reference.source].contains_key(&reference.mode));
        }
    }
}
