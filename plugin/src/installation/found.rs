//! What of an installation is in the cluster already.

use futures::future::join_all;

use super::keeper::Keeper;
use super::object::{DEPLOYMENT, Id, KINDS, NAMESPACE, Object, REGISTRATION};
use super::objects::{MANAGER, Objects};
use super::rendering::SET;
use super::{LABEL, NAME, VERSION};
use crate::api::ApiError;

/// What the namespace of an installation is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is not there.
    Missing,
    /// It is part of the installation.
    Ours,
    /// Somebody else has made it, and looks after it.
    Others,
    /// It is being deleted.
    Ending,
}

/// What is there.
pub(crate) struct Found {
    pub(crate) namespace: Standing,
    /// Those of the manifest, whoever has made them, and whatever is labelled as part of an
    /// installation.
    pub(crate) live: Vec<Object>,
    /// Why some that are labelled so may not have been found.
    pub(crate) unseen: Vec<ApiError>,
}

impl Found {
    /// Looks for the objects of a manifest, and for all that is labelled as they are.
    ///
    /// # Errors
    /// When one of the manifest cannot be looked for.
    pub(crate) async fn at(
        objects: &Objects<'_>,
        namespace: &str,
        manifest: &[Object],
    ) -> Result<Self, ApiError> {
        let named = join_all(manifest.iter().map(|object| objects.get(&object.id)));
        // Namespaces that are labelled so are those of other installations, or this one.
        let kinds = KINDS.iter().filter(|kind| kind.name != NAMESPACE);
        let labelled = join_all(kinds.map(|kind| objects.list(kind, namespace, LABEL)));
        let (named, labelled) = tokio::join!(named, labelled);
        let named = named.into_iter().collect::<Result<Vec<Option<Object>>, ApiError>>()?;
        let mut live: Vec<Object> = named.into_iter().flatten().collect();
        let mut unseen = Vec::new();
        for list in labelled {
            match list {
                Ok(list) => live.extend(list),
                Err(error) if error.is_forbidden() || error.is_not_found() => unseen.push(error),
                Err(error) => return Err(error),
            }
        }
        let mut known: Vec<Id> = Vec::new();
        live.retain(|object| {
            let new = !known.contains(&object.id);
            known.push(object.id.clone());
            new
        });
        let standing = live.iter().find(|object| object.is(NAMESPACE)).map(standing);
        Ok(Self { namespace: standing.unwrap_or(Standing::Missing), live, unseen })
    }

    pub(crate) fn get(&self, id: &Id) -> Option<&Object> {
        self.live.iter().find(|object| object.id == *id)
    }

    /// Those that are labelled as part of an installation, but for the namespace.
    pub(crate) fn installed(&self) -> impl Iterator<Item = &Object> {
        self.live.iter().filter(|object| is_labelled(object) && !object.is(NAMESPACE))
    }

    /// Those that were installed by this command once, and are not in the manifest any more.
    pub(crate) fn former(&self, manifest: &[Object]) -> Vec<&Object> {
        let wanted = |object: &Object| manifest.iter().any(|wanted| wanted.id == object.id);
        self.installed().filter(|object| is_applied(object) && !wanted(object)).collect()
    }

    /// The first object that a tool looks after, and that tool. The namespace does not count: one that is
    /// made by a tool can be installed into.
    pub(crate) fn kept(&self) -> Option<(&Object, Keeper)> {
        let mut objects = self.live.iter().filter(|object| !object.is(NAMESPACE));
        objects.find_map(|object| Some((object, Keeper::of(object)?)))
    }

    /// Those that have a name of the manifest, and that nothing says to be of an installation; but for the
    /// namespace.
    pub(crate) fn strangers(&self, manifest: &[Object]) -> Vec<&Object> {
        let named = |object: &&Object| manifest.iter().any(|wanted| wanted.id == object.id);
        let strange = |object: &&Object| !is_labelled(object) && !is_applied(object);
        self.live.iter().filter(|object| !object.is(NAMESPACE)).filter(named).filter(strange).collect()
    }

    /// The namespace of another installation, and what says so.
    pub(crate) fn elsewhere(&self, namespace: &str) -> Option<(&Object, &str)> {
        let other = |object: &Object| other_place(object, namespace).is_some();
        let object = self.live.iter().filter(|object| is_labelled(object)).find(|object| other(object))?;
        Some((object, other_place(object, namespace)?))
    }

    /// Whether pods are sent to a webhook.
    pub(crate) fn is_registered(&self) -> bool {
        self.installed().any(|object| object.is(REGISTRATION))
    }

    /// The version of the webhook, by its label.
    pub(crate) fn version(&self) -> Option<&str> {
        let version = self.deployment()?.label(VERSION)?;
        Some(version.strip_prefix('v').unwrap_or(version))
    }

    /// What was set when it was installed.
    pub(crate) fn set(&self) -> &str {
        self.deployment().and_then(|deployment| deployment.annotation(SET)).unwrap_or_default()
    }

