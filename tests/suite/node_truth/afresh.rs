//! What a container that started now would take in: the kubelet's rules, written down once more and
//! independently of the product.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use reload_tests::Namespace;
use serde_json::Value;

pub(crate) type Texts = BTreeMap<String, String>;

/// All sources of a namespace as they are now, by kind and name.
pub(crate) struct Sources(BTreeMap<(Kind, String), Texts>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    ConfigMap,
    Secret,
}

impl Sources {
    /// Reads all of them.
    pub(crate) async fn fetch(namespace: &Namespace<'_>) -> Result<Self> {
        let mut sources = BTreeMap::new();
        for map in namespace.api::<ConfigMap>().list(&Default::default()).await? {
            let name = map.metadata.name.unwrap_or_default();
            sources.insert((Kind::ConfigMap, name), map.data.unwrap_or_default());
        }
        for secret in namespace.api::<Secret>().list(&Default::default()).await? {
            let name = secret.metadata.name.unwrap_or_default();
            let data = secret.data.unwrap_or_default().into_iter();
            let texts = data.map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned()));
            sources.insert((Kind::Secret, name), texts.collect());
        }
        Ok(Self(sources))
    }

    /// The variables of a container.
    pub(crate) fn env(&self, container: &Value) -> Texts {
        let mut env = Texts::new();
        for entry in list(container, "envFrom") {
            let prefix = text(entry, "prefix");
            let found = [(Kind::ConfigMap, "configMapRef"), (Kind::Secret, "secretRef")];
            for (key, value) in
                found.iter().filter_map(|(kind, field)| self.named(*kind, entry, field)).flatten()
            {
                env.insert(format!("{prefix}{key}"), value.clone());
            }
        }
        for entry in list(container, "env") {
            let name = text(entry, "name");
            if let Some(value) = entry["value"].as_str() {
                env.insert(name.clone(), value.to_owned());
            }
            let from = &entry["valueFrom"];
            for (kind, field) in [(Kind::ConfigMap, "configMapKeyRef"), (Kind::Secret, "secretKeyRef")] {
                let source = self.named(kind, from, field);
                if let Some(value) = source.and_then(|source| source.get(&text(&from[field], "key"))) {
                    env.insert(name.clone(), value.clone());
                }
            }
        }
        env
    }

    /// The files of a container of this pod, by path.
    pub(crate) fn files(&self, pod: &Value, container: &Value) -> Texts {
        let mut files = Texts::new();
        for mount in list(container, "volumeMounts") {
            let volume = list(pod, "volumes").find(|volume| volume["name"] == mount["name"]);
            let content = volume.map(|volume| self.content(volume)).unwrap_or_default();
            let path = text(mount, "mountPath");
            match mount["subPath"].as_str().or(mount["subPathExpr"].as_str()) {
                Some(file) => {
                    let value = content.get(file).cloned();
                    files.extend(value.map(|value| (path, value)));
                }
                None => {
                    files.extend(content.into_iter().map(|(file, value)| (format!("{path}/{file}"), value)))
                }
            }
        }
        files
    }

    /// The files of a volume.
    fn content(&self, volume: &Value) -> Texts {
        let mut files = Texts::new();
        for part in list(&volume["projected"], "sources").chain([volume]) {
            for (kind, field) in [(Kind::ConfigMap, "configMap"), (Kind::Secret, "secret")] {
                let Some(source) = self.named(kind, part, field) else { continue };
                let mut items = list(&part[field], "items").peekable();
                if items.peek().is_none() {
                    files.extend(source.clone());
                }
                for item in items {
                    let value = source.get(&text(item, "key")).cloned();
                    files.extend(value.map(|value| (text(item, "path"), value)));
                }
            }
        }
        files
    }

    fn named(&self, kind: Kind, parent: &Value, field: &str) -> Option<&Texts> {
        let reference = &parent[field];
        let name = reference["name"].as_str().or_else(|| reference["secretName"].as_str())?;
        self.0.get(&(kind, name.to_owned()))
    }
}

fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object[field].as_array().into_iter().flatten()
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_owned()
}
