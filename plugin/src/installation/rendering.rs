//! What is to be installed: the manifest that this program holds, for a namespace and with values.

use anyhow::Context;
use serde_json::{Value, json};

use super::object::{DEPLOYMENT, NAMESPACE, Object, REGISTRATION};
use super::values::Values;
use crate::document::Form;

/// What the chart gives by default.
const MANIFEST: &str = include_str!("../../../deploy/install.yaml");

/// The annotation of the Deployment that keeps what was set, for the next upgrade. Not of this project's
/// own prefix, whose annotations of a workload are options.
pub(crate) const SET: &str = "install.kubectl-reload.dev/set";

/// The objects of an installation in this namespace, in the order of the manifest.
///
/// # Errors
/// When the values do not go together.
pub(crate) fn render(namespace: &str, values: &Values) -> anyhow::Result<Vec<Object>> {
    let mut documents: Vec<Value> =
        serde_saphyr::from_multiple(MANIFEST).context("the manifest in this program cannot be read")?;
    documents.retain(|document| !document.is_null());
    let objects: Option<Vec<Object>> = documents.into_iter().map(Object::new).collect();
    let mut rendering = Rendering(objects.context("the manifest in this program has an unknown kind")?);
    let (deadline, timeout) = rendering.times();
    values.check(&deadline, timeout)?;
    rendering.place(namespace);
    rendering.set(values);
    Ok(rendering.0)
}

/// The same, with a note of what was set.
pub(crate) fn noted(mut objects: Vec<Object>, values: &Values) -> Vec<Object> {
    if !values.is_empty() {
        for object in objects.iter_mut().filter(|object| object.is(DEPLOYMENT)) {
            object.json["metadata"]["annotations"] = json!({SET: values.to_string()});
        }
    }
    objects
}

/// The manifests, as `kubectl apply` takes them.
///
/// # Errors
/// When they cannot be written so.
pub(crate) fn printed(form: Form, objects: &[Object]) -> anyhow::Result<String> {
    let manifests = objects.iter().map(|object| &object.json);
    Ok(match form {
        Form::Json => {
            let items: Vec<_> = manifests.collect();
            form.write(&json!({"apiVersion": "v1", "kind": "List", "items": items}))?
        }
        Form::Yaml => {
            let documents: anyhow::Result<Vec<String>> =
                manifests.map(|manifest| Ok(format!("---\n{}", form.write(manifest)?))).collect();
            documents?.concat()
        }
    })
}

struct Rendering(Vec<Object>);

