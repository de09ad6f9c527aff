use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::reference::{Keys, Reference, references};

fn count(spec: Value, extra: usize) -> usize {
    pairs(&serde_json::from_value(spec).unwrap(), extra)
}

fn many(count: usize, of: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(of).collect()
}

#[test]
fn pods_that_make_more_work_than_their_length_pass_the_bound() {
    let env = many(1000, |i| json!({"name": format!("A{i}"), "value": "$(A0)"}));
    let from = many(1000, |i| json!({"configMapRef": {"name": format!("m{i}")}}));
    let mounts = |count| many(count, |i| json!({"name": "v", "mountPath": format!("/m{i}")}));
    let sources = many(1000, |i| json!({"configMap": {"name": format!("m{i}")}}));
    let items = many(3900, |i| json!({"key": format!("k{i}"), "path": format!("p{i}")}));
    let empty = many(1000, |i| json!({"name": format!("v{i}"), "emptyDir": {}}));
    let mounting = |mounts: Vec<Value>, volumes: Value| json!({"containers": [{"name": "c", "volumeMounts": mounts}], "volumes": volumes});
    let projected = json!([{"name": "v", "projected": {"sources": sources}}]);
    let of_items = json!([{"name": "v", "secret": {"secretName": "s", "items": items}}]);
    let in_projected = json!([{"name": "v", "projected": {"sources": [
        {"secret": {"name": "s", "items": items}}
    ]}}]);
    let containers = json!({"containers": many(1000, |i| json!({"name": format!("c{i}")}))});
    for (name, spec, extra, is_too_much) in [
        (
            "variables by envFrom",
            json!({"containers": [{"name": "c", "env": env, "envFrom": from}]}),
            0,
            true,
        ),
        ("mounts by sources", mounting(mounts(1000), projected.clone()), 0, true),
        ("mounts by items", mounting(mounts(4000), of_items.clone()), 0, true),
        ("mounts by items of a projected source", mounting(mounts(4000), in_projected), 0, true),
        ("mounts by volumes", mounting(mounts(1000), json!(empty)), 0, true),
        ("containers by extra", containers.clone(), 1000, true),
        ("many variables", json!({"containers": [{"name": "c", "env": env}]}), 0, false),
        ("many sources, not mounted", mounting(vec![], projected), 0, false),
        ("many items, mounted once", mounting(mounts(1), of_items), 0, false),
        ("many containers", containers, 0, false),
    ] {
        assert_eq!(count(spec, extra) > MAX_PAIRS, is_too_much, "{name}");
    }
}

#[test]
fn each_mount_counts_what_its_own_volume_holds() {
    let spec = json!({
        "initContainers": [{"name": "i"}],
        "containers": [{"name": "c", "volumeMounts": [{"name": "a", "mountPath": "/a"}]}],
        "volumes": [
            {"name": "a", "configMap": {"name": "m", "items": [{"key": "k", "path": "p"}]}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "s"}}, {"secret": {"name": "t"}}]}},
        ],
    });
    // Two containers with an empty environment and 3 sources of `extra`; a mount, by two volumes, of
    // a source with an item.
    assert_eq!(count(spec, 3), 2 * (1 + 3) + (2 + 2));
}

/// Bytes of all texts in references: what was copied for them.
fn copied(references: &[Reference]) -> usize {
    let set = |keys: &BTreeSet<String>| keys.iter().map(String::len).sum::<usize>();
    let of = |reference: &Reference| {
        let Reference { source, keys: Keys::All { except: keys } | Keys::Some(keys), .. } = reference;
        let prefix = reference.prefix.as_deref().map_or(0, str::len);
        source.name.len() + set(keys) + set(&reference.needs) + prefix + reference.container.len()
    };
    references.iter().map(of).sum()
}

/// What each pair may cost at most, in bytes: a text of less than [`BYTES`] for each part of it.
const MOST: usize = 5 * BYTES;

/// A pod in which few texts are put together many times.
fn multiplied(lengths: [usize; 8], counts: [usize; 4]) -> PodSpec {
    let [container, volume, source, key, path, variable, value, prefix] = lengths;
    let [containers, mounts, items, from] = counts;
    let text = |length: usize, i: usize| format!("{}{i}", "x".repeat(length));
    let items = many(items, |i| json!({"key": text(key, i), "path": text(path, i)}));
    let parts = json!([
        {"configMap": {"name": text(source, 0), "items": items}},
        {"secret": {"name": text(source, 1)}},
    ]);
    let one = json!({"name": text(volume, 0), "projected": {"sources": parts}});
    let mount = |i| json!({"name": text(volume, 0), "mountPath": format!("/{i}"), "subPath": text(path, 0)});
    let env = |i| match i % 2 {
        0 => json!({"name": text(prefix + variable, i), "value": "$(".repeat(value) + ")"}),
        _ => {
            json!({"name": text(variable, i), "valueFrom": {"secretKeyRef": {"name": text(source, i), "key": text(key, i)}}})
        }
    };
    let from =
        many(from, |i| json!({"prefix": "x".repeat(prefix), "configMapRef": {"name": text(source, i)}}));
    let container = |i| {
        json!({
            "name": text(container, i), "env": many(mounts, env), "envFrom": from, "volumeMounts": many(mounts, mount),
        })
    };
    serde_json::from_value(json!({"containers": many(containers, container), "volumes": [one]})).unwrap()
}

proptest! {
    #[test]
    fn what_is_copied_of_a_pod_is_bounded_by_its_pairs(
        lengths in prop::array::uniform8(prop_oneof![0..70usize, 0..3000usize]),
        counts in prop::array::uniform4(0..12usize),
    ) {
        let spec = multiplied(lengths, counts);
        let (copied, pairs) = (copied(&references(&spec, &BTreeSet::new())), pairs(&spec, 0));
        prop_assert!(copied <= pairs * MOST, "{} bytes by {} pairs", copied, pairs);
    }
}

#[test]
fn a_pod_of_megabytes_whose_texts_are_copied_many_times_passes_the_bound_or_is_soon_looked_at() {
    let start = Instant::now();
    for (name, lengths, counts, is_too_much) in [
        ("a container's name", [1 << 20, 1, 1, 1, 1, 1, 1, 0], [1, 100, 0, 100], true),
        ("a volume's name", [1, 1 << 20, 1, 1, 1, 1, 1, 0], [1, 2, 1, 0], false),
        ("a source's name", [1, 1, 1 << 20, 1, 1, 1, 1, 0], [2, 100, 0, 0], true),
        ("keys of items", [1, 1, 1, 10_000, 1, 1, 1, 0], [1, 200, 100, 0], true),
        ("paths of items", [1, 1, 1, 1, 10_000, 1, 1, 0], [1, 200, 100, 0], true),
        ("names of variables", [1, 1, 1, 1, 1, 10_000, 1, 0], [1, 100, 0, 100], true),
        ("values", [1, 1, 1, 1, 1, 1, 1 << 19, 0], [1, 4, 0, 3], false),
        ("a large pod's", [30, 30, 40, 30, 40, 30, 1, 0], [10, 60, 12, 4], false),
        ("a prefix", [1, 1, 1, 1, 1, 1, 1, 1 << 17], [1, 4, 0, 4], false),
    ] {
        let spec = multiplied(lengths, counts);
        let pairs = pairs(&spec, 0);
        assert_eq!(pairs > MAX_PAIRS, is_too_much, "{name}: {pairs}");
        if !is_too_much {
            references(&spec, &BTreeSet::new());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
