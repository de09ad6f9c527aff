//! The keeper of the webhook's own certificates.

use std::time::Duration;

use jiff::Timestamp;

use crate::event::Event;
use crate::inject::{InjectError, Injection, Registration};
use crate::jitter::Jitter;
use crate::names::Names;
use crate::owner::Account;
use crate::plan::{Step, next_due};
use crate::settings::Settings;
use crate::state::{State, StateError, Terms};
use crate::store::{SecretStore, StoreError, Written};
use crate::tls::{Serving, TlsError};

/// How often one round begins anew because someone else was faster. Each time one of the rivals
/// has won, so that this is enough for many more replicas than a webhook has.
const MOST_TRIES: u32 = 10;

/// The pause before that, times one to two.
const PAUSE: Duration = Duration::from_millis(50);

/// A round takes no longer than this; a client's own limits are minutes.
const ROUND_LIMIT: Duration = Duration::from_secs(30);

/// Rounds are never closer than this, however short the lives are.
const LEAST_WAIT: Duration = Duration::from_millis(200);

/// Until there is a registration to give the bundle to, whoever installs it waits for that.
const UNREGISTERED: Duration = Duration::from_secs(2);

/// The wait after the first failed round; doubled with each further one, up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Keeps the webhook's own CA and certificate in one Secret, and the CA bundle in its
/// registration. Every replica runs one; they agree through the Secret.
#[derive(Clone)]
pub struct OwnCertificates {
    store: SecretStore,
    registration: Registration,
    names: Names,
    settings: Settings,
    jitter: Jitter,
}

/// A round that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Secret could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registration could not be read or patched.
    #[error(transparent)]
    Inject(#[from] InjectError),
    /// A certificate could not be made.
    #[error(transparent)]
    State(#[from] StateError),
    /// What was made or found cannot be served.
    #[error("the webhook's own certificate cannot be served")]
    Tls(#[from] TlsError),
    /// Others changed the Secret or the registration each time.
    #[error(
        "the certificates' Secret or the registration was changed by others {MOST_TRIES} times in \
         a row: see in their managedFields who writes them all the time"
    )]
    Contended,
    /// The API server took too long.
    #[error("the API server did not answer within {ROUND_LIMIT:?}: check its load and the network")]
    Timeout,
}

/// A pair to serve, and when it is next to be looked after.
struct Round {
    serving: Serving,
    due: Option<Timestamp>,
}

impl OwnCertificates {
    /// Certificates for `names`, in the Secret `secret` of `namespace`. Where `registration`
    /// names a MutatingWebhookConfiguration, its webhooks are given the CA bundle.
    pub fn new(
        client: kube::Client,
        namespace: &str,
        secret: &str,
        names: Names,
        registration: Option<String>,
    ) -> Self {
        Self {
            store: SecretStore::new(client.clone(), namespace, secret),
            registration: Registration::new(client, registration),
            names,
            settings: Settings::default(),
            jitter: Jitter::random(),
        }
    }

    /// With a Secret that this account owns.
    #[must_use]
    pub fn owned_by(mut self, account: Account) -> Self {
        self.store = self.store.owned_by(account);
        self
    }

    /// With other lives than the default ones.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// With a share of chance that is not random.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// One round: reads what exists, takes every step that is due, stores the result, gives the
    /// registration the bundle, and returns the pair to serve. A pair is returned only after the
    /// registration trusts it, or was found not to exist.
    ///
    /// `now` is best taken from the API server's clock: replicas whose clocks differ by more than
    /// a certificate's life would go on replacing each other's.
    ///
    /// # Errors
    /// [`Error`]; the last good pair can be served on, and the round tried again.
    pub async fn ensure(&self, now: Timestamp) -> Result<Serving, Error> {
        Ok(self.round(now).await?.serving)
    }

