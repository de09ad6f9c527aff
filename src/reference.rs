//! References: every way in which a pod uses a source.

mod bound;
mod env;
mod expansion;
mod volume;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec};

use crate::source::SourceId;

pub use bound::{MAX_PAIRS, pairs};

/// How a container takes in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Environment variables, by `env` or `envFrom`: only `data` is read.
    Env,
    /// A file or folder mounted with `subPath` or `subPathExpr`.
    SubPath,
    /// A mounted directory, which the kubelet updates in place.
    Directory,
    /// Read through the API by the process itself, as `kubectl-reload.dev/extra` says.
    Api,
}

/// Whether a use can change while the container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Fixed until the container starts again.
    Frozen,
    /// Updated in place by the kubelet.
    Live,
}

impl Mode {
    /// All modes, in the order in which records and outputs list them.
    pub const ALL: [Self; 4] = [Self::Env, Self::SubPath, Self::Directory, Self::Api];

    /// Frozen or live.
    pub fn class(self) -> Class {
        match self {
            Self::Env | Self::SubPath | Self::Api => Class::Frozen,
            Self::Directory => Class::Live,
        }
    }
}

/// The keys of a source that a use takes in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Keys {
    /// Whatever keys the source has, but for these.
    All {
        /// Keys that a later entry of the container certainly overrides.
        except: BTreeSet<String>,
    },
    /// These keys, whether the source has them or not.
    Some(BTreeSet<String>),
}

impl Keys {
    /// Every key of the source.
    pub fn all() -> Self {
        Self::All { except: BTreeSet::new() }
    }

    /// One key.
    pub fn one(key: impl Into<String>) -> Self {
        Self::Some(BTreeSet::from([key.into()]))
    }

    /// Whether `key` is among them.
    pub fn contains(&self, key: &str) -> bool {
        match self {
            Self::All { except } => !except.contains(key),
            Self::Some(keys) => keys.contains(key),
        }
    }

    /// The keys of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::All { except: mut a }, Self::All { except: b }) => {
                a.retain(|key| b.contains(key));
                Self::All { except: a }
            }
            (Self::All { mut except }, Self::Some(keys)) | (Self::Some(keys), Self::All { mut except }) => {
                except.retain(|key| !keys.contains(key));
                Self::All { except }
            }
            // In place: a container may have thousands of variables of one source.
            (Self::Some(mut a), Self::Some(b)) => {
                a.extend(b);
                Self::Some(a)
            }
        }
    }
}

/// One use of one source by one container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What is used.
    pub source: SourceId,
    /// How it reaches the container.
    pub mode: Mode,
    /// Which part of it.
    pub keys: Keys,
    /// Whether the container starts without the source.
    pub optional: bool,
    /// Keys without which the container does not start, used or not.
    pub needs: BTreeSet<String>,
    /// Of an `envFrom` entry: what makes a variable's name of a key.
    pub prefix: Option<String>,
    /// The container's name; unique among all containers of a pod.
    pub container: String,
}

/// All references of a pod or a pod template, container by container: environment, mounted
/// volumes, and the sources of `extra`, which every container may read. `envFrom` entries keep
/// their order, since a later one overrides the variables of an earlier one.
///
/// Left out, because they configure the kubelet and not the process: `imagePullSecrets`, the
/// credentials of storage drivers, service account tokens, the downward API. Ephemeral containers
/// are left out as well: they come later than the record and are there for debugging.
///
/// The work is that of [`pairs`], which the caller bounds where others made the spec.
pub fn references(spec: &PodSpec, extra: &BTreeSet<SourceId>) -> Vec<Reference> {
    let mut found = Vec::new();
    for container in containers(spec) {
        env::of_container(container, &mut found);
        volume::of_container(spec, container, &mut found);
        found.extend(extra.iter().map(|source| extra_reference(source, &container.name)));
    }
    found
}

/// What `extra` adds to a pod with these containers: each of them may read each of these sources.
pub fn extra_references<'a>(
    containers: impl IntoIterator<Item = &'a String>,
    extra: &BTreeSet<SourceId>,
) -> Vec<Reference> {
    let of = |container: &String| {
        extra.iter().map(|source| extra_reference(source, container)).collect::<Vec<_>>()
    };
    containers.into_iter().flat_map(of).collect()
}

fn extra_reference(source: &SourceId, container: &str) -> Reference {
    Reference {
        source: source.clone(),
        mode: Mode::Api,
        keys: Keys::all(),
        optional: true,
        needs: BTreeSet::new(),
        prefix: None,
        container: container.to_owned(),
    }
}

/// Init containers (sidecars are among them) before the others.
fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

/// What a record covers: per source and mode, the keys that any container uses.
pub type Selection = BTreeMap<SourceId, BTreeMap<Mode, Keys>>;

/// Merges references of all containers; their order does not matter.
pub fn selection<'a>(references: impl IntoIterator<Item = &'a Reference>) -> Selection {
    let mut selection = Selection::new();
    for reference in references {
        let modes = selection.entry(reference.source.clone()).or_default();
        let keys = match modes.remove(&reference.mode) {
            Some(keys) => keys.union(reference.keys.clone()),
            None => reference.keys.clone(),
        };
        modes.insert(reference.mode, keys);
    }
    selection
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
