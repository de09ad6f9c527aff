//! Objects of an installation: what they are called, and by which resource the API server knows them.

use std::fmt;

use kube::core::ApiResource;
use serde_json::Value;

use crate::api::Resource;

/// A kind of object that an installation may consist of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Empty for the core group.
    group: &'static str,
    version: &'static str,
    /// `/apis/apps/v1`
    path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
}

const fn kind(
    path: &'static str,
    (group, version): (&'static str, &'static str),
    (name, plural): (&'static str, &'static str),
    namespaced: bool,
) -> Kind {
    Kind { group, version, path, name, plural, namespaced }
}

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const RBAC_V1: (&str, &str) = ("rbac.authorization.k8s.io", "v1");
const FLOW: &str = "/apis/flowcontrol.apiserver.k8s.io/v1";
const FLOW_V1: (&str, &str) = ("flowcontrol.apiserver.k8s.io", "v1");

/// Those of the manifest, and those that the manifest of another version may have had. In the order in
/// which they are taken away: nothing is called that is gone, nothing goes on without its rights.
pub(crate) static KINDS: [Kind; 15] = [
    kind(
        "/apis/admissionregistration.k8s.io/v1",
        ("admissionregistration.k8s.io", "v1"),
        ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
        false,
    ),
    kind("/apis/apps/v1", ("apps", "v1"), ("Deployment", "deployments"), true),
    kind("/api/v1", ("", "v1"), ("Service", "services"), true),
    kind("/apis/policy/v1", ("policy", "v1"), ("PodDisruptionBudget", "poddisruptionbudgets"), true),
    kind(
        "/apis/networking.k8s.io/v1",
        ("networking.k8s.io", "v1"),
        ("NetworkPolicy", "networkpolicies"),
        true,
    ),
    kind("/api/v1", ("", "v1"), ("ConfigMap", "configmaps"), true),
    kind(RBAC, RBAC_V1, ("ClusterRoleBinding", "clusterrolebindings"), false),
    kind(RBAC, RBAC_V1, ("ClusterRole", "clusterroles"), false),
    kind(RBAC, RBAC_V1, ("RoleBinding", "rolebindings"), true),
    kind(RBAC, RBAC_V1, ("Role", "roles"), true),
    kind(FLOW, FLOW_V1, ("FlowSchema", "flowschemas"), false),
    kind(FLOW, FLOW_V1, ("PriorityLevelConfiguration", "prioritylevelconfigurations"), false),
    kind("/api/v1", ("", "v1"), ("ServiceAccount", "serviceaccounts"), true),
    kind(
        "/apis/scheduling.k8s.io/v1",
        ("scheduling.k8s.io", "v1"),
        ("PriorityClass", "priorityclasses"),
        false,
    ),
    kind("/api/v1", ("", "v1"), ("Namespace", "namespaces"), false),
];

pub(crate) const DEPLOYMENT: &str = "Deployment";
pub(crate) const NAMESPACE: &str = "Namespace";
pub(crate) const REGISTRATION: &str = "MutatingWebhookConfiguration";

impl Kind {
    /// As a manifest names it.
    fn of(json: &Value) -> Option<&'static Self> {
        let (api_version, name) = (json["apiVersion"].as_str()?, json["kind"].as_str()?);
        KINDS.iter().find(|kind| kind.name == name && kind.api_version() == api_version)
    }

    pub(crate) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// As the client's untyped calls take it.
    pub(crate) fn api_resource(&self) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: self.name.to_owned(),
            plural: self.plural.to_owned(),
        }
    }

    /// The subject of a request for all of them in a place.
    pub(crate) fn resource<'a>(&'a self, namespace: Option<&'a str>) -> Resource<'a> {
        Resource { group: self.path, plural: self.plural, namespace, name: None }
    }
}

/// Which object it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) kind: &'static Kind,
    /// `None` where the kind has none.
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl Id {
    /// The subject of a request.
    pub(crate) fn resource(&self) -> Resource<'_> {
        Resource { name: Some(&self.name), ..self.kind.resource(self.namespace.as_deref()) }
    }
}

/// As kubectl names what it applies: `deployment.apps/kubectl-reload`.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind.name.to_lowercase())?;
        if !self.kind.group.is_empty() {
            write!(f, ".{}", self.kind.group)?;
        }
        write!(f, "/{}", self.name)
    }
}

/// An object, of a manifest or live.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) id: Id,
    pub(crate) json: Value,
}

impl Object {
    /// `None` where it is of no kind that installations have, or has no name.
    pub(crate) fn new(json: Value) -> Option<Self> {
        let kind = Kind::of(&json)?;
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let namespace = text("/metadata/namespace").filter(|_| kind.namespaced);
        let id = Id { kind, namespace, name: text("/metadata/name")? };
        Some(Self { id, json })
    }

    pub(crate) fn is(&self, kind: &str) -> bool {
        self.id.kind.name == kind
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.json["metadata"]["labels"][name].as_str()
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.json["metadata"]["annotations"][name].as_str()
    }

    pub(crate) fn uid(&self) -> Option<&str> {
        self.json["metadata"]["uid"].as_str()
    }

    /// Who has written to it.
    pub(crate) fn managers(&self) -> impl Iterator<Item = &str> {
        let entries = self.json["metadata"]["managedFields"].as_array().into_iter().flatten();
        entries.filter_map(|entry| entry["manager"].as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_named_as_kubectl_names_them() {
        let object = |api_version: &str, kind: &str| {
            let metadata = json!({"name": "x", "namespace": "here"});
            Object::new(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}))
        };
        assert_eq!(object("apps/v1", "Deployment").unwrap().id.to_string(), "deployment.apps/x");
        let namespace = object("v1", "Namespace").unwrap();
        assert_eq!((namespace.id.to_string().as_str(), namespace.id.namespace), ("namespace/x", None));
        assert!(object("v1", "Secret").is_none() && object("v1", "Deployment").is_none());
        for kind in &KINDS {
            assert_eq!(
                kind.path,
                match kind.group {
                    "" => format!("/api/{}", kind.version),
                    group => format!("/apis/{group}/{}", kind.version),
                }
            );
        }
    }
}
