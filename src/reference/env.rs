//! References by environment variables.
//!
//! The rules are those of the kubelet's `makeEnvironmentVariables`: `envFrom` entries in order,
//! then `env` entries in order, a later value of a name replacing an earlier one; `$(NAME)` in a
//! literal value is replaced by what `NAME` is at that point; an optional key that is absent
//! leaves the earlier value in place.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EnvVar};

use super::{Keys, Mode, Reference};
use crate::source::SourceId;

pub(super) fn of_container(container: &Container, found: &mut Vec<Reference>) {
    let env = container.env.as_deref().unwrap_or_default();
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
        let keys = || Keys::All { except: overridden_keys(prefix, env) };
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
        let keys = |key: &str| match is_overridden(&entry.name, &env[position + 1..]) {
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

/// The keys that `envFrom` with this prefix would set in vain.
fn overridden_keys(prefix: &str, env: &[EnvVar]) -> BTreeSet<String> {
    env.iter()
        .filter_map(|entry| entry.name.strip_prefix(prefix).map(|key| (key, &entry.name)))
        .filter(|(key, name)| !key.is_empty() && is_overridden(name, env))
        .map(|(key, _)| key.to_owned())
        .collect()
}

/// Whether one of the `later` entries certainly sets `name` anew before anything reads it.
fn is_overridden(name: &str, later: &[EnvVar]) -> bool {
    let expansion = format!("$({name})");
    for entry in later {
        if entry.value.as_deref().is_some_and(|value| value.contains(&expansion)) {
            return false;
        }
        if entry.name == name && !may_be_skipped(entry) {
            return true;
        }
    }
    false
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
