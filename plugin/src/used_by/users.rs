//! Who uses a source: templates and pods rolled up to workloads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use reload_core::reference::{Keys, Mode, Reference};
use reload_core::source::SourceId;
use serde::Serialize;

use super::templates::Templates;
use crate::workload::{Kind, WorkloadName};

/// A workload that uses a source.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Whether its template refers to the source: if not, its pods do alone, old or injected.
    pub(super) template: bool,
    /// The pods that use it.
    pub(super) pods: Vec<String>,
    pub(super) uses: Vec<Use>,
}

/// One way in which containers use a source.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Use {
    pub(crate) how: How,
    /// `null`: all of them.
    keys: Option<BTreeSet<String>>,
    /// Keys of all that variables set later override.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    except: BTreeSet<String>,
    /// Whether the containers start without the source.
    pub(crate) optional: bool,
    pub(crate) containers: Vec<String>,
}

/// In the words of a pod spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum How {
    Env,
    EnvFrom,
    /// A file or folder mounted with `subPath`.
    File,
    Directory,
    /// Read through the API, as an annotation says.
    Extra,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Env => "env",
            Self::EnvFrom => "envFrom",
            Self::File => "file",
            Self::Directory => "directory",
            Self::Extra => "extra",
        })
    }
}

impl How {
    fn of(reference: &Reference) -> Self {
        match (reference.mode, &reference.prefix) {
            (Mode::Env, Some(_)) => Self::EnvFrom,
            (Mode::Env, None) => Self::Env,
            (Mode::SubPath, _) => Self::File,
            (Mode::Directory, _) => Self::Directory,
            (Mode::Api, _) => Self::Extra,
        }
    }
}

impl User {
    /// `deployment/web`.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.kind.singular(), self.name)
    }
}

impl Use {
    /// The keys in a few words.
    pub(crate) fn keys(&self) -> String {
        match &self.keys {
            Some(keys) if keys.is_empty() => "none".to_owned(),
            Some(keys) => keys.iter().map(String::as_str).collect::<Vec<_>>().join(","),
            None if self.except.is_empty() => "all".to_owned(),
            None => {
                format!("all but {}", self.except.iter().map(String::as_str).collect::<Vec<_>>().join(","))
            }
        }
    }
}

#[derive(Default)]
struct Found {
    template: bool,
    pods: BTreeSet<String>,
    /// Per container, so that a pod and its template count once.
    containers: Containers,
}

/// The keys that a container uses in one way.
type Containers = BTreeMap<(String, How, bool), Option<Keys>>;

/// The users of a source by namespace, in order of their names.
pub(super) fn users(templates: &Templates, source: &SourceId) -> BTreeMap<String, Vec<User>> {
    let mut found: BTreeMap<&WorkloadName, Found> = BTreeMap::new();
    for template in &templates.all {
        let uses: Vec<&Reference> =
            template.references.iter().filter(|reference| reference.source == *source).collect();
        if uses.is_empty() {
            continue;
        }
        let user = found.entry(&template.workload).or_default();
        user.template |= template.pod.is_none();
        user.pods.extend(template.pod.clone());
        for reference in uses {
            add(&mut user.containers, reference);
        }
    }
    let mut users: BTreeMap<String, Vec<User>> = BTreeMap::new();
    for (workload, Found { template, pods, containers }) in found {
        users.entry(workload.namespace.clone()).or_default().push(User {
            kind: workload.kind.clone(),
            name: workload.name.clone(),
            template,
            pods: pods.into_iter().collect(),
            uses: merge(containers),
        });
    }
    users
}

/// How these references use what they use.
pub(crate) fn uses<'a>(references: impl IntoIterator<Item = &'a Reference>) -> Vec<Use> {
    let mut containers = BTreeMap::new();
    for reference in references {
        add(&mut containers, reference);
    }
    merge(containers)
}

fn add(containers: &mut Containers, reference: &Reference) {
    let key = (reference.container.clone(), How::of(reference), reference.optional);
    let keys = containers.entry(key).or_default();
    *keys = Some(match keys.take() {
        Some(known) => known.union(reference.keys.clone()),
        None => reference.keys.clone(),
    });
}

/// Containers that use the same keys alike share an entry.
fn merge(containers: Containers) -> Vec<Use> {
    let mut uses = BTreeMap::<_, Vec<String>>::new();
    for ((container, how, optional), keys) in containers {
        let (keys, except) = match keys {
            Some(Keys::Some(keys)) => (Some(keys), BTreeSet::new()),
            Some(Keys::All { except }) => (None, except),
            None => continue,
        };
        uses.entry((how, optional, keys, except)).or_default().push(container);
    }
    let used = |((how, optional, keys, except), containers)| Use { how, keys, except, optional, containers };
    uses.into_iter().map(used).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodSpec;
    use reload_core::reference::references;
    use serde_json::json;

    use super::super::templates::Template;
    use super::*;

    fn template(name: &str, pod: Option<&str>, spec: serde_json::Value) -> Template {
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        let workload = Owner::of("apps/v1", "Deployment", name);
        let extra = [SourceId::config_map("api")].into();
        Template { workload, pod: pod.map(str::to_owned), references: references(&spec, &extra) }
    }

    struct Owner;

    impl Owner {
        fn of(api_version: &str, kind: &str, name: &str) -> WorkloadName {
            crate::workload::Owner::workload_of(api_version, kind, name, "shop")
        }
    }

    #[test]
    fn a_template_and_its_pods_are_one_user_and_like_uses_are_one_line() {
        let env = |variable: &str, key: &str| {
            let reference = json!({"name": "a", "key": key});
            json!({"name": variable, "valueFrom": {"configMapKeyRef": reference}})
        };
        let from = json!({"configMapRef": {"name": "a", "optional": true}});
        let mount = |sub_path: &str| json!({"name": "v", "mountPath": "/v", "subPath": sub_path});
        let spec = json!({
            "containers": [
                {"name": "app", "env": [env("X", "x"), env("Y", "y")], "envFrom": [from]},
                {"name": "side", "volumeMounts": [mount("x"), {"name": "v", "mountPath": "/w"}]},
            ],
            "volumes": [{"name": "v", "configMap": {"name": "a"}}],
        });
        let all = vec![
            template("web", None, spec.clone()),
            template("web", Some("web-1"), spec.clone()),
            template("web", Some("web-2"), spec),
            template("other", None, json!({"containers": [{"name": "app"}]})),
        ];
        let templates = Templates { all, incomplete: Vec::new() };
        let of = |source: &SourceId| {
            let mut users = users(&templates, source).remove("shop").unwrap_or_default();
            users
                .iter_mut()
                .flat_map(|user| {
                    let (label, pods) = (user.label(), user.pods.len());
                    let line = move |used: &Use| {
                        let containers = used.containers.join(",");
                        format!("{label} {pods}: {} {} {} {containers}", used.how, used.keys(), used.optional)
                    };
                    user.uses.iter().map(line).collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(&SourceId::config_map("a")),
            [
                "deployment/web 2: env x,y false app",
                "deployment/web 2: envFrom all but X,Y true app",
                "deployment/web 2: file x false side",
                "deployment/web 2: directory all false side",
            ]
        );
        assert_eq!(
            of(&SourceId::config_map("api")),
            ["deployment/other 0: extra all true app", "deployment/web 2: extra all true app,side",]
        );
        assert!(of(&SourceId::secret("a")).is_empty());
    }
}
