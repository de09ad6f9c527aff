//! The hash key's Secret in the install namespace, made by the first replica that finds none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use reload_core::hash_key::HashKey;
use reload_core::record::Unread;
use reload_core::source::SourceId;
use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::sources::Sources;

/// The hash key once it is known; until then Secrets are recorded without content.
pub(crate) type Known = watch::Receiver<Option<Arc<HashKey>>>;

/// How long to wait after a failure before the next try.
const RETRY: Duration = Duration::from_secs(5);

/// How often the Secret is looked at again.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long one look may take.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(
        "secret {namespace}/{name} could not be read ({why:?}): grant get on it to the webhook's service \
         account",
        name = HashKey::SECRET_NAME
    )]
    Unread { namespace: String, why: Unread },
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
    sources: Sources,
    namespace: String,
    found: watch::Sender<Option<Arc<HashKey>>>,
}

impl Search {
    /// A search in the install namespace, and where its result will be.
    pub(crate) fn new(client: Client, sources: Sources, namespace: String) -> (Self, Known) {
        let (found, known) = watch::channel(None);
        (Self { secrets: Api::namespaced(client, &namespace), sources, namespace, found }, known)
    }

    /// Finds or makes the hash key; false where it could not, which is logged.
    pub(crate) async fn once(&self) -> bool {
        let known = self.found.borrow().clone();
        match find_or_make(&self.secrets, &self.sources, &self.namespace, known.as_deref()).await {
            Ok(key) => {
                if known.is_none_or(|known| known.id() != key.id()) {
                    tracing::info!(id = %key.id(), "hash key found");
                    self.found.send_replace(Some(Arc::new(key)));
                }
                true
            }
            Err(error) => {
                let meanwhile = match known {
                    Some(_) => "the one that was found before is used on",
                    None => "until then Secrets are recorded without their content",
                };
                tracing::error!("{error}; {meanwhile}");
                false
            }
        }
    }

    /// Keeps looking: for a first key, for one that was put in its place, and whether it is still
    /// there. Never ends.
    pub(crate) async fn keep_watch(&self) {
        loop {
            let known = self.found.borrow().is_some();
            tokio::time::sleep(if known { INTERVAL } else { RETRY }).await;
            self.once().await;
        }
    }
}

/// What the API server said, or that it did not: never an answer's body.
fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::SerdeError(_) => "an answer that is no Secret".to_owned(),
        other => other.to_string(),
    }
}

/// Finds the key, or makes one: the one that this replica has in use, if its Secret was deleted, or
/// else a new one.
async fn find_or_make(
    secrets: &Api<Secret>,
    sources: &Sources,
    namespace: &str,
    known: Option<&HashKey>,
) -> Result<HashKey, Error> {
    if let Some(key) = find(sources, namespace).await? {
        return Ok(key);
    }
    let mut bytes = Zeroizing::new([0; HashKey::LENGTH]);
    match known {
        Some(key) => bytes.copy_from_slice(key.as_bytes()),
        None => getrandom::fill(bytes.as_mut_slice()).map_err(Error::Random)?,
    }
    let secret = Secret {
        metadata: ObjectMeta { name: Some(HashKey::SECRET_NAME.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(HashKey::SECRET_KEY.to_owned(), ByteString(bytes.to_vec()))])),
        ..Secret::default()
    };
    let created = secrets.create(&PostParams::default(), &secret).await;
    // Another replica may have been faster: whatever is there now is the key.
    let made = find(sources, namespace).await?;
    made.ok_or_else(|| Error::NotMade {
        namespace: namespace.to_owned(),
        cause: created.err().map(|error| reason(&error)).unwrap_or_default(),
    })
}

async fn find(sources: &Sources, namespace: &str) -> Result<Option<HashKey>, Error> {
    let id = SourceId::secret(HashKey::SECRET_NAME);
    let found = sources.read(namespace, &id, Instant::now() + TIMEOUT).await;
    let found = found.map_err(|why| Error::Unread { namespace: namespace.to_owned(), why })?;
    found
        .map(|secret| HashKey::from_secret(&secret).ok_or_else(|| Error::Garbled(namespace.to_owned())))
        .transpose()
}
