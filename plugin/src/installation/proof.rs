//! The proof: a pod that is asked for and never made comes back with a record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::MutatingWebhook;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, PostParams};
use kube::core::{Selector, SelectorExt as _};
use kube::{Api, Client, ResourceExt as _};
use reload_core::annotation::RECORD;
use reload_core::hash_key::HashKey;
use reload_core::record::{Record, SourceRecord, Unread};
use reload_core::source::{SourceId, SourceKind};
use serde::de::IgnoredAny;
use serde_json::json;

use crate::api::{ApiError, POLL, Resource, get_metadata};

/// How long the API server may take to heed what was just registered.
const PATIENCE: Duration = Duration::from_secs(30);

/// In so many namespaces it is tried at most.
const PLACES: usize = 5;

/// The name of the sources that the pod refers to, which nobody has.
const SOURCE: &str = "kubectl-reload-proof";

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// In this namespace.
    Recorded(String),
    Unrecorded {
        namespace: String,
        /// What it came back with instead, and what to do.
        why: String,
    },
    /// Why nowhere: rights are missing, or there is no place for it.
    Untried(Vec<String>),
    /// Why nowhere: the API server makes no such pod.
    Failed(Vec<String>),
}

/// What is tried.
pub(crate) struct Probe<'a> {
    pub(crate) client: &'a Client,
    /// Where the webhook is installed.
    pub(crate) namespace: &'a str,
    /// Its ServiceAccount there.
    pub(crate) account: &'a str,
    pub(crate) image: &'a str,
    /// Whether what Secrets hold is recorded, too.
    pub(crate) secrets: bool,
}

impl Probe<'_> {
    /// Tries a pod in a namespace that the registration chooses, until it is recorded or time is up.
    pub(crate) async fn prove(&self, webhooks: &[MutatingWebhook], deadline: Instant) -> Proof {
        let Some(labels) = labels(webhooks) else {
            return Proof::Untried(vec![
                "the registration chooses pods by what no label gives them".to_owned(),
            ]);
        };
        let pod = match pod(self.image, self.secrets, &labels) {
            Ok(pod) => pod,
            Err(error) => return Proof::Untried(vec![error.to_string()]),
        };
        // What is ready in the last moment is not told to have failed.
        let deadline = deadline.max(Instant::now() + POLL * 20).min(Instant::now() + PATIENCE);
        let (mut refused, mut failed) = (Vec::new(), false);
        for namespace in places(self.client, webhooks).await {
            loop {
                match self.attempt(&namespace, &pod).await {
                    Ok(None) => return Proof::Recorded(namespace),
                    Ok(Some(_)) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                    Ok(Some(why)) => return Proof::Unrecorded { namespace, why },
                    Err(error) => {
                        failed |= !error.is_forbidden();
                        refused.push(error.to_string());
                        break;
                    }
                }
            }
        }
        if refused.is_empty() {
            refused.push("the registration chooses no namespace".to_owned());
        }
        if failed { Proof::Failed(refused) } else { Proof::Untried(refused) }
    }

    /// Why what the pod comes back with proves nothing, if so.
    async fn attempt(&self, namespace: &str, pod: &Pod) -> Result<Option<String>, ApiError> {
        let resource = Resource { group: "/api/v1", plural: "pods", namespace: Some(namespace), name: None };
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let made = pods.create(&PostParams { dry_run: true, field_manager: None }, pod).await;
        let made = made.map_err(|error| ApiError::of(error, "create", &resource))?;
        let record = made.annotations().get(RECORD).and_then(|record| Record::parse(record).ok());
        let account = format!("system:serviceaccount:{}:{}", self.namespace, self.account);
        let lacking = lacking(record.as_ref(), self.secrets).map(|lack| lack.told(namespace, &account));
        Ok(match lacking {
            None if self.secrets => self.without_hash_key().await,
            lacking => lacking,
        })
    }

    /// That Secrets are recorded without what they hold, where that can be seen.
    async fn without_hash_key(&self) -> Option<String> {
        let (namespace, name) = (self.namespace, HashKey::SECRET_NAME);
        let resource =
            Resource { group: "/api/v1", plural: "secrets", namespace: Some(namespace), name: Some(name) };
        let found = get_metadata::<IgnoredAny>(self.client, resource).await;
        found.err().filter(ApiError::is_not_found).map(|_| {
            format!(
                "came back with a record, but there is no Secret {name} in namespace {namespace}, so that \
                 Secrets are recorded without what they hold: the webhook's log says why it makes none"
            )
        })
    }
}

/// What a record lacks to be a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lack {
    /// There is none that can be read.
    Record,
    /// It does not speak of this source.
    Source(SourceId),
    /// The webhook could not read this source.
    Reading(SourceId, Unread),
}

/// What a record has to say is that the webhook could look: that there is no such source.
fn lacking(record: Option<&Record>, secrets: bool) -> Option<Lack> {
    let Some(record) = record else { return Some(Lack::Record) };
    let sources = [Some(SourceId::config_map(SOURCE)), secrets.then(|| SourceId::secret(SOURCE))];
    sources.into_iter().flatten().find_map(|source| match record.sources.get(&source) {
        None => Some(Lack::Source(source)),
        Some(SourceRecord::Unread(why)) => Some(Lack::Reading(source, *why)),
        Some(SourceRecord::Absent | SourceRecord::Read(_)) => None,
    })
}

