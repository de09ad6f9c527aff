//! The Secret that keeps the state, shared by all replicas under compare-and-swap.
//!
//! Rights that this takes, all in the webhook's own namespace: `create` of Secrets (which cannot
//! be limited to a name), `get` and `update` of this one by its name. Nothing is listed or
//! watched.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Api, PostParams};
use zeroize::Zeroize as _;

use crate::owner::Account;
use crate::state::State;

mod layout;

/// Managers whose names begin with `kubectl` have their fields reverted by some GitOps tools.
pub(crate) const FIELD_MANAGER: &str = "reload-certs";

/// One Secret by its name.
#[derive(Clone)]
pub struct SecretStore {
    api: Api<Secret>,
    namespace: String,
    name: String,
    account: Option<Account>,
}

/// The Secret as it was read: what a replacement must hold on to.
pub struct Stored {
    secret: Wiped,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The Secret holds the state.
    Done,
    /// Someone else was faster: read again and plan again.
    Lost,
}

/// The Secret could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A right is missing.
    #[error(
        "may not {verb} Secret {namespace}/{name}: grant its service account `create` of secrets \
         in that namespace, and `get` and `update` of this one; where the namespace is being \
         deleted, nothing can be created in it"
    )]
    Forbidden {
        /// What was tried.
        verb: &'static str,
        /// Where.
        namespace: String,
        /// Which.
        name: String,
        /// The API server's answer.
        source: Box<kube::Error>,
    },
    /// The API server refuses the new content.
    #[error(
        "Secret {namespace}/{name} does not take new certificates (is it marked immutable?): \
         delete it, it is made anew"
    )]
    Refused {
        /// Where.
        namespace: String,
        /// Which.
        name: String,
        /// The API server's answer.
        source: Box<kube::Error>,
    },
    /// Anything else, most likely an API server that does not answer; to be tried again.
    #[error(
        "could not {verb} Secret {namespace}/{name}: does the namespace exist, and does the API server answer?"
    )]
    Api {
        /// What was tried.
        verb: &'static str,
        /// Where.
        namespace: String,
        /// Which.
        name: String,
        /// The cause.
        source: Box<kube::Error>,
    },
}

impl SecretStore {
    /// The Secret of this name and namespace; nothing is read yet.
    pub fn new(client: kube::Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            account: None,
        }
    }

    /// Owned by this account from when it is made.
    #[must_use]
    pub fn owned_by(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
    }

    /// Reads the Secret: the state in it, however little of it is usable, and what a write needs.
    ///
    /// # Errors
    /// [`StoreError`]; a Secret that is not there is none.
    pub async fn read(&self) -> Result<(State, Option<Stored>), StoreError> {
        let secret = self.api.get_opt(&self.name).await;
        let Some(secret) = secret.map_err(|source| self.error("get", source))? else {
            return Ok((State::default(), None));
        };
        let secret = Wiped(secret);
        let state = secret.0.data.as_ref().map(layout::read);
        Ok((state.unwrap_or_default(), Some(Stored { secret })))
    }

    /// Creates the Secret, or replaces it if it is still the one that was read. Labels,
    /// annotations and data that others keep there stay.
    ///
    /// # Errors
    /// [`StoreError`]; that someone else was faster is none, but [`Written::Lost`].
    pub async fn write(&self, state: &State, stored: Option<&Stored>) -> Result<Written, StoreError> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        // 409: it was created or changed in between; 404 for an update: it was removed. (For a
        // creation 404 says that there is no such namespace.)
        let (verb, lost, answer) = match stored {
            None => {
                let owner = match &self.account {
                    Some(account) => account.owner().await,
                    None => None,
                };
                let secret = Wiped(self.fresh(state, owner));
                let answer = self.api.create(&params, &secret.0).await;
                ("create", &[409][..], answer)
            }
            Some(stored) => {
                let secret = Wiped(stored.replacement(state));
                let answer = self.api.replace(&self.name, &params, &secret.0).await;
                ("update", &[409, 404][..], answer)
            }
        };
        match answer {
            Ok(secret) => {
                drop(Wiped(secret));
                Ok(Written::Done)
            }
            Err(kube::Error::Api(status)) if lost.contains(&status.code) => Ok(Written::Lost),
            Err(source) => Err(self.error(verb, source)),
        }
    }

    fn fresh(&self, state: &State, owner: Option<OwnerReference>) -> Secret {
        let mut data = BTreeMap::new();
        layout::write(state, &mut data);
        Secret {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                labels: Some(BTreeMap::from([(
                    "app.kubernetes.io/managed-by".to_owned(),
                    FIELD_MANAGER.to_owned(),
                )])),
                owner_references: owner.map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(data),
            ..Secret::default()
        }
    }

    fn error(&self, verb: &'static str, source: kube::Error) -> StoreError {
        let source = Box::new(source);
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        match source.as_ref() {
            kube::Error::Api(status) if status.is_forbidden() => {
                StoreError::Forbidden { verb, namespace, name, source }
            }
            kube::Error::Api(status) if status.is_invalid() => {
                StoreError::Refused { namespace, name, source }
            }
            _ => StoreError::Api { verb, namespace, name, source },
        }
    }
}

impl Stored {
    /// The Secret that was read, with the state in it. Its resourceVersion makes the API server
    /// refuse it where another write came between.
    fn replacement(&self, state: &State) -> Secret {
        let mut secret = self.secret.0.clone();
        // Not ours to send back.
        secret.metadata.managed_fields = None;
        let mut data = secret.data.take().unwrap_or_default();
        wipe(&mut data);
        layout::write(state, &mut data);
        secret.data = Some(data);
        secret
    }
}

/// A Secret whose private keys are wiped from memory when it is dropped.
struct Wiped(Secret);

impl Drop for Wiped {
    fn drop(&mut self) {
        if let Some(data) = &mut self.0.data {
            wipe(data);
        }
    }
}

fn wipe(data: &mut BTreeMap<String, ByteString>) {
    for key in layout::KEYS {
        if let Some(value) = data.get_mut(key) {
            value.0.zeroize();
        }
    }
}

#[cfg(test)]
mod tests;
