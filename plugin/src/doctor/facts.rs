//! What the checks look at, fetched at once. What cannot be had says why.

use std::collections::BTreeMap;
use std::slice;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use kube::{Api, Client};
use reload_core::annotation::{IGNORE, RECORD};
use reload_core::hash_key::HashKey;
use reload_core::reference::Mode;
use reload_core::source::{Source, SourceKind};
use serde::Deserialize;

use super::certificate::Certificate;
use super::deployed::Deployed;
use super::rights::{self, Right};
use crate::annotations::OwnAnnotations;
use crate::api::{ApiError, Resource, get_metadata, get_object, get_path, is_there, list_metadata};
use crate::installation::proof::{Probe, Proof};
use crate::installation::{CERTIFICATES, NAME, deployment};
use crate::version::ServerVersion;

/// How long the webhook may take to answer; the API server itself waits longer for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where is looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// `None`: all.
    pub(super) namespace: Option<String>,
    pub(super) install_namespace: String,
    /// The name of the registration.
    pub(super) registration: String,
}

/// Something, or why it is not known.
pub(super) type Known<T> = Result<T, String>;

/// What is known of a cluster.
pub(super) struct Facts {
    pub(super) place: Place,
    /// The version of this plugin.
    pub(super) plugin: String,
    pub(super) now: Timestamp,
    /// The API server's version.
    pub(super) server: Known<String>,
    pub(super) rights: Known<Vec<Right>>,
    pub(super) webhook: Known<Option<MutatingWebhook>>,
    pub(super) deployed: Known<Option<Deployed>>,
    /// The hash key's id; `Some(None)` where its Secret holds no key.
    pub(super) hash_key: Known<Option<Option<String>>>,
    pub(super) certificate: Known<Option<Known<Certificate>>>,
    pub(super) endpoint: Endpoint,
    /// Of a pod that was tried, where there is a registration.
    pub(super) admission: Option<Proof>,
    pub(super) namespaces: Known<Vec<Namespace>>,
    pub(super) pods: Known<Pods>,
}

/// Whether the webhook answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Through the API server.
    Answers,
    /// It was asked, and why there is no answer.
    Silent(String),
    /// It cannot be asked, and why.
    NotAsked(String),
}

/// A namespace and what chooses it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Namespace {
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: OwnAnnotations,
}

/// How many pods there are, and how many of them have a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pods {
    pub(super) all: usize,
    pub(super) recorded: usize,
}

#[derive(Deserialize)]
struct Item<M> {
    metadata: M,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodMetadata {
    #[serde(default, rename = "deletionTimestamp", deserialize_with = "is_there")]
    is_leaving: bool,
    #[serde(default)]
    annotations: OwnAnnotations,
}

impl Namespace {
    /// Whether it asks to be left out.
    pub(super) fn is_ignored(&self) -> bool {
        self.annotations.get(IGNORE) == Some("true")
    }
}

impl Facts {
    /// Fetches all of them; of a cluster that does not answer, nothing more is asked.
    pub(super) async fn fetch(client: &Client, place: Place) -> Self {
        let server = told(ServerVersion::get(client).await.map(|version| version.git_version));
        let now = Timestamp::now();
        let plugin = env!("CARGO_PKG_VERSION").to_owned();
        if let Err(why) = &server {
            return Self::nothing(place, plugin, now, why.clone());
        }
        let install = place.install_namespace.as_str();
        let deployed = told(deployment(client, install).await);
        let deployed = deployed.map(|found| found.as_ref().map(Deployed::of));
        let certificates = certificates(&deployed);
        let (rights, webhook, hash_key, chain, namespaces, pods) = tokio::join!(
            rights::fetch(client, &place),
            registration(client, &place.registration),
            secret(client, install, HashKey::SECRET_NAME),
            async {
                match certificates {
                    Some(name) => secret(client, install, name).await,
                    None => Ok(None),
                }
            },
            namespaces(client, place.namespace.as_deref()),
            pods(client, place.namespace.as_deref()),
        );
        let webhook = told(webhook);
        let registered = webhook.as_ref().ok().and_then(Option::as_ref);
        let certificate =
            told(chain).map(|secret| secret.map(|secret| certificate(&secret, registered, now)));
        let admission = async {
            Some(
                probe(client, install, &deployed)
                    .prove(registered.map(slice::from_ref)?, Instant::now())
                    .await,
            )
        };
        let (endpoint, admission) = tokio::join!(endpoint(client, registered), admission);
        Self {
            endpoint,
            admission,
            plugin,
            now,
            server,
            rights: told(rights),
            deployed,
            hash_key: told(hash_key)
                .map(|found| found.map(|secret| Some(HashKey::from_secret(&secret)?.id().to_string()))),
            certificate,
            namespaces: told(namespaces),
            pods: told(pods),
            webhook,
            place,
        }
    }

    /// The Secret of the webhook's certificates, where there is one.
    pub(super) fn certificates(&self) -> Option<&str> {
        certificates(&self.deployed)
    }

