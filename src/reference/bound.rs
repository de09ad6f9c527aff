//! The bound of the work that one pod may make. Pods reach a webhook before they are validated, and
//! those that the API server has taken are still in the hands of whoever may create one.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::volume::Weight;
use super::{containers, env};

/// How many pairs of what uses and what is used are looked at, at most; see [`pairs`]. A large pod has
/// a few thousand, and each may become a reference of a kilobyte.
pub const MAX_PAIRS: usize = 40_000;

/// So many bytes of a pair's texts count as one more pair.
const BYTES: usize = 64;

/// What a text adds to each pair that it is compared or copied for: nothing, where it is as long as
/// texts of a common pod are.
pub(super) fn excess(text: &str) -> usize {
    text.len() / BYTES
}

/// How many pairs of what uses and what is used [`references`](super::references) goes through, those
/// with long texts counting for more, which bounds its time and memory: per container, variables by
/// `envFrom` entries, mounts by volumes and by the sources and items of the one that is mounted, and
/// the number of sources in `extra`. Takes time in proportion to the spec itself.
pub fn pairs(spec: &PodSpec, extra: usize) -> usize {
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    let mut weights = HashMap::with_capacity(volumes.len());
    for volume in volumes {
        weights.entry(volume.name.as_str()).or_insert_with(|| Weight::of(volume));
    }
    let of_container = |container: &Container| {
        let each = 1 + excess(&container.name);
        let mounts = container.volume_mounts.iter().flatten().map(|mount| {
            let searched = (1 + excess(&mount.name)).saturating_mul(volumes.len());
            let found = weights.get(mount.name.as_str());
            found.map_or(0, |found| found.mounted(mount, each)).saturating_add(searched)
        });
        let others = env::weight(container).saturating_add(each.saturating_mul(extra));
        mounts.fold(others, usize::saturating_add)
    };
    containers(spec).map(of_container).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests;
