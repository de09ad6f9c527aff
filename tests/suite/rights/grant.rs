//! What RBAC grants to an account, and what the account has made of it.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// One right: a verb on a resource, somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Whose rule it is: `Role kubectl-reload`.
    pub(crate) of: String,
    /// `None` for all.
    pub(crate) namespace: Option<String>,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) verb: String,
    /// `None` for all.
    pub(crate) name: Option<String>,
}

/// A request of the account, as the API server's audit log has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    user: User,
    pub(crate) verb: String,
    #[serde(rename = "requestURI")]
    pub(crate) uri: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    api_group: String,
    resource: String,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "authorization.k8s.io/decision")]
    decision: String,
}

impl Request {
    pub(crate) fn is_denied(&self) -> bool {
        self.annotations.decision != "allow"
    }
}

impl Grant {
    /// Wildcards are taken by their word, so that they are never used. A right everywhere is used
    /// only outside of `home`, where the account has rights of its own.
    fn is_used_by(&self, request: &Request, home: &str) -> bool {
        let object = &request.object_ref;
        let place = match &self.namespace {
            Some(namespace) => *namespace == object.namespace,
            None => object.namespace != home,
        };
        place
            && self.group == object.api_group
            && self.resource == object.resource
            && self.verb == request.verb
            && self.name.as_ref().is_none_or(|name| *name == object.name)
    }
}

/// All that the Roles and ClusterRoles among these manifests grant.
pub(crate) fn grants(manifests: &[Value]) -> Result<Vec<Grant>> {
    let mut grants = Vec::new();
    for manifest in manifests {
        let kind = manifest["kind"].as_str().unwrap_or_default();
        if !["Role", "ClusterRole"].contains(&kind) {
            continue;
        }
        let of = format!("{kind} {}", manifest["metadata"]["name"].as_str().unwrap_or_default());
        let namespace = manifest["metadata"]["namespace"].as_str().map(str::to_owned);
        for rule in manifest["rules"].as_array().into_iter().flatten() {
            let names = match rule.get("resourceNames") {
                Some(names) => texts(names).into_iter().map(Some).collect(),
                None => vec![None],
            };
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        grants.extend(names.iter().map(|name| Grant {
                            of: of.clone(),
                            namespace: namespace.clone(),
                            group: group.clone(),
                            resource: resource.clone(),
                            verb: verb.clone(),
                            name: name.clone(),
                        }));
                    }
                }
            }
        }
    }
    Ok(grants)
}

/// The grants that none of the requests needed.
pub(crate) fn unused(grants: &[Grant], requests: &[Request], home: &str) -> Vec<Grant> {
    let used = |grant: &Grant| requests.iter().any(|request| grant.is_used_by(request, home));
    grants.iter().filter(|grant| !used(grant)).cloned().collect()
}

/// What this account has asked, by the log.
pub(crate) fn requests(log: &Path, account: &str) -> Result<Vec<Request>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    // The last line may be half written.
    let requests = text.lines().filter_map(|line| serde_json::from_str::<Request>(line).ok());
    Ok(requests.filter(|request| request.user.username == account).collect())
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
