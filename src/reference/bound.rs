//! The bound of the work that one pod may make. Pods reach a webhook before they are validated, and
//! those that the API server has taken are still in the hands of whoever may create one.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::{containers, volume};

/// How many pairs of what uses and what is used are looked at, at most; see [`pairs`]. A large pod has
/// a few thousand.
pub const MAX_PAIRS: usize = 100_000;

/// How many pairs of what uses and what is used [`references`](super::references) goes through, which
/// bounds its time and memory: per container, variables by `envFrom` entries, mounts by volumes and by
/// the sources and items of the one that is mounted, and the number of sources in `extra`. Takes time
/// in proportion to the spec itself.
pub fn pairs(spec: &PodSpec, extra: usize) -> usize {
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    let mut weights = HashMap::with_capacity(volumes.len());
    for volume in volumes {
        weights.entry(volume.name.as_str()).or_insert_with(|| volume::weight(volume));
    }
    let of_container = |container: &Container| {
        let Container { env, env_from, volume_mounts, .. } = container;
        let env = env.as_ref().map_or(0, Vec::len) + 1;
        let env_from = env_from.as_ref().map_or(0, Vec::len) + 1;
        let mounts = volume_mounts.iter().flatten().map(|mount| {
            let weight = weights.get(mount.name.as_str()).copied().unwrap_or_default();
            weight.saturating_add(volumes.len())
        });
        mounts.fold(env.saturating_mul(env_from).saturating_add(extra), usize::saturating_add)
    };
    containers(spec).map(of_container).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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
}
