//! The options of what is around a pod: its workload and its namespace.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;
use reload_core::options::{Carrier, InvalidOption, Options};
use serde::Deserialize;

use crate::annotations::OwnAnnotations;
use crate::api::{ApiError, Resource, get_object, list_metadata};
use crate::workload::{Kind, WorkloadName};

/// The annotations of workloads and namespaces, as far as they are this project's.
#[derive(Default)]
pub(crate) struct Surroundings {
    workloads: BTreeMap<WorkloadName, OwnAnnotations>,
    namespaces: BTreeMap<String, OwnAnnotations>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    namespace: String,
    name: String,
    #[serde(default)]
    annotations: OwnAnnotations,
}

impl Surroundings {
    /// Fetches them for these workloads: a list for each kind that there is, and one of namespaces, all at
    /// once.
    /// What may not be listed has no options.
    ///
    /// # Errors
    /// When a list fails for another reason than a missing right.
    pub(crate) async fn fetch(
        client: &Client,
        namespace: Option<&str>,
        workloads: &BTreeSet<WorkloadName>,
    ) -> Result<Self, ApiError> {
        if workloads.is_empty() {
            return Ok(Self::default());
        }
        let kinds: BTreeSet<&Kind> = workloads.iter().map(|workload| &workload.kind).collect();
        let lists = kinds.into_iter().filter(|kind| **kind != Kind::Pod).filter_map(|kind| {
            let (group, plural) = kind.resource()?;
            let resource = Resource { group, plural, namespace, name: None };
            Some(async move { Ok((kind, list(client, resource, &[]).await?)) })
        });
        let (namespaces, lists) =
            tokio::try_join!(namespaces(client, namespace), futures::future::try_join_all(lists))?;
        let mut all = Self { workloads: BTreeMap::new(), namespaces };
        for (kind, items) in lists {
            for Item { metadata: Metadata { namespace, name, annotations } } in items {
                all.workloads.insert(WorkloadName { namespace, kind: kind.clone(), name }, annotations);
            }
        }
        Ok(all)
    }

    /// The options of a workload's own annotations, within those of its namespace.
    ///
    /// # Errors
    /// An annotation that is not understood.
    pub(crate) fn options(&self, workload: &WorkloadName) -> Result<Options, InvalidOption> {
        let namespace = &workload.namespace;
        let parse = |object: String, annotations: Option<&OwnAnnotations>| match annotations {
            Some(own) => Options::parse(Carrier::Around, &object, own),
            None => Ok(Options::default()),
        };
        let inner = parse(format!("{workload} in namespace {namespace}"), self.workloads.get(workload))?;
        let outer = parse(format!("namespace {namespace}"), self.namespaces.get(namespace))?;
        Ok(inner.within(&outer))
    }
}

async fn namespaces(
    client: &Client,
    namespace: Option<&str>,
) -> Result<BTreeMap<String, OwnAnnotations>, ApiError> {
    let resource = Resource { group: "/api/v1", plural: "namespaces", namespace: None, name: namespace };
    let items = match namespace {
        None => list(client, resource, &[]).await?,
        // Whoever has rights in one namespace alone may get it, and not list any.
        Some(_) => match get_object(client, resource).await {
            Ok(json) => serde_json::from_slice(&json).into_iter().collect(),
            Err(error) if error.is_forbidden() || error.is_not_found() => {
                tracing::warn!("options of the namespace are not seen: {error}");
                Vec::new()
            }
            Err(error) => return Err(error),
        },
    };
    Ok(items.into_iter().map(|item| (item.metadata.name, item.metadata.annotations)).collect())
}

async fn list(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
) -> Result<Vec<Item>, ApiError> {
    match list_metadata(client, resource, query).await {
        // A kind of others may be gone while its pods still are there.
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) if error.is_forbidden() => {
            tracing::warn!("options there are not seen: {error}");
            Ok(Vec::new())
        }
        result => result,
    }
}
