//! The CA bundle in the webhook's registration.
//!
//! Only `clientConfig.caBundle` is ever patched, and only where it differs: other tools keep
//! their hands on the rest (AKS rewrites selectors, GitOps tools restore what they know).
//!
//! Rights that this takes: `get` and `patch` of this one MutatingWebhookConfiguration.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use crate::certificate::Certificate;
use crate::store::FIELD_MANAGER;

/// The registration by its name, or none to look after.
#[derive(Clone)]
pub struct Registration {
    api: Api<MutatingWebhookConfiguration>,
    name: Option<String>,
}

/// The registration as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// There is none to look after: someone else takes care of the bundle.
    Unmanaged,
    /// It does not exist.
    Missing,
    /// It exists.
    Found {
        /// Its resourceVersion.
        version: String,
        /// The name and the bundle (PEM, may be empty) of each of its webhooks.
        webhooks: Vec<(String, Vec<u8>)>,
    },
}

/// What became of the bundle in the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// There is no registration to look after.
    Unmanaged,
    /// The registration does not exist, so that the API server calls no one. It is looked for
    /// again in each round.
    Missing,
    /// Every webhook already had the bundle.
    Current,
    /// So many webhooks were given the bundle.
    Patched {
        /// How many.
        webhooks: usize,
    },
}

/// The registration could not be read or patched.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// A right is missing.
    #[error(
        "may not {verb} MutatingWebhookConfiguration {name}: grant its service account `get` and \
         `patch` of this one"
    )]
    Forbidden {
        /// What was tried.
        verb: &'static str,
        /// Which.
        name: String,
        /// The API server's answer.
        source: Box<kube::Error>,
    },
    /// Anything else, most likely an API server that does not answer; to be tried again.
    #[error("could not {verb} MutatingWebhookConfiguration {name}: does the API server answer?")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// Which.
        name: String,
        /// The cause.
        source: Box<kube::Error>,
    },
}

impl Registration {
    /// The registration of this name; nothing is read yet.
    pub fn new(client: kube::Client, name: Option<String>) -> Self {
        Self { api: Api::all(client), name }
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`InjectError`]; a registration that does not exist is none.
    pub async fn observe(&self) -> Result<Observed, InjectError> {
        let Some(name) = &self.name else {
            return Ok(Observed::Unmanaged);
        };
        let found = self.api.get_opt(name).await;
        let found = found.map_err(|source| error("get", name, source))?;
        Ok(found.map_or(Observed::Missing, Observed::from))
    }

    /// Gives this bundle to each webhook that does not have it, if the registration is still the
    /// one that was observed; none where it is not, to observe and plan again.
    ///
    /// # Errors
    /// [`InjectError`]
    pub async fn inject(&self, bundle: &str, observed: &Observed) -> Result<Option<Injection>, InjectError> {
        let stale = match observed {
            Observed::Unmanaged => return Ok(Some(Injection::Unmanaged)),
            Observed::Missing => return Ok(Some(Injection::Missing)),
            Observed::Found { .. } => observed.stale(bundle),
        };
        let (Some(patch), Some(name)) = (observed.patch(bundle, &stale), &self.name) else {
            return Ok(Some(Injection::Current));
        };
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match self.api.patch(name, &params, &Patch::Strategic(patch)).await {
            Ok(_) => Ok(Some(Injection::Patched { webhooks: stale.len() })),
            Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(None),
            Err(source) => Err(error("patch", name, source)),
        }
    }
}

impl Observed {
    /// Whether every webhook trusts this CA. A registration that does not exist does not; where
    /// there is none to look after, it is taken for granted.
    pub fn holds(&self, ca: &Certificate) -> bool {
        match self {
            Self::Unmanaged => true,
            Self::Missing => false,
            Self::Found { webhooks, .. } => {
                webhooks.iter().all(|(_, bundle)| certificates(bundle).contains(ca))
            }
        }
    }

    /// The CAs that the first webhook trusts now.
    pub fn authorities(&self) -> Vec<Certificate> {
        match self {
            Self::Found { webhooks, .. } => {
                webhooks.first().map(|(_, bundle)| certificates(bundle)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The names of the webhooks whose bundle holds other certificates than the given one. How
    /// they are written down does not count.
    fn stale(&self, bundle: &str) -> Vec<String> {
        let Self::Found { webhooks, .. } = self else {
            return Vec::new();
        };
        let wanted = certificates(bundle.as_bytes());
        webhooks
            .iter()
            .filter(|(_, held)| certificates(held) != wanted)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// A strategic merge patch: webhooks are merged by name, so that it holds nothing but the
    /// bundle, and the API server answers with a conflict where the version has moved on.
    fn patch(&self, bundle: &str, stale: &[String]) -> Option<Value> {
        let Self::Found { version, .. } = self else {
            return None;
        };
        if stale.is_empty() {
            return None;
        }
        let bundle = STANDARD.encode(bundle);
        let webhooks: Vec<Value> = stale
            .iter()
            .map(|name| json!({ "name": name, "clientConfig": { "caBundle": bundle } }))
            .collect();
        Some(json!({
            "metadata": { "resourceVersion": version },
            "webhooks": webhooks,
        }))
    }
}

impl From<MutatingWebhookConfiguration> for Observed {
    fn from(registration: MutatingWebhookConfiguration) -> Self {
        let webhooks = registration.webhooks.unwrap_or_default();
        Self::Found {
            version: registration.metadata.resource_version.unwrap_or_default(),
            webhooks: webhooks
                .into_iter()
                .map(|webhook| {
                    let bundle = webhook.client_config.ca_bundle;
                    (webhook.name, bundle.map(|b| b.0).unwrap_or_default())
                })
                .collect(),
        }
    }
}

/// The certificates of a bundle; none where it is garbled.
fn certificates(bundle: &[u8]) -> Vec<Certificate> {
    Certificate::list_from_pem(bundle).unwrap_or_default()
}

fn error(verb: &'static str, name: &str, source: kube::Error) -> InjectError {
    let name = name.to_owned();
    let source = Box::new(source);
    match source.as_ref() {
        kube::Error::Api(status) if status.is_forbidden() => InjectError::Forbidden { verb, name, source },
        _ => InjectError::Api { verb, name, source },
    }
}

#[cfg(test)]
mod tests;