    fn nothing(place: Place, plugin: String, now: Timestamp, why: String) -> Self {
        Self {
            place,
            plugin,
            now,
            server: Err(why.clone()),
            rights: Err(why.clone()),
            webhook: Err(why.clone()),
            deployed: Err(why.clone()),
            hash_key: Err(why.clone()),
            certificate: Err(why.clone()),
            endpoint: Endpoint::NotAsked(why.clone()),
            admission: None,
            namespaces: Err(why.clone()),
            pods: Err(why),
        }
    }
}

/// As the webhook's flags have it, since the chart calls it after the release.
fn certificates(deployed: &Known<Option<Deployed>>) -> Option<&str> {
    match deployed {
        Ok(Some(deployed)) => deployed.certificates.as_deref(),
        _ => Some(CERTIFICATES),
    }
}

/// A pod of the webhook's own image, which the cluster takes.
fn probe<'a>(client: &'a Client, namespace: &'a str, deployed: &'a Known<Option<Deployed>>) -> Probe<'a> {
    let deployed = deployed.as_ref().ok().and_then(Option::as_ref);
    let image = deployed.and_then(|deployed| deployed.image.as_deref()).unwrap_or(NAME);
    let account = deployed.and_then(|deployed| deployed.account.as_deref()).unwrap_or(NAME);
    // Whoever may not see its flags takes it to look at no Secrets.
    let secrets = deployed.is_some_and(|deployed| deployed.secrets);
    Probe { client, namespace, account, image, secrets }
}

fn told<T>(result: Result<T, ApiError>) -> Known<T> {
    result.map_err(|error| error.to_string())
}

async fn registration(client: &Client, name: &str) -> Result<Option<MutatingWebhook>, ApiError> {
    let resource = Resource {
        group: "/apis/admissionregistration.k8s.io/v1",
        plural: "mutatingwebhookconfigurations",
        namespace: None,
        name: Some(name),
    };
    let found = Api::<MutatingWebhookConfiguration>::all(client.clone()).get_opt(name).await;
    let found = found.map_err(|error| ApiError::of(error, "get", &resource))?;
    Ok(found.and_then(|registration| registration.webhooks.into_iter().flatten().next()))
}

/// A Secret of the installation; `None` where it does not exist.
async fn secret(client: &Client, namespace: &str, name: &str) -> Result<Option<Source>, ApiError> {
    let resource =
        Resource { group: "/api/v1", plural: "secrets", namespace: Some(namespace), name: Some(name) };
    match get_object(client, resource).await {
        Ok(json) => Source::parse(SourceKind::Secret, &json)
            .map(Some)
            .map_err(|_| ApiError::Malformed { what: format!("get secret {name}") }),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn certificate(secret: &Source, webhook: Option<&MutatingWebhook>, now: Timestamp) -> Known<Certificate> {
    let chain = secret.content.as_ref().and_then(|content| content.get(Mode::Directory, "tls.crt"));
    let config = webhook.map(|webhook| &webhook.client_config);
    let bundle = config.and_then(|config| config.ca_bundle.as_ref()).map(|bundle| bundle.0.as_slice());
    let service = config.and_then(|config| config.service.as_ref());
    let host = |url: &String| Some(url.parse::<http::Uri>().ok()?.host()?.to_owned());
    let name = match service {
        Some(service) => Some(format!("{}.{}.svc", service.name, service.namespace)),
        None => config.and_then(|config| config.url.as_ref()).and_then(host),
    };
    Certificate::of(chain.ok_or("it has no key tls.crt")?, bundle, name.as_deref(), now)
}

/// Asks the webhook through the API server, which does not check its certificate.
async fn endpoint(client: &Client, webhook: Option<&MutatingWebhook>) -> Endpoint {
    let Some(webhook) = webhook else {
        return Endpoint::NotAsked("there is no registration that says where it is".to_owned());
    };
    let Some(service) = &webhook.client_config.service else {
        return Endpoint::NotAsked(
            "the registration names a URL, which is the API server's to reach".to_owned(),
        );
    };
    let port = service.port.unwrap_or(443);
    let (namespace, name) = (&service.namespace, &service.name);
    let path = format!("/api/v1/namespaces/{namespace}/services/https:{name}:{port}/proxy/livez");
    let Ok(answer) = tokio::time::timeout(PATIENCE, get_path(client, &path)).await else {
        return Endpoint::Silent(format!("the API server gets no answer of it within {PATIENCE:?}"));
    };
    match answer {
        Ok(_) => Endpoint::Answers,
        Err(error) if error.is_forbidden() => {
            Endpoint::NotAsked(format!("may not get services/proxy in namespace {namespace}"))
        }
        Err(error) => Endpoint::Silent(error.to_string()),
    }
}

async fn namespaces(client: &Client, namespace: Option<&str>) -> Result<Vec<Namespace>, ApiError> {
    let resource = Resource { group: "/api/v1", plural: "namespaces", namespace: None, name: namespace };
    let items: Vec<Item<Namespace>> = match namespace {
        Some(_) => vec![get_metadata(client, resource).await?],
        None => list_metadata(client, resource, &[]).await?,
    };
    Ok(items.into_iter().map(|item| item.metadata).collect())
}

async fn pods(client: &Client, namespace: Option<&str>) -> Result<Pods, ApiError> {
    let live = [("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed")];
    let resource = Resource { group: "/api/v1", plural: "pods", namespace, name: None };
    let mut items: Vec<Item<PodMetadata>> = list_metadata(client, resource, &live).await?;
    items.retain(|item| !item.metadata.is_leaving);
    let recorded = items.iter().filter(|item| item.metadata.annotations.get(RECORD).is_some()).count();
    Ok(Pods { all: items.len(), recorded })
}
