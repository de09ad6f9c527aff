//! References by environment variables.
//!
//! The rules are those of the kubelet's `makeEnvironmentVariables`: `envFrom` entries in order,
//! then `env` entries in order, a later value of a name replacing an earlier one; `$(NAME)` in a
//! literal value is replaced by what `NAME` is at that point; an optional key that is absent
//! leaves the earlier value in place.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::api::core::v1::{Container, EnvVar};

use super::bound::excess;
use super::expansion::variables;
use super::{Keys, Mode, Reference};
use crate::source::SourceId;

pub(super) fn of_container(container: &Container, found: &mut Vec<Reference>) {
    let env = container.env.as_deref().unwrap_or_default();
    let positions = Positions::of(env);
    let mut push = |source, keys, needs: Option<&String>, prefix: Option<&str>, optional: Option<bool>| {
        let optional = optional.unwrap_or(false);
        found.push(Reference {
            source,
            mode: Mode::Env,
            keys,
            optional,
            needs: needs.filter(|_| !optional).cloned().into_iter().collect(),
            prefix: prefix.map(str::to_owned),
            container: container.name.clone(),
        });
    };
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        let keys = || Keys::All { except: positions.overridden_keys(prefix) };
        if let Some(map) = &from.config_map_ref {
            push(SourceId::config_map(&map.name), keys(), None, Some(prefix), map.optional);
        }
        if let Some(secret) = &from.secret_ref {
            push(SourceId::secret(&secret.name), keys(), None, Some(prefix), secret.optional);
        }
    }
    for (position, entry) in env.iter().enumerate() {
        let Some(from) = &entry.value_from else { continue };
        // An overridden entry still has to resolve before the container starts: the reference
        // stays, with a key that it needs and none that it uses.
        let keys = |key: &str| match positions.is_overridden(&entry.name, position + 1) {
            true => Keys::Some(BTreeSet::new()),
            false => Keys::one(key),
        };
        if let Some(map) = &from.config_map_key_ref {
            push(SourceId::config_map(&map.name), keys(&map.key), Some(&map.key), None, map.optional);
        }
        if let Some(secret) = &from.secret_key_ref {
            push(SourceId::secret(&secret.name), keys(&secret.key), Some(&secret.key), None, secret.optional);
        }
    }
}

/// How many pairs [`of_container`] goes through: each `envFrom` entry looks at each variable.
pub(super) fn weight(container: &Container) -> usize {
    let Container { name: container, env, env_from, .. } = container;
    let env = env.as_deref().unwrap_or_default();
    let variables = env.iter().fold(1, |sum: usize, entry| sum.saturating_add(1 + excess(&entry.name)));
    let own = |entry: &EnvVar| {
        let from = entry.value_from.as_ref();
        let map = from.and_then(|from| from.config_map_key_ref.as_ref()).map(|map| [&map.name, &map.key]);
        let secret = from.and_then(|from| from.secret_key_ref.as_ref()).map(|key| [&key.name, &key.key]);
        let texts = [map, secret].into_iter().flatten().flat_map(|[name, key]| [container, name, key]);
        texts.chain(&entry.value).map(|text| excess(text)).fold(0, usize::saturating_add)
    };
    let from = env_from.iter().flatten().flat_map(|from| {
        let map = from.config_map_ref.as_ref().map(|map| &map.name);
        let sources = map.into_iter().chain(from.secret_ref.as_ref().map(|secret| &secret.name));
        let prefix = from.prefix.as_deref().map_or(0, excess);
        sources.map(move |source| variables + prefix + excess(source) + excess(container))
    });
    env.iter().map(own).chain(from).fold(variables, usize::saturating_add)
}

/// Where each variable of a container is set for certain, and where its value is read, by the
/// positions of `env` entries: one pass, since a pod may have thousands.
struct Positions<'a> {
    env: &'a [EnvVar],
    set: ByName<'a>,
    read: ByName<'a>,
}

/// In ascending order.
type ByName<'a> = HashMap<&'a str, Vec<usize>>;

impl<'a> Positions<'a> {
    fn of(env: &'a [EnvVar]) -> Self {
        let mut set = ByName::new();
        // What no entry sets, none overrides: values may be full of such names.
        let mut read: ByName<'_> = env.iter().map(|entry| (entry.name.as_str(), Vec::new())).collect();
        for (position, entry) in env.iter().enumerate() {
            if !may_be_skipped(entry) {
                set.entry(&entry.name).or_default().push(position);
            }
            for name in variables(entry.value.as_deref().unwrap_or_default()) {
                if let Some(positions) = read.get_mut(name).filter(|all| all.last() != Some(&position)) {
                    positions.push(position);
                }
            }
        }
        Self { env, set, read }
    }

    /// Whether an entry at `from` or later certainly sets `name` anew before any reads it.
    fn is_overridden(&self, name: &str, from: usize) -> bool {
        let next = |positions: &ByName<'_>| {
            let positions = positions.get(name)?;
            positions.get(positions.partition_point(|position| *position < from)).copied()
        };
        match (next(&self.set), next(&self.read)) {
            (Some(set), Some(read)) => set < read,
            (set, None) => set.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// The keys that `envFrom` with this prefix would set in vain.
    fn overridden_keys(&self, prefix: &str) -> BTreeSet<String> {
        self.env
            .iter()
            .filter_map(|entry| entry.name.strip_prefix(prefix).map(|key| (key, &entry.name)))
            .filter(|(key, name)| !key.is_empty() && self.is_overridden(name, 0))
            .map(|(key, _)| key.to_owned())
            .collect()
    }
}

/// Whether the kubelet leaves the earlier value in place when the entry's source is absent.
fn may_be_skipped(entry: &EnvVar) -> bool {
    let Some(from) = &entry.value_from else { return false };
    let optional = [
        from.config_map_key_ref.as_ref().and_then(|r| r.optional),
        from.secret_key_ref.as_ref().and_then(|r| r.optional),
        from.file_key_ref.as_ref().and_then(|r| r.optional),
    ];
    optional.contains(&Some(true))
}
