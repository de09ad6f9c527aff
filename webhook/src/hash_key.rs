//! The hash key's Secret in the install namespace, made by the first replica that finds none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use reload_core::hash_key::HashKey;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The hash key once it is known; until then Secrets are recorded without content.
pub(crate) type Known = watch::Receiver<Option<Arc<HashKey>>>;

/// How long to wait after a failure before the next try.
const RETRY: Duration = Duration::from_secs(5);

/// How often the Secret is looked at again.
const INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(
        "no hash key in secret {namespace}/{name}: grant get on it and create on secrets to the \
         webhook's service account in that namespace",
        name = HashKey::SECRET_NAME
    )]
    Api {
        namespace: String,
        #[source]
        source: Box<kube::Error>,
    },
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
    namespace: String,
    found: watch::Sender<Option<Arc<HashKey>>>,
}

impl Search {
    /// A search in the install namespace, and where its result will be.
    pub(crate) fn new(client: Client, namespace: String) -> (Self, Known) {
        let (found, known) = watch::channel(None);
        (Self { secrets: Api::namespaced(client, &namespace), namespace, found }, known)
    }

    /// Finds or makes the hash key; false where it could not, which is logged.
    pub(crate) async fn once(&self) -> bool {
        let known = self.found.borrow().clone();
        match find_or_make(&self.secrets, &self.namespace, known.as_deref()).await {
            Ok(key) => {
                if known.is_none_or(|known| known.id() != key.id()) {
                    tracing::info!(id = %key.id(), "hash key found");
                    self.found.send_replace(Some(Arc::new(key)));
                }
                true
            }
            Err(error) => {
                let cause = match &error {
                    Error::Api { source, .. } => reason(source),
                    _ => String::new(),
                };
                let meanwhile = match known {
                    Some(_) => "the one that was found before is used on",
                    None => "until then Secrets are recorded without their content",
                };
                tracing::error!(%cause, "{error}; {meanwhile}");
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
    namespace: &str,
    known: Option<&HashKey>,
) -> Result<HashKey, Error> {
    let api = |source: kube::Error| Error::Api { namespace: namespace.to_owned(), source: Box::new(source) };
    if let Some(secret) = secrets.get_opt(HashKey::SECRET_NAME).await.map_err(api)? {
        return read(secret, namespace);
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
    match secrets.create(&PostParams::default(), &secret).await {
        Ok(secret) => read(secret, namespace),
        // Another replica was faster: its key is the key.
        Err(kube::Error::Api(status)) if status.code == 409 => {
            read(secrets.get(HashKey::SECRET_NAME).await.map_err(api)?, namespace)
        }
        Err(error) => Err(api(error)),
    }
}

fn read(secret: Secret, namespace: &str) -> Result<HashKey, Error> {
    let garbled = || Error::Garbled(namespace.to_owned());
    let mut data = secret.data.unwrap_or_default();
    let bytes = Zeroizing::new(data.remove(HashKey::SECRET_KEY).ok_or_else(garbled)?.0);
    HashKey::from_bytes(&bytes).map_err(|_| garbled())
}
