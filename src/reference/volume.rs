//! References by mounted volumes. A volume that no container mounts is no use.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, KeyToPath, PodSpec, Volume, VolumeMount};

use super::bound::excess;
use super::{Keys, Mode, Reference};
use crate::source::SourceId;

/// One source as a volume lays it out in files.
struct Part<'a> {
    source: SourceId,
    /// `None`: a file per key, named like it.
    items: Option<&'a [KeyToPath]>,
    optional: bool,
}

pub(super) fn of_container(spec: &PodSpec, container: &Container, found: &mut Vec<Reference>) {
    for mount in container.volume_mounts.iter().flatten() {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
        for part in volume.map(parts).unwrap_or_default() {
            let (mode, keys) = mounted(mount, part.items);
            let needs = part.items.filter(|_| !part.optional).unwrap_or_default();
            found.push(Reference {
                source: part.source,
                mode,
                keys,
                optional: part.optional,
                needs: needs.iter().map(|item| item.key.clone()).collect(),
                prefix: None,
                container: container.name.clone(),
            });
        }
    }
}

/// What a volume makes to go through for each mount of it.
pub(super) struct Weight {
    parts: usize,
    /// Items, and what long texts add.
    within: usize,
}

impl Weight {
    pub(super) fn of(volume: &Volume) -> Self {
        let parts = parts(volume);
        let item = |item: &KeyToPath| 1 + excess(&item.key) + excess(&item.path);
        let items = parts.iter().flat_map(|part| part.items.unwrap_or_default()).map(item);
        let sources = parts.iter().map(|part| excess(&part.source.name));
        Self { parts: parts.len(), within: items.chain(sources).fold(0, usize::saturating_add) }
    }

    /// As pairs, where each source weighs `each` by the container's name alone.
    pub(super) fn mounted(&self, mount: &VolumeMount, each: usize) -> usize {
        let each = each + mount.sub_path.as_deref().map_or(0, excess);
        self.parts.saturating_mul(each).saturating_add(self.within)
    }
}

/// The sources of a volume: one of a `configMap` or `secret`, any number of a `projected` one.
fn parts(volume: &Volume) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    if let Some(map) = &volume.config_map {
        parts.push(part(SourceId::config_map(&map.name), &map.items, map.optional));
    }
    if let Some((secret, name)) =
        volume.secret.as_ref().and_then(|s| s.secret_name.as_ref().map(|name| (s, name)))
    {
        parts.push(part(SourceId::secret(name), &secret.items, secret.optional));
    }
    for projection in volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
        if let Some(map) = &projection.config_map {
            parts.push(part(SourceId::config_map(&map.name), &map.items, map.optional));
        }
        if let Some(secret) = &projection.secret {
            parts.push(part(SourceId::secret(&secret.name), &secret.items, secret.optional));
        }
    }
    parts
}

fn part(source: SourceId, items: &Option<Vec<KeyToPath>>, optional: Option<bool>) -> Part<'_> {
    // An empty list of items means all keys, as an absent one does.
    let items = items.as_deref().filter(|items| !items.is_empty());
    Part { source, items, optional: optional.unwrap_or(false) }
}

/// What one mount shows of one part.
fn mounted(mount: &VolumeMount, items: Option<&[KeyToPath]>) -> (Mode, Keys) {
    let mode = match (&mount.sub_path, &mount.sub_path_expr) {
        (Some(path), _) | (_, Some(path)) if !path.is_empty() => Mode::SubPath,
        _ => Mode::Directory,
    };
    // What a path with variables in it points at is known to the kubelet alone.
    let literal = mount.sub_path.as_deref().filter(|path| !path.is_empty()).map(components);
    // The kubelet's own names, such as ..data, lead to every file.
    let literal = literal.filter(|path| !path.first().is_some_and(|file| file.starts_with("..")));
    let keys = match (items, literal) {
        (None, None) => Keys::all(),
        (None, Some(path)) => match path.first() {
            Some(file) => Keys::one(*file),
            None => Keys::all(),
        },
        (Some(items), path) => {
            let path = path.unwrap_or_default();
            let shown = items.iter().filter(|item| components(&item.path).starts_with(&path));
            Keys::Some(shown.map(|item| item.key.clone()).collect::<BTreeSet<_>>())
        }
    };
    (mode, keys)
}

fn components(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect()
}
