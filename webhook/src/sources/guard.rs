//! Watches over the reads: a breaker per kind, and requests in the background that tell a sick API
//! server from a sick namespace, and when it is well again.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reload_core::record::Unread;
use reload_core::source::{SourceId, SourceKind};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::api::ApiServer;
use crate::breaker::{Breaker, Change, Outcome};
use crate::metrics::Metrics;
use crate::panic::{Panicked, caught};

/// How often the API server is asked for a sign of life while all is well.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How soon it is asked again where it gave none: readiness waits for it.
const RETRY: Duration = Duration::from_secs(1);

/// Second opinions are no closer together than this.
const LEAST_WAIT: Duration = Duration::from_millis(500);

/// A breaker for ConfigMaps and one for Secrets: an encryption plugin that hangs stops Secrets
/// alone.
pub(crate) struct Guard {
    api: Arc<ApiServer>,
    metrics: Arc<Metrics>,
    kinds: [Mutex<Kind>; 2],
    wake: Notify,
}

#[derive(Default)]
struct Kind {
    breaker: Breaker,
    /// What failed or was asked for last, to be tried as the probe: what ails reads, ails the probe.
    probed: Option<(String, SourceId)>,
}

impl Guard {
    pub(crate) fn new(api: Arc<ApiServer>, metrics: Arc<Metrics>) -> Self {
        Self { api, metrics, kinds: Default::default(), wake: Notify::new() }
    }

    /// Why a read is refused at present, if it is. What is asked for meanwhile is what is probed next: a
    /// source that ails by itself must not keep the breaker open for the others.
    pub(crate) fn refusal(&self, namespace: &str, source: &SourceId) -> Option<Unread> {
        let mut kind = self.kind(source.kind);
        let refusal = kind.breaker.refusal();
        if refusal.is_some() {
            kind.probed = Some((namespace.to_owned(), source.clone()));
        }
        refusal
    }

    fn is_open(&self, kind: SourceKind) -> bool {
        self.kind(kind).breaker.refusal().is_some()
    }

    /// Takes note of a read.
    pub(crate) fn observe(&self, namespace: &str, source: &SourceId, outcome: Outcome) {
        let mut kind = self.kind(source.kind);
        if let Outcome::Failed(_) = outcome {
            kind.probed = Some((namespace.to_owned(), source.clone()));
        }
        let change = kind.breaker.observe(Instant::now(), Some(namespace), outcome);
        let wake = change.is_some() || kind.breaker.suspects();
        drop(kind);
        self.tell(source.kind, change);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Asks the API server for signs of life, and probes while a breaker is open. Never ends.
    pub(crate) async fn keep_watch(&self) -> Infallible {
        let mut last = None;
        loop {
            let now = Instant::now();
            if last.is_none_or(|last| self.ping_due(last) <= now) {
                let outcome = self.ping().await;
                last = Some(Ping { at: Instant::now(), outcome });
            }
            tokio::join!(self.probe(SourceKind::ConfigMap), self.probe(SourceKind::Secret));
            tokio::select! {
                () = tokio::time::sleep_until(self.due(last)) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    fn suspects(&self) -> bool {
        KINDS.iter().any(|kind| self.kind(*kind).breaker.suspects())
    }

    fn ping_due(&self, last: Ping) -> Instant {
        last.at
            + match last.outcome {
                _ if self.suspects() => LEAST_WAIT,
                Outcome::Answered => HEARTBEAT,
                Outcome::Failed(_) => RETRY,
            }
    }

    fn due(&self, last: Option<Ping>) -> Instant {
        let ping = last.map_or_else(Instant::now, |last| self.ping_due(last));
        KINDS.iter().filter_map(|kind| self.kind(*kind).breaker.probe_at()).fold(ping, Instant::min)
    }

    async fn ping(&self) -> Outcome {
        let outcome = unless_panicked(&self.metrics, self.api.ping()).await;
        for kind in KINDS {
            let change = self.kind(kind).breaker.observe(Instant::now(), None, outcome);
            self.tell(kind, change);
        }
        outcome
    }

    async fn probe(&self, kind: SourceKind) {
        if !self.kind(kind).breaker.begin_probe(Instant::now()) {
            return;
        }
        let probed = self.kind(kind).probed.clone();
        let outcome = unless_panicked(&self.metrics, async {
            let Some((namespace, source)) = probed else { return self.api.ping().await };
            let start = Instant::now();
            let got = self.api.get(&namespace, &source).await;
            self.api.outcome(&got, start.elapsed())
        });
        let outcome = outcome.await;
        let change = self.kind(kind).breaker.end_probe(Instant::now(), outcome);
        self.tell(kind, change);
    }

    fn tell(&self, kind: SourceKind, change: Option<Change>) {
        match change {
            None => return,
            Some(Change::Opened(why)) => tracing::warn!(
                kind = kind.plural(),
                ?why,
                "the API server does not answer reads: pods are admitted at once, their sources unread"
            ),
            Some(Change::Closed) => {
                tracing::info!(kind = kind.plural(), "the API server answers reads again")
            }
        }
        let open = KINDS.iter().any(|kind| self.is_open(*kind));
        self.metrics.breaker_open.set(open.into());
    }

    fn kind(&self, kind: SourceKind) -> MutexGuard<'_, Kind> {
        let [config_maps, secrets] = &self.kinds;
        let kind = match kind {
            SourceKind::ConfigMap => config_maps,
            SourceKind::Secret => secrets,
        };
        kind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sign of life that was asked for.
#[derive(Clone, Copy)]
struct Ping {
    at: Instant,
    outcome: Outcome,
}

/// A panic tells no more of the API server than an answer that makes no sense.
async fn unless_panicked(metrics: &Metrics, asked: impl Future<Output = Outcome>) -> Outcome {
    caught(asked).await.unwrap_or_else(|Panicked| {
        metrics.panics.inc();
        Outcome::Failed(Unread::Error)
    })
}

const KINDS: [SourceKind; 2] = [SourceKind::ConfigMap, SourceKind::Secret];

#[cfg(test)]
mod tests;
