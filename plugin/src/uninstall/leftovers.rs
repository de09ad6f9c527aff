//! What else is in the namespace of an installation: it would go with the namespace.

use futures::StreamExt;
use http::StatusCode;
use kube::Client;
use kube::discovery::{ApiGroup, Discovery, Scope, verbs};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::secrets::OwnSecret;
use crate::api::{ApiError, Resource, list_metadata};
use crate::installation::object::Object;
use crate::pods::PARALLEL;

/// What Kubernetes and OpenShift put into each namespace, or keep about what is in it.
const OF_ITS_OWN: [(&str, &str); 9] = [
    ("configmaps", "kube-root-ca.crt"),
    ("configmaps", "openshift-service-ca.crt"),
    ("configmaps", "istio-ca-root-cert"),
    ("serviceaccounts", "default"),
    ("serviceaccounts", "builder"),
    ("serviceaccounts", "deployer"),
    ("rolebindings", "system:deployers"),
    ("rolebindings", "system:image-builders"),
    ("rolebindings", "system:image-pullers"),
];

/// Kinds that are no possession of anybody, by their group.
const FLEETING: [(&str, &str); 4] =
    [("", "events"), ("events.k8s.io", "events"), ("", "endpoints"), ("metrics.k8s.io", "pods")];

/// So many are named.
const NAMED: usize = 5;

/// What is there beside an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Leftovers {
    /// `configmaps/settings`
    pub(super) foreign: Vec<String>,
    /// Why it is not known of some kinds.
    pub(super) unknown: Vec<String>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    deletion_timestamp: Option<String>,
    #[serde(default)]
    owner_references: Vec<IgnoredAny>,
}

impl Leftovers {
    /// Whether the namespace stays for no other reason than that not all could be looked at.
    pub(super) fn is_unknown(&self) -> bool {
        self.foreign.is_empty() && !self.unknown.is_empty()
    }

    /// Why the namespace is not deleted, if so.
    pub(super) fn why_kept(&self) -> Option<String> {
        let first = |all: &[String]| {
            let more = all.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{more}", all[..all.len().min(NAMED)].join(", "))
        };
        match (self.foreign.as_slice(), self.unknown.as_slice()) {
            ([], []) => None,
            ([], unknown) => Some(format!(
                "The namespace stays, since what else is in it is not known: {}",
                first(unknown)
            )),
            (foreign, _) => {
                Some(format!("The namespace stays, since there is more in it: {}", first(foreign)))
            }
        }
    }
}

/// Looks at all that can be listed in a namespace, but for what is part of the installation, Secrets of
/// the webhook included.
pub(super) async fn leftovers(
    client: &Client,
    namespace: &str,
    parts: &[Object],
    secrets: &[OwnSecret],
) -> Leftovers {
    let discovery = match Discovery::new(client.clone()).run_aggregated().await {
        Ok(discovery) => discovery,
        Err(error) => {
            let unknown = vec![format!("the API server does not tell what there can be ({error})")];
            return Leftovers { foreign: Vec::new(), unknown };
        }
    };
    let kinds = discovery.groups().flat_map(kinds);
    let lists = futures::stream::iter(kinds.collect::<Vec<_>>()).map(async |(path, plural)| {
        let resource = Resource { group: &path, plural: &plural, namespace: Some(namespace), name: None };
        let items = list_metadata::<Item>(client, resource, &[]).await;
        (path, plural, items)
    });
    let lists: Vec<_> = lists.buffer_unordered(PARALLEL).collect().await;
    let mut left = Leftovers::default();
    for (path, plural, items) in lists {
        let part = |name: &str| {
            let object = |part: &&Object| part.id.name == name && part.id.kind.plural == plural;
            parts.iter().filter(object).any(|part| part.id.resource().group == path)
                || plural == "secrets" && secrets.iter().any(|secret| secret.name == name)
        };
        match items {
            Ok(items) => left.foreign.extend(foreign(&plural, items, part)),
            // Its kind has gone meanwhile, or is none that can be listed.
            Err(error) if error.is_not_found() => {}
            Err(ApiError::Refused { status: StatusCode::METHOD_NOT_ALLOWED, .. }) => {}
            Err(error) => left.unknown.push(error.to_string()),
        }
    }
    left.foreign.sort();
    left.unknown.sort();
    left
}

/// What of a group can be listed in a namespace, each as its path and plural, once: by the most stable of
/// the versions in which it is served, since the group's preferred one need not have it.
fn kinds(group: &ApiGroup) -> Vec<(String, String)> {
    let mut kinds: Vec<(String, String)> = Vec::new();
    for (resource, capabilities) in group.versions().flat_map(|version| group.versioned_resources(version)) {
        let listed = capabilities.scope == Scope::Namespaced && capabilities.supports_operation(verbs::LIST);
        let fleeting = FLEETING.contains(&(group.name(), resource.plural.as_str()));
        let known = kinds.iter().any(|(_, plural)| *plural == resource.plural);
        if listed && !fleeting && !known {
            let path = match group.name() {
                ApiGroup::CORE_GROUP => format!("/api/{}", resource.version),
                name => format!("/apis/{name}/{}", resource.version),
            };
            kinds.push((path, resource.plural));
        }
    }
    kinds
}

/// Those that nobody owns, that are not being deleted, and that are no part of the installation.
fn foreign(plural: &str, items: Vec<Item>, part: impl Fn(&str) -> bool) -> Vec<String> {
    let items = items.into_iter().map(|item| item.metadata);
    items
        .filter(|item| item.owner_references.is_empty() && item.deletion_timestamp.is_none())
        .filter(|item| !part(&item.name) && !OF_ITS_OWN.contains(&(plural, &item.name)))
        .map(|item| format!("{plural}/{}", item.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_belongs_to_somebody_keeps_the_namespace() {
        let items = |names: &[&str]| -> Vec<Item> {
            let item = |name: &&str| serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
            names.iter().map(item).collect()
        };
        let names = ["kube-root-ca.crt", "part", "mine"];
        assert_eq!(foreign("configmaps", items(&names), |name| name == "part"), ["configmaps/mine"]);
        // Those of the webhook go with its account, unless nobody owns them.
        assert_eq!(foreign("secrets", items(&["kubectl-reload-hash-key"]), |_| false).len(), 1);
        let owned = json!({"metadata": {"name": "x", "ownerReferences": [{"kind": "Deployment"}]}});
        assert!(foreign("replicasets", vec![serde_json::from_value(owned).unwrap()], |_| false).is_empty());
        assert_eq!(Leftovers::default().why_kept(), None);
    }
}
