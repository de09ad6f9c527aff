//! Who looks after an installed object, where that is somebody else: what is changed behind their backs
//! they take back, or lose track of.

use std::fmt;

use super::object::Object;

/// A tool that owns an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keeper {
    Helm {
        release: String,
        namespace: String,
    },
    /// The application's name.
    ArgoCd(String),
    /// `Kustomization flux-system/tools`
    Flux(String),
    /// Whoever has applied what Helm has rendered.
    Rendered,
}

impl Keeper {
    /// By the marks that each leaves on what it owns. Flux and Argo CD come first: what they apply may be
    /// rendered by Helm, or have been installed by it once.
    pub(crate) fn of(object: &Object) -> Option<Self> {
        Self::flux(object).or_else(|| Self::argo_cd(object)).or_else(|| Self::helm(object))
    }

    fn helm(object: &Object) -> Option<Self> {
        // `helm template` leaves the label alone.
        let rendered = object.label("app.kubernetes.io/managed-by") == Some("Helm");
        let Some(release) = object.annotation("meta.helm.sh/release-name") else {
            return rendered.then_some(Self::Rendered);
        };
        let namespace = object.annotation("meta.helm.sh/release-namespace");
        let namespace = namespace.or(object.id.namespace.as_deref()).unwrap_or("NAMESPACE");
        Some(Self::Helm { release: release.to_owned(), namespace: namespace.to_owned() })
    }

    fn argo_cd(object: &Object) -> Option<Self> {
        // application:group/kind:namespace/name
        let tracked = object.annotation("argocd.argoproj.io/tracking-id");
        let tracked = tracked.and_then(|id| id.split(':').next());
        if let Some(application) = tracked.or_else(|| object.label("argocd.argoproj.io/instance")) {
            return Some(Self::ArgoCd(application.to_owned()));
        }
        let managed = object.managers().any(|manager| manager.starts_with("argocd-"));
        // The label by which Argo CD knows its own, unless it is told otherwise.
        managed.then(|| {
            Self::ArgoCd(object.label("app.kubernetes.io/instance").unwrap_or("APPLICATION").to_owned())
        })
    }

    fn flux(object: &Object) -> Option<Self> {
        let kinds = [("kustomize", "Kustomization"), ("helm", "HelmRelease")];
        kinds.into_iter().find_map(|(prefix, kind)| {
            let label = |field: &str| object.label(&format!("{prefix}.toolkit.fluxcd.io/{field}"));
            Some(Self::Flux(format!("{kind} {}/{}", label("namespace")?, label("name")?)))
        })
    }

    /// What to do instead, to install or to upgrade.
    pub(crate) fn instead(&self) -> String {
        match self {
            Self::Helm { release, namespace } => {
                format!("upgrade it with: helm upgrade {release} CHART --namespace {namespace}")
            }
            Self::ArgoCd(application) => {
                format!("change it in Git, and sync it with: argocd app sync {application}")
            }
            Self::Flux(_) => "change it in Git, and flux reconcile it".to_owned(),
            Self::Rendered => "render the chart anew, and apply it in the same way".to_owned(),
        }
    }

    /// What to do instead, to take it away.
    pub(crate) fn instead_of_removal(&self) -> String {
        match self {
            Self::Helm { release, namespace } => {
                format!("take it away with: helm uninstall {release} --namespace {namespace}")
            }
            Self::ArgoCd(application) => {
                format!("take it out of Git, or delete it with: argocd app delete {application}")
            }
            Self::Flux(_) => "take it out of Git".to_owned(),
            Self::Rendered => "render the chart, and delete what it gives with: kubectl delete -f".to_owned(),
        }
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Helm { release, namespace } => {
                write!(f, "Helm (release {release} in namespace {namespace})")
            }
            Self::ArgoCd(application) => write!(f, "Argo CD (application {application})"),
            Self::Flux(what) => write!(f, "Flux ({what})"),
            Self::Rendered => f.write_str("another tool (rendered by Helm, applied by somebody else)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_marks_of_each_tool_are_known() {
        let of = |labels, annotations, manager: &str| {
            let metadata = json!({
                "name": "kubectl-reload",
                "namespace": "tools",
                "labels": labels,
                "annotations": annotations,
                "managedFields": [{"manager": manager}],
            });
            let json = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata});
            Keeper::of(&Object::new(json).unwrap()).map(|keeper| keeper.to_string())
        };
        let (none, instance) = (json!({}), json!({"app.kubernetes.io/instance": "kubectl-reload"}));
        for (labels, annotations, manager, expected) in [
            (instance.clone(), none.clone(), "kubectl-client-side-apply", None),
            (instance.clone(), none.clone(), "reload-install", None),
            (
                json!({"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "records"}),
                none.clone(),
                "kubectl-client-side-apply",
                Some("another tool (rendered by Helm, applied by somebody else)"),
            ),
            (
                json!({"app.kubernetes.io/managed-by": "Helm"}),
                json!({"meta.helm.sh/release-name": "records"}),
                "helm",
                Some("Helm (release records in namespace tools)"),
            ),
            (
                json!({"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "records"}),
                json!({"meta.helm.sh/release-name": "before"}),
                "argocd-controller",
                Some("Argo CD (application records)"),
            ),
            (
                none.clone(),
                json!({"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"}),
                "helm",
                Some("Helm (release r in namespace n)"),
            ),
            (
                instance.clone(),
                json!({"argocd.argoproj.io/tracking-id": "records:apps/Deployment:tools/kubectl-reload"}),
                "argocd-controller",
                Some("Argo CD (application records)"),
            ),
            (instance, none.clone(), "argocd-controller", Some("Argo CD (application kubectl-reload)")),
            (
                json!({
                    "app.kubernetes.io/managed-by": "Helm",
                    "helm.toolkit.fluxcd.io/name": "records",
                    "helm.toolkit.fluxcd.io/namespace": "flux-system",
                }),
                none,
                "helm-controller",
                Some("Flux (HelmRelease flux-system/records)"),
            ),
        ] {
            assert_eq!(of(labels, annotations, manager).as_deref(), expected);
        }
    }
}
