//! Manifests of tests, short to write. Fake nodes run no image; for a real one, see
//! [`Workload::sees`].

use serde_json::{Map, Value, json};

/// A ConfigMap of these keys and texts.
pub fn config_map(name: &str, data: &[(&str, &str)]) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": texts(data),
    })
}

/// A Secret of these keys and texts, given as `stringData`.
pub fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": texts(data),
    })
}

fn texts(data: &[(&str, &str)]) -> Map<String, Value> {
    data.iter().map(|&(key, text)| (key.to_owned(), json!(text))).collect()
}

/// A ConfigMap or a Secret as a pod refers to it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    kind: Kind,
    name: &'a str,
    optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ConfigMap,
    Secret,
}

impl<'a> Source<'a> {
    /// A required ConfigMap.
    pub fn config_map(name: &'a str) -> Self {
        Self { kind: Kind::ConfigMap, name, optional: false }
    }

    /// A required Secret.
    pub fn secret(name: &'a str) -> Self {
        Self { kind: Kind::Secret, ..Self::config_map(name) }
    }

    /// The same, but the pod starts without it, too.
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// `configMap` where the name of the field depends on the kind.
    fn field(self, config_map: &'static str, secret: &'static str) -> &'static str {
        match self.kind {
            Kind::ConfigMap => config_map,
            Kind::Secret => secret,
        }
    }

    fn reference(self) -> Value {
        json!({"name": self.name, "optional": self.optional})
    }
}

/// A workload with one container, `app`.
#[derive(Clone, Debug)]
pub struct Workload {
    manifest: Value,
}

impl Workload {
    /// A Deployment of one pod.
    pub fn deployment(name: &str) -> Self {
        Self::new("Deployment", name)
    }

    /// A StatefulSet of one pod.
    pub fn stateful_set(name: &str) -> Self {
        let workload = Self::new("StatefulSet", name);
        workload.with("/spec", "serviceName", json!(name))
    }

    /// A DaemonSet: one pod for each node.
    pub fn daemon_set(name: &str) -> Self {
        let mut workload = Self::new("DaemonSet", name);
        if let Some(spec) = workload.manifest["spec"].as_object_mut() {
            spec.remove("replicas");
        }
        workload
    }

    fn new(kind: &str, name: &str) -> Self {
        let manifest = json!({
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [{
                            "name": "app",
                            "image": "none",
                            "env": [],
                            "envFrom": [],
                            "volumeMounts": [],
                        }],
                        "volumes": [],
                    },
                },
            },
        });
        Self { manifest }
    }

    /// Another number of pods.
    pub fn replicas(self, replicas: u32) -> Self {
        self.with("/spec", "replicas", json!(replicas))
    }

    /// `env` with `valueFrom` one key.
    pub fn env(self, variable: &str, source: Source<'_>, key: &str) -> Self {
        let field = source.field("configMapKeyRef", "secretKeyRef");
        let mut reference = source.reference();
        reference["key"] = json!(key);
        let entry = json!({"name": variable, "valueFrom": {field: reference}});
        self.push("/spec/template/spec/containers/0/env", entry)
    }

    /// `envFrom` all keys.
    pub fn env_from(self, source: Source<'_>) -> Self {
        let field = source.field("configMapRef", "secretRef");
        let entry = json!({field: source.reference()});
        self.push("/spec/template/spec/containers/0/envFrom", entry)
    }

    /// All keys as files in a directory, which the kubelet updates in place.
    pub fn directory(self, path: &str, source: Source<'_>) -> Self {
        self.volume(source, json!({"mountPath": path}))
    }

    /// One key as a file, mounted by `subPath`: fixed until the container starts again.
    pub fn file(self, path: &str, source: Source<'_>, key: &str) -> Self {
        self.volume(source, json!({"mountPath": path, "subPath": key}))
    }

    /// A volume of another kind, mounted as a directory: `{"projected": {…}}`.
    pub fn mount(self, path: &str, name: &str, mut volume: Value) -> Self {
        volume["name"] = json!(name);
        let mount = json!({"name": name, "mountPath": path});
        self.push("/spec/template/spec/containers/0/volumeMounts", mount)
            .push("/spec/template/spec/volumes", volume)
    }

    fn volume(self, source: Source<'_>, mut mount: Value) -> Self {
        let name = format!("{}-{}", source.field("configmap", "secret"), source.name);
        let mut reference = source.reference();
        if source.kind == Kind::Secret {
            reference["secretName"] = reference["name"].take();
            reference.as_object_mut().map(|fields| fields.remove("name"));
        }
        mount["name"] = json!(name);
        let volume = json!({"name": name, source.field("configMap", "secret"): reference});
        let volumes = self.manifest.pointer("/spec/template/spec/volumes");
        let known = volumes.and_then(Value::as_array).is_some_and(|volumes| volumes.contains(&volume));
        let workload = self.push("/spec/template/spec/containers/0/volumeMounts", mount);
        if known {
            return workload;
        }
        workload.push("/spec/template/spec/volumes", volume)
    }

    /// An annotation on the pod template.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.manifest["spec"]["template"]["metadata"]["annotations"][name] = json!(value);
        self
    }

    /// Sets a field of the object at a JSON pointer, for what has no method of its own.
    pub fn with(mut self, pointer: &str, field: &str, value: Value) -> Self {
        if let Some(object) = self.manifest.pointer_mut(pointer) {
            object[field] = value;
        }
        self
    }

    /// The manifest.
    pub fn manifest(self) -> Value {
        self.manifest
    }

    fn push(mut self, pointer: &str, entry: Value) -> Self {
        let list = self.manifest.pointer_mut(pointer);
        if let Some(list) = list.and_then(Value::as_array_mut) {
            list.push(entry);
        }
        self
    }
}

impl From<Workload> for Value {
    fn from(workload: Workload) -> Self {
        workload.manifest
    }
}
