//! The hash key's Secret in the install namespace, made by the first replica that finds none.
//!
//! A rotation is a change of that Secret: its `key` becomes an entry `previous` (or one whose name
//! begins so), and 32 new random bytes the `key`. Each replica takes it up within a minute; records
//! name the key that they were written under by its id, and readers find it among the earlier ones.
//! docs/operations.md has the commands. The Secret belongs to the webhook's service account, and goes
//! with it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use reload_certs::Account;
use reload_core::hash_key::HashKey;
use reload_core::source::SourceId;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::api::{ApiServer, ReadError};
use crate::metrics::Metrics;

/// The hash key once it is known; until then Secrets are recorded without content.
pub(crate) type Known = watch::Receiver<Option<Arc<HashKey>>>;

/// How long to wait after a failure before the next try.
const RETRY: Duration = Duration::from_secs(5);

/// How often the Secret is looked at again.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long making the Secret may take.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(
        "secret {namespace}/{name} could not be read: {source}",
        name = HashKey::SECRET_NAME
    )]
    Unread { namespace: String, source: ReadError },
    #[error(
        "secret {namespace}/{name} could not be made ({cause}): grant create on secrets in that namespace \
         to the webhook's service account",
        name = HashKey::SECRET_NAME
    )]
    NotMade { namespace: String, cause: String },
    #[error(
        "secret {0}/{name} holds no hash key: delete it for a new one, and older records of Secrets \
         can then not be compared",
        name = HashKey::SECRET_NAME
    )]
    Garbled(String),
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Where the hash key is kept, and who is told of it.
pub(crate) struct Search {
    secrets: Api<Secret>,
    account: Account,
    api: Arc<ApiServer>,
    metrics: Arc<Metrics>,
    namespace: String,
    found: watch::Sender<Option<Arc<HashKey>>>,
}

impl Search {
    /// A search in the install namespace, and where its result will be.
    pub(crate) fn new(
        client: Client,
        api: Arc<ApiServer>,
        metrics: Arc<Metrics>,
        namespace: String,
    ) -> (Self, Known) {
        let (found, known) = watch::channel(None);
        let account = Account::new(client.clone(), &namespace);
        let secrets = Api::namespaced(client, &namespace);
        (Self { secrets, account, api, metrics, namespace, found }, known)
    }

    /// Finds or makes the hash key; what hinders it is logged. Returns how long to wait until it is
    /// looked for again.
    pub(crate) async fn once(&self) -> Duration {
        let known = self.found.borrow().clone();
        match self.find_or_make(known.as_deref()).await {
            Ok(key) => {
                if known.is_none_or(|known| known.id() != key.id()) {
                    tracing::info!(id = %key.id(), "hash key found");
                    self.metrics.set_hash_key(Some(&key.id().to_string()));
                    self.found.send_replace(Some(Arc::new(key)));
                }
                INTERVAL
            }
            Err(error) => {
                let meanwhile = match known {
                    Some(_) => "the one that was found before is used on",
                    None => "until then Secrets are recorded without their content",
                };
                tracing::error!("{error}; {meanwhile}");
                match error {
                    // What an administrator has to mend is not worth a line every few seconds.
                    Error::Unread { source: ReadError::Forbidden, .. } | Error::Garbled(_) => INTERVAL,
                    _ => RETRY,
                }
            }
        }
    }

    /// Keeps looking, first after `wait`: for a first key, for one that was put in its place, and
    /// whether it is still there. Never ends.
    pub(crate) async fn keep_watch(&self, wait: Duration) -> Infallible {
        let mut wait = wait;
        loop {
            tokio::time::sleep(wait).await;
            wait = self.once().await;
        }
    }

    /// Finds the key, or makes one: the one that this replica has in use, if its Secret was deleted, or
    /// else a new one.
    async fn find_or_make(&self, known: Option<&HashKey>) -> Result<HashKey, Error> {
        if let Some(key) = find(&self.api, &self.namespace).await? {
            return Ok(key);
        }
        let owner = self.account.owner().await;
        let secret = fresh(known, owner)?;
        let params = PostParams::default();
        let created = tokio::time::timeout(TIMEOUT, self.secrets.create(&params, &secret)).await;
        // Another replica may have been faster: whatever is there now is the key.
        let made = find(&self.api, &self.namespace).await?;
        made.ok_or_else(|| Error::NotMade {
            namespace: self.namespace.clone(),
            cause: match created {
                Err(_) => "no answer in time".to_owned(),
                Ok(created) => created.err().map(|error| reason(&error)).unwrap_or_default(),
            },
        })
    }
}

/// A Secret with this key, or with a new one.
fn fresh(known: Option<&HashKey>, owner: Option<OwnerReference>) -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0; HashKey::LENGTH]);
    match known {
        Some(key) => bytes.copy_from_slice(key.as_bytes()),
        None => getrandom::fill(bytes.as_mut_slice()).map_err(Error::Random)?,
    }
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(HashKey::SECRET_NAME.to_owned()),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(HashKey::SECRET_KEY.to_owned(), ByteString(bytes.to_vec()))])),
        ..Secret::default()
    })
}

/// What the API server said, or that it did not: never an answer's body.
fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::SerdeError(_) => "an answer that is no Secret".to_owned(),
        other => other.to_string(),
    }
}

async fn find(api: &ApiServer, namespace: &str) -> Result<Option<HashKey>, Error> {
    let found = api.get(namespace, &SourceId::secret(HashKey::SECRET_NAME)).await;
    let found = found.map_err(|source| Error::Unread { namespace: namespace.to_owned(), source })?;
    found
        .map(|secret| HashKey::from_secret(&secret).ok_or_else(|| Error::Garbled(namespace.to_owned())))
        .transpose()
}