    /// Goes on from `serving`, which [`Self::ensure`] returned: a round every minute, or when
    /// something falls due; sooner where a round failed, or has found no registration. Tells `on_event` the outcome of each.
    /// Never returns; dropping the future ends it, at no loss.
    pub async fn run(
        &self,
        serving: Serving,
        clock: impl Fn() -> Timestamp,
        mut on_event: impl FnMut(Event<Error>),
    ) -> std::convert::Infallible {
        let mut current = serving;
        // At once: what is due next is known only after a round.
        let mut wait = LEAST_WAIT;
        let mut failures = 0_u32;
        loop {
            tokio::time::sleep(wait).await;
            match self.round(clock()).await {
                Ok(Round { serving, due }) => {
                    failures = 0;
                    wait = self.wait_until(due, clock());
                    if serving.injection == Injection::Missing {
                        wait = wait.min(UNREGISTERED);
                    }
                    on_event(if serving.is_same_pair(&current) {
                        Event::Unchanged(serving.clone())
                    } else {
                        Event::Changed(serving.clone())
                    });
                    current = serving;
                }
                Err(error) => {
                    wait = backoff(failures, Jitter::random());
                    failures = failures.saturating_add(1);
                    let retry_in = wait;
                    on_event(Event::Failed { error, retry_in });
                }
            }
        }
    }

    async fn round(&self, now: Timestamp) -> Result<Round, Error> {
        let tries = tokio::time::timeout(ROUND_LIMIT, self.tries(now)).await;
        tries.unwrap_or(Err(Error::Timeout))
    }

    async fn tries(&self, now: Timestamp) -> Result<Round, Error> {
        for attempt in 0..MOST_TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE + Jitter::random().of(PAUSE)).await;
            }
            if let Some(round) = self.attempt(now).await? {
                return Ok(round);
            }
        }
        Err(Error::Contended)
    }

    /// None where someone else was faster.
    async fn attempt(&self, now: Timestamp) -> Result<Option<Round>, Error> {
        // First the registration, then the Secret: a bundle that is older than the Secret of
        // someone else's round then never overwrites theirs, since the registration's version
        // has moved on.
        let observed = self.registration.observe().await?;
        let (mut state, stored) = self.store.read().await?;
        let terms = Terms { names: &self.names, settings: &self.settings, jitter: self.jitter };
        let steps = state.settle(now, terms, &observed)?;
        if !steps.is_empty() && self.store.write(&state, stored.as_ref()).await? == Written::Lost {
            return Ok(None);
        }
        report(&steps);
        let injected = self.registration.inject(&state.bundle(), &observed).await?;
        let Some(injection) = injected else {
            return Ok(None);
        };
        let facts = state.facts(&self.names, &observed);
        let due = next_due(now, &facts, &self.settings, self.jitter);
        let mut serving = serving(&state, now)?;
        serving.injection = injection;
        Ok(Some(Round { serving, due }))
    }

    fn wait_until(&self, due: Option<Timestamp>, now: Timestamp) -> Duration {
        let longest = self.settings.check_interval();
        let planned =
            due.map_or(longest, |due| Duration::try_from(due.duration_since(now)).unwrap_or_default());
        planned.min(longest).max(LEAST_WAIT)
    }
}

fn serving(state: &State, now: Timestamp) -> Result<Serving, TlsError> {
    let (Some(leaf), Some(issuing)) = (&state.leaf, &state.issuing) else {
        return Err(TlsError::NoCertificate);
    };
    let chain = leaf.certificate.to_pem();
    let mut serving = Serving::from_pem(chain.as_bytes(), leaf.key.to_pem().as_bytes(), now)?;
    serving.ca_not_after = Some(issuing.certificate.validity().not_after);
    Ok(serving)
}

fn report(steps: &[Step]) {
    for step in steps {
        match step {
            Step::Keep => {}
            Step::RenewLeaf(reason) => {
                tracing::info!(%reason, "made a new serving certificate");
            }
            Step::PrepareNext(reason) => tracing::info!(%reason, "made the next CA"),
            Step::Publish(Some(_)) => tracing::info!("the next CA is in the registration"),
            Step::Publish(None) => {
                tracing::warn!("the next CA is gone from the registration, its overlap begins anew");
            }
            Step::Promote(reason) => tracing::info!(%reason, "the next CA signs from now on"),
            Step::DropRetired => tracing::info!("dropped CAs that nothing needs any more"),
            Step::Remake(reason) => tracing::warn!(%reason, "made a new CA and certificate"),
        }
    }
}

/// Doubles from the first retry to the longest, and leaves up to half of it to chance.
fn backoff(failures: u32, jitter: Jitter) -> Duration {
    let full = FIRST_RETRY.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(LONGEST_RETRY);
    full / 2 + jitter.of(full / 2)
}

#[cfg(test)]
mod tests;
