//! A snapshot: what `kubectl get` wrote into files, in the place of a cluster. It answers the requests
//! of the survey as the API server would, and says so where the files do not tell.

mod held;
mod select;
mod server;
mod withheld;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use reload_core::source::SourceKind;

use crate::manifest::{self, Manifest, ReadError};
use held::Held;

/// Writes what a snapshot is made of.
const WRITTEN_BY: &str = "kubectl get pods,cm,secrets,rs,controllerrevisions,deploy,sts,ds,jobs,ns -A -o json --show-managed-fields";

/// Every namespace has this ConfigMap; a list without it is none of all ConfigMaps.
const IN_EVERY_NAMESPACE: &str = "kube-root-ca.crt";

/// A resource that a survey asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Resource {
    api_version: &'static str,
    kind: &'static str,
    plural: &'static str,
}

const fn resource(api_version: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource { api_version, kind, plural }
}

const PODS: Resource = resource("v1", "Pod", "pods");
const CONFIG_MAPS: Resource = resource("v1", "ConfigMap", "configmaps");
const SECRETS: Resource = resource("v1", "Secret", "secrets");
const NAMESPACES: Resource = resource("v1", "Namespace", "namespaces");

const RESOURCES: [Resource; 12] = [
    PODS,
    CONFIG_MAPS,
    SECRETS,
    NAMESPACES,
    resource("apps/v1", "ReplicaSet", "replicasets"),
    resource("apps/v1", "ControllerRevision", "controllerrevisions"),
    resource("apps/v1", "Deployment", "deployments"),
    resource("apps/v1", "StatefulSet", "statefulsets"),
    resource("apps/v1", "DaemonSet", "daemonsets"),
    resource("batch/v1", "Job", "jobs"),
    resource("batch/v1", "CronJob", "cronjobs"),
    resource("argoproj.io/v1alpha1", "Rollout", "rollouts"),
];

/// Why files make no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "{what} in {file} lacks what a cluster gives every object ({field}): write the file with kubectl get. What is yet to be applied is compared by: kubectl reload plan -f {file}"
    )]
    NotFromACluster { what: String, file: String, field: &'static str },
    #[error("object {position} of {file} has no kind: write the file with kubectl get -o json|yaml")]
    NoKind { position: usize, file: String },
    #[error("{what} is there twice, in different versions: name files that were written at one time")]
    Twice { what: String },
    #[error("the files hold no pods: write them with: {WRITTEN_BY}")]
    NoPods,
}

/// The objects of files.
#[derive(Default)]
pub(crate) struct Snapshot {
    /// By namespace and name; that of what has no namespace is empty.
    objects: BTreeMap<Resource, BTreeMap<(String, String), Held>>,
    /// By the numbers of lists.
    lists: BTreeMap<usize, Scope>,
    /// The latest time that anything in it tells of.
    latest: Timestamp,
}

/// What one list holds something of.
#[derive(Default)]
struct Scope {
    resources: BTreeSet<Resource>,
    namespaces: BTreeSet<String>,
    /// Those of which it holds the ConfigMap that every namespace has.
    whole: BTreeSet<String>,
}