impl Rendering {
    fn of(&mut self, kind: &str) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().filter(move |object| object.is(kind)).map(|object| &mut object.json)
    }

    /// How long the webhook and the API server wait where nothing is set.
    fn times(&mut self) -> (String, i64) {
        let timeout = self.of(REGISTRATION).find_map(|json| json["webhooks"][0]["timeoutSeconds"].as_i64());
        let deadline = self.arguments().and_then(|arguments| {
            arguments.iter().find_map(|argument| argument.as_str()?.strip_prefix("--deadline="))
        });
        (deadline.unwrap_or_default().to_owned(), timeout.unwrap_or_default())
    }

    fn arguments(&mut self) -> Option<&mut Vec<Value>> {
        self.of(DEPLOYMENT).next()?.pointer_mut("/spec/template/spec/containers/0/args")?.as_array_mut()
    }

    /// Gives a flag of the webhook another value.
    fn flag(&mut self, name: &str, value: impl std::fmt::Display) {
        let begin = format!("--{name}=");
        for argument in self.arguments().into_iter().flatten() {
            if argument.as_str().is_some_and(|text| text.starts_with(&begin)) {
                *argument = json!(format!("{begin}{value}"));
            }
        }
    }

    /// Puts all of it into a namespace.
    fn place(&mut self, namespace: &str) {
        for object in &mut self.0 {
            if object.id.kind.namespaced {
                object.id.namespace = Some(namespace.to_owned());
                object.json["metadata"]["namespace"] = json!(namespace);
            }
            if object.is(NAMESPACE) {
                namespace.clone_into(&mut object.id.name);
                object.json["metadata"]["name"] = json!(namespace);
            }
            for subject in array(&mut object.json, "/subjects") {
                subject["namespace"] = json!(namespace);
            }
        }
        for schema in self.of("FlowSchema") {
            for subject in array(schema, "/spec/rules").flat_map(|rule| array(rule, "/subjects")) {
                subject["serviceAccount"]["namespace"] = json!(namespace);
            }
        }
        for registration in self.of(REGISTRATION) {
            let webhook = &mut registration["webhooks"][0];
            webhook["clientConfig"]["service"]["namespace"] = json!(namespace);
            webhook["namespaceSelector"]["matchExpressions"][0]["values"][0] = json!(namespace);
        }
        let service = self.of("Service").next().map(|service| service["metadata"]["name"].clone());
        let service = service.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        self.flag("namespace", namespace);
        self.flag("hostname", format_args!("{service}.{namespace}.svc"));
    }

    fn set(&mut self, values: &Values) {
        for deployment in self.of(DEPLOYMENT) {
            set_deployment(deployment, values);
            set_pod(&mut deployment["spec"]["template"]["spec"], values);
        }
        for (name, flag) in [
            ("secretKeyNames", "secret-key-names"),
            ("secrets", "secrets"),
            ("webhook.deadline", "deadline"),
            ("log.format", "log-format"),
            ("log.level", "log-level"),
        ] {
            if let Some(value) = values.get(name) {
                self.flag(flag, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        }
        if let Some(port) = values.get("port") {
            self.flag("listen", format_args!("[::]:{port}"));
        }
        if values.is("hostNetwork", true) {
            for namespace in self.of(NAMESPACE) {
                namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("privileged");
            }
        }
        for registration in self.of(REGISTRATION) {
            let webhook = &mut registration["webhooks"][0];
            for (name, field) in
                [("webhook.failurePolicy", "failurePolicy"), ("webhook.timeoutSeconds", "timeoutSeconds")]
            {
                if let Some(value) = values.get(name) {
                    webhook[field] = value.clone();
                }
            }
        }
        if values.is("secrets", false) {
            self.leave_secrets_out();
        }
        if values.is("flowControl.enabled", false) {
            self.0.retain(|object| !object.is("FlowSchema") && !object.is("PriorityLevelConfiguration"));
        }
    }

    /// No right on Secrets but on the one with its certificates.
    fn leave_secrets_out(&mut self) {
        for role in self.of("ClusterRole") {
            for rule in array(role, "/rules") {
                if let Some(Value::Array(resources)) = rule.get_mut("resources") {
                    resources.retain(|resource| resource != "secrets");
                }
            }
        }
        for role in self.of("Role") {
            if let Some(Value::Array(rules)) = role.get_mut("rules") {
                rules.retain(|rule| rule["resourceNames"] != json!(["kubectl-reload-hash-key"]));
            }
        }
    }
}

/// The items of a list, if there is one: an index that is not there would be made by looking at it.
fn array<'a>(json: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    json.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

fn set_deployment(deployment: &mut Value, values: &Values) {
    if let Some(replicas) = values.get("replicas") {
        deployment["spec"]["replicas"] = replicas.clone();
    }
    if values.is("hostNetwork", true) {
        // Where each node has a pod, a new one finds its port free only when an old one has gone.
        deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = json!(1);
    }
}

fn set_pod(pod: &mut Value, values: &Values) {
    if values.is("hostNetwork", true) {
        pod["hostNetwork"] = json!(true);
        pod["dnsPolicy"] = json!("ClusterFirstWithHostNet");
    }
    if let Some(name) = values.text("imagePullSecrets[0].name") {
        pod["imagePullSecrets"] = json!([{ "name": name }]);
    }
    if let Some(name) = values.text("priorityClassName") {
        pod["priorityClassName"] = json!(name);
    }
    for field in ["runAsUser", "runAsGroup"] {
        match values.get(&format!("podSecurityContext.{field}")) {
            None => {}
            Some(Value::Null) => {
                if let Some(context) = pod["securityContext"].as_object_mut() {
                    context.remove(field);
                }
            }
            Some(id) => pod["securityContext"][field] = id.clone(),
        }
    }
    let container = &mut pod["containers"][0];
    if let Some(policy) = values.get("image.pullPolicy") {
        container["imagePullPolicy"] = policy.clone();
    }
    if let Some(port) = values.get("port") {
        container["ports"][0]["containerPort"] = port.clone();
    }
    let image = container["image"].as_str().unwrap_or_default();
    // The chart's own has a tag, and no port in its registry's name.
    let (repository, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    let repository = values.text("image.repository").unwrap_or(repository);
    container["image"] = json!(match values.text("image.digest") {
        Some(digest) => format!("{repository}@{digest}"),
        None => format!("{repository}:{}", values.text("image.tag").unwrap_or(tag)),
    });
}

#[cfg(test)]
mod tests;