impl Lack {
    /// What is wrong, and what to do.
    fn told(&self, namespace: &str, account: &str) -> String {
        let (source, why) = match self {
            Self::Record => return "came back without a record".to_owned(),
            Self::Source(source) => {
                return format!("came back with a record that does not speak of {source}: is it ignored?");
            }
            Self::Reading(source, why) => (source, why),
        };
        let plural = match source.kind {
            SourceKind::ConfigMap => "configmaps",
            SourceKind::Secret => "secrets",
        };
        let why = match why {
            Unread::Forbidden => format!(
                "it may not get it: grant that right to its account, and check it with: \
                 kubectl auth can-i get {plural} --as {account} -n {namespace}"
            ),
            Unread::Timeout => {
                "the API server did not answer it within webhook.deadline: see the webhook's log".to_owned()
            }
            Unread::Overload => {
                "it had too much to do: try again when it has less, or give it more replicas".to_owned()
            }
            Unread::Error | Unread::Other => {
                "the API server gave it an error: see the webhook's log".to_owned()
            }
        };
        format!("came back with a record, but the webhook could not read {source} ({why})")
    }
}

/// Namespaces whose pods are sent to the webhook: `default` before all others.
async fn places(client: &Client, webhooks: &[MutatingWebhook]) -> Vec<String> {
    let Ok(namespaces) = Api::<Namespace>::all(client.clone()).list(&ListParams::default()).await else {
        return vec!["default".to_owned()];
    };
    let selectors = webhooks.iter().filter_map(|webhook| webhook.namespace_selector.clone());
    let selectors: Vec<Selector> =
        selectors.filter_map(|selector| Selector::try_from(selector).ok()).collect();
    let chosen = |namespace: &&Namespace| {
        let labels = namespace.labels();
        namespace.metadata.deletion_timestamp.is_none()
            && selectors.iter().all(|selector| selector.matches(labels))
    };
    let mut names: Vec<String> =
        namespaces.iter().filter(chosen).map(|namespace| namespace.name_any()).collect();
    names.sort_by_key(|name| (name != "default", name.clone()));
    names.truncate(PLACES);
    names
}

/// Labels by which the registration chooses a pod; `None` where it asks for more than they can give.
fn labels(webhooks: &[MutatingWebhook]) -> Option<BTreeMap<String, String>> {
    let selectors: Vec<_> = webhooks.iter().filter_map(|webhook| webhook.object_selector.clone()).collect();
    let wanted = selectors.iter().filter_map(|selector| selector.match_labels.clone());
    let labels: BTreeMap<String, String> = wanted.flatten().collect();
    let matches = |selector| Selector::try_from(selector).is_ok_and(|selector| selector.matches(&labels));
    selectors.into_iter().all(matches).then_some(labels)
}

/// One that uses sources, keeps to Pod Security `restricted`, says what it needs, as quotas ask, and has
/// an image that the cluster takes, since the webhook runs by it.
fn pod(image: &str, secrets: bool, labels: &BTreeMap<String, String>) -> Result<Pod, serde_json::Error> {
    let source = json!({"name": SOURCE, "optional": true});
    let mut sources = vec![json!({"configMapRef": source})];
    if secrets {
        sources.push(json!({"secretRef": source}));
    }
    let resources = json!({"cpu": "1m", "memory": "1Mi"});
    serde_json::from_value(json!({
        "metadata": {"generateName": "kubectl-reload-proof-", "labels": labels},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "proof",
                "image": image,
                "envFrom": sources,
                "resources": {"requests": resources, "limits": resources},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                },
            }],
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sources: &[(SourceId, SourceRecord)]) -> Record {
        Record {
            at: jiff::Timestamp::UNIX_EPOCH,
            by: reload_core::record::By::Admission,
            namespace: "default".to_owned(),
            owner: reload_core::record::Owner::Generated("kubectl-reload-proof-".to_owned()),
            hash_key: None,
            sources: sources.iter().cloned().collect(),
        }
    }

    #[test]
    fn the_pod_has_the_labels_that_the_registration_asks_for_and_none_else() {
        let chosen = |selector: serde_json::Value| {
            let webhook = json!({"name": "a.b.c", "clientConfig": {}, "sideEffects": "None",
                "admissionReviewVersions": ["v1"], "objectSelector": selector});
            labels(&[serde_json::from_value(webhook).unwrap()])
        };
        let expression = |operator: &str| json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": operator}]});
        let both = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!(chosen(json!(null)), Some(BTreeMap::new()));
        assert_eq!(chosen(json!({})), Some(BTreeMap::new()));
        assert_eq!(chosen(expression("DoesNotExist")), Some(both));
        assert_eq!(chosen(expression("Exists")), None);
    }

    #[test]
    fn a_record_of_sources_that_could_not_be_read_proves_nothing() {
        let (map, secret) = (SourceId::config_map(SOURCE), SourceId::secret(SOURCE));
        let absent = SourceRecord::Absent;
        let unread = |why| SourceRecord::Unread(why);
        let both = record(&[(map.clone(), absent.clone()), (secret.clone(), absent.clone())]);
        assert_eq!(lacking(Some(&both), true), None);
        assert_eq!(lacking(None, false), Some(Lack::Record));
        let one = record(&[(map.clone(), absent.clone())]);
        assert_eq!(lacking(Some(&one), false), None);
        assert_eq!(lacking(Some(&one), true), Some(Lack::Source(secret.clone())));
        for (source, why, expected) in [
            (&map, Unread::Forbidden, "can-i get configmaps --as ACCOUNT -n shop"),
            (&secret, Unread::Forbidden, "can-i get secrets --as ACCOUNT -n shop"),
            (&map, Unread::Timeout, "webhook.deadline"),
            (&secret, Unread::Error, "see the webhook's log"),
        ] {
            let mut record = both.clone();
            record.sources.insert(source.clone(), unread(why));
            let lack = lacking(Some(&record), true).unwrap();
            assert_eq!(lack, Lack::Reading(source.clone(), why));
            let told = lack.told("shop", "ACCOUNT");
            assert!(told.contains(expected) && told.contains("could not read"), "{told}");
        }
    }
}