impl Snapshot {
    /// Reads files, of which `-` is standard input. Kinds that no survey asks for are passed over.
    ///
    /// # Errors
    /// When one is not what `kubectl get` writes, or they hold no pods.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, SnapshotError> {
        Self::of(manifest::read(paths)?)
    }

    fn of(manifests: Vec<Manifest>) -> Result<Self, SnapshotError> {
        let mut snapshot = Self { latest: Timestamp::UNIX_EPOCH, ..Self::default() };
        let all = manifests.len();
        for (position, manifest) in manifests.into_iter().enumerate() {
            snapshot.add(position + 1, manifest)?;
        }
        let held: usize = snapshot.objects.values().map(BTreeMap::len).sum();
        tracing::info!(objects = held, ignored = all.saturating_sub(held), "files read");
        match snapshot.holds(&PODS) {
            true => Ok(snapshot),
            false => Err(SnapshotError::NoPods),
        }
    }

    fn add(
        &mut self,
        position: usize,
        Manifest { file, document, object }: Manifest,
    ) -> Result<(), SnapshotError> {
        let Some(kind) = &object.kind else {
            return Err(SnapshotError::NoKind { position, file: file.to_string() });
        };
        let known = |resource: &Resource| {
            resource.kind == kind && Some(resource.api_version) == object.api_version.as_deref()
        };
        let Some(resource) = RESOURCES.into_iter().find(known) else { return Ok(()) };
        let what = match (&object.name, &object.namespace) {
            (Some(name), Some(namespace)) => format!("{kind} {name} in namespace {namespace}"),
            (Some(name), None) => format!("{kind} {name}"),
            (None, _) => format!("object {position}"),
        };
        let (key, held) = Held::of(resource, object).map_err(|field| SnapshotError::NotFromACluster {
            what: what.clone(),
            file: file.to_string(),
            field,
        })?;
        let scope = self.lists.entry(document).or_default();
        scope.resources.insert(resource);
        scope.namespaces.insert(key.0.clone());
        if resource == CONFIG_MAPS && key.1 == IN_EVERY_NAMESPACE {
            scope.whole.insert(key.0.clone());
        }
        self.latest = self.latest.max(held.latest);
        match self.objects.entry(resource).or_default().get(&key) {
            Some(other) if !other.is_same(&held) => return Err(SnapshotError::Twice { what }),
            Some(_) => {}
            None => drop(self.objects.entry(resource).or_default().insert(key, held)),
        }
        Ok(())
    }

    /// A client whose cluster this is.
    pub(crate) fn client(self: &Arc<Self>) -> Client {
        let snapshot = self.clone();
        let answer = move |request: http::Request<kube::client::Body>| {
            let answer = snapshot.answer(&request);
            async move { Ok::<_, std::convert::Infallible>(answer) }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    /// When it was taken, or somewhat earlier: the latest time that it tells of, which is never one to
    /// come.
    pub(crate) fn taken_at(&self) -> Timestamp {
        self.latest.min(Timestamp::now())
    }

    /// Whether it holds a source without any trace of who wrote it, as `kubectl get` leaves them out
    /// by default.
    pub(crate) fn lacks_managed_fields(&self) -> bool {
        let sources = [CONFIG_MAPS, SECRETS];
        let sources = sources.iter().filter_map(|resource| self.objects.get(resource));
        sources.flat_map(BTreeMap::values).any(|source| !source.has_managed_fields)
    }

    /// Why a source of a namespace may exist though it is not held: an absence is believed only from a
    /// list of everything there.
    pub(crate) fn doubt_absence(&self, namespace: &str, kind: SourceKind) -> Option<String> {
        let resource = match kind {
            SourceKind::ConfigMap => CONFIG_MAPS,
            SourceKind::Secret => SECRETS,
        };
        let whole = |list: &Scope| list.resources.contains(&resource) && list.whole.contains(namespace);
        let plural = kind.plural();
        (!self.lists.values().any(whole))
            .then(|| format!("the file may not hold all {plural} of namespace {namespace}"))
    }

    fn holds(&self, resource: &Resource) -> bool {
        self.objects.get(resource).is_some_and(|objects| !objects.is_empty())
    }

    /// Why a list of a namespace's objects would leave something out, if so.
    fn doubt_list(&self, resource: &Resource, namespace: Option<&str>) -> Option<String> {
        let plural = resource.plural;
        let Some(namespace) = namespace else {
            return (!self.holds(resource)).then(|| format!("the file holds no {plural}"));
        };
        let with_others =
            |list: &Scope| list.resources.contains(resource) && list.namespaces.contains(namespace);
        let told = self.holds_in(resource, namespace)
            || match *resource {
                PODS => self.holds(resource),
                CONFIG_MAPS => false,
                SECRETS => self.doubt_absence(namespace, SourceKind::Secret).is_none(),
                _ => self.lists.values().any(with_others),
            };
        (!told).then(|| format!("the file holds no {plural} of namespace {namespace}"))
    }

    /// Why an object that is not held may exist, if so.
    fn doubt_object(&self, resource: &Resource, namespace: &str) -> Option<String> {
        match *resource {
            CONFIG_MAPS => self.doubt_absence(namespace, SourceKind::ConfigMap),
            SECRETS => self.doubt_absence(namespace, SourceKind::Secret),
            NAMESPACES => self.doubt_list(resource, None),
            _ => self.doubt_list(resource, Some(namespace)),
        }
    }

    fn holds_in(&self, resource: &Resource, namespace: &str) -> bool {
        let Some(objects) = self.objects.get(resource) else { return false };
        let mut from = objects.range((namespace.to_owned(), String::new())..);
        from.next().is_some_and(|((of, _), _)| of == namespace)
    }
}

#[cfg(test)]
mod tests;
