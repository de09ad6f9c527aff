//! Which sources exist where.

use std::collections::BTreeMap;

use kube::Client;
use reload_core::source::SourceId;
use serde::de::IgnoredAny;

use crate::api::{ApiError, Resource, get_metadata, list_metadata};

/// By source, the namespaces in which it exists, or why that may not be seen.
pub(super) struct Existing(pub(super) BTreeMap<SourceId, Result<Vec<String>, ApiError>>);

impl Existing {
    /// Looks for them, in one namespace or in all. What may not be looked for is not known.
    ///
    /// # Errors
    /// When that fails for another reason than a missing right.
    pub(super) async fn fetch(
        client: &Client,
        namespace: Option<&str>,
        ids: &[SourceId],
    ) -> Result<Self, ApiError> {
        let mut all = BTreeMap::new();
        for id in ids {
            let namespaces = match namespace {
                Some(namespace) => get(client, namespace, id).await,
                None => list(client, id).await,
            };
            match namespaces {
                Err(error) if !error.is_forbidden() => return Err(error),
                result => drop(all.insert(id.clone(), result)),
            }
        }
        Ok(Self(all))
    }

    /// The namespaces in which one exists, as far as was looked; `None` where that may not be seen.
    pub(super) fn namespaces(&self, id: &SourceId) -> Option<&[String]> {
        self.0.get(id)?.as_deref().ok()
    }
}

async fn get(client: &Client, namespace: &str, id: &SourceId) -> Result<Vec<String>, ApiError> {
    let plural = id.kind.plural();
    let resource = Resource { group: "/api/v1", plural, namespace: Some(namespace), name: Some(&id.name) };
    match get_metadata::<IgnoredAny>(client, resource).await {
        Ok(_) => Ok(vec![namespace.to_owned()]),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn list(client: &Client, id: &SourceId) -> Result<Vec<String>, ApiError> {
    #[derive(serde::Deserialize)]
    struct Item {
        metadata: Metadata,
    }
    #[derive(serde::Deserialize)]
    struct Metadata {
        namespace: String,
    }
    let resource = Resource { group: "/api/v1", plural: id.kind.plural(), namespace: None, name: None };
    let name = format!("metadata.name={}", id.name);
    let items: Vec<Item> = list_metadata(client, resource, &[("fieldSelector", &name)]).await?;
    Ok(items.into_iter().map(|item| item.metadata.namespace).collect())
}