    fn deployment(&self) -> Option<&Object> {
        self.installed().find(|object| object.is(DEPLOYMENT))
    }
}

/// Whether it says that it is part of an installation.
pub(crate) fn is_labelled(object: &Object) -> bool {
    object.label("app.kubernetes.io/name") == Some(NAME)
}

/// Whether install or upgrade has written it.
pub(crate) fn is_applied(object: &Object) -> bool {
    object.managers().any(|manager| manager == MANAGER)
}

fn standing(namespace: &Object) -> Standing {
    if namespace.json["metadata"]["deletionTimestamp"].is_string() {
        return Standing::Ending;
    }
    match is_labelled(namespace) && Keeper::of(namespace).is_none() {
        true => Standing::Ours,
        false => Standing::Others,
    }
}

/// The namespace that an object of the whole cluster leads to, where that is another one.
fn other_place<'a>(object: &'a Object, namespace: &str) -> Option<&'a str> {
    let to = match object.is(REGISTRATION) {
        true => object.json.pointer("/webhooks/0/clientConfig/service/namespace"),
        false if object.id.namespace.is_none() => object.json.pointer("/subjects/0/namespace"),
        false => None,
    };
    to.and_then(|to| to.as_str()).filter(|to| *to != namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(kind: (&str, &str), name: &str, rest: Value) -> Object {
        let mut json = rest;
        json["apiVersion"] = json!(kind.0);
        json["kind"] = json!(kind.1);
        json["metadata"]["name"] = json!(name);
        json["metadata"]["labels"]["app.kubernetes.io/name"] = json!("kubectl-reload");
        Object::new(json).unwrap()
    }

    #[test]
    fn only_what_was_installed_by_this_command_is_former() {
        let by = |manager: &str| json!({"metadata": {"managedFields": [{"manager": manager}]}});
        let role = ("rbac.authorization.k8s.io/v1", "ClusterRole");
        let live = vec![
            object(role, "wanted", by(MANAGER)),
            object(role, "old", by(MANAGER)),
            object(role, "mine", by("kubectl-create")),
            object(("v1", "Namespace"), "kubectl-reload", by(MANAGER)),
        ];
        let found = Found { namespace: Standing::Ours, live, unseen: Vec::new() };
        let former = found.former(&[object(role, "wanted", json!({}))]);
        assert_eq!(former.iter().map(|object| object.id.name.as_str()).collect::<Vec<_>>(), ["old"]);
    }

    #[test]
    fn a_namespace_that_a_tool_has_made_is_others_and_can_be_installed_into() {
        let namespace =
            |labels: Value| object(("v1", "Namespace"), "tools", json!({"metadata": {"labels": labels}}));
        assert_eq!(standing(&namespace(json!({}))), Standing::Ours);
        let flux = "kustomize.toolkit.fluxcd.io";
        for labels in [
            json!({"app.kubernetes.io/managed-by": "Helm"}),
            json!({"argocd.argoproj.io/instance": "tools"}),
            json!({format!("{flux}/name"): "tools", format!("{flux}/namespace"): "flux-system"}),
        ] {
            let namespace = namespace(labels);
            assert_eq!(standing(&namespace), Standing::Others);
            let found = Found { namespace: Standing::Others, live: vec![namespace], unseen: Vec::new() };
            assert!(found.kept().is_none());
        }
    }

    #[test]
    fn what_has_a_name_of_the_manifest_and_neither_label_nor_manager_is_a_stranger() {
        let account = |labels: Value, manager: &str| {
            let metadata = json!({"name": "x", "labels": labels, "managedFields": [{"manager": manager}]});
            let json = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
            Object::new(json).unwrap()
        };
        let ours = json!({"app.kubernetes.io/name": "kubectl-reload"});
        for (labels, manager, strange) in
            [(json!({}), "kubectl-create", 1), (json!({}), MANAGER, 0), (ours, "kubectl-create", 0)]
        {
            let live = vec![account(labels, manager)];
            let manifest = live.clone();
            let found = Found { namespace: Standing::Others, live, unseen: Vec::new() };
            assert_eq!(found.strangers(&manifest).len(), strange, "{manager}");
            assert!(found.strangers(&[]).is_empty());
        }
    }

    #[test]
    fn an_installation_elsewhere_is_known_by_what_the_cluster_has_one_of() {
        let registration = ("admissionregistration.k8s.io/v1", REGISTRATION);
        let binding = ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding");
        let service = json!({"webhooks": [{"clientConfig": {"service": {"namespace": "tools"}}}]});
        let subjects = json!({"subjects": [{"namespace": "tools"}]});
        for object in [object(registration, "zz", service), object(binding, "b", subjects)] {
            let found = Found { namespace: Standing::Ours, live: vec![object], unseen: Vec::new() };
            assert_eq!(found.elsewhere("kubectl-reload").map(|(_, to)| to), Some("tools"));
            assert!(found.elsewhere("tools").is_none());
        }
    }
}
