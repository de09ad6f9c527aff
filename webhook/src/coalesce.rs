//! Reads that are shared: whoever asks for the same thing gets the outcome of one read that began
//! after all of them asked, so that nobody is told what was true before.
//!
//! Of each key at most one read is under way and one is to come. A read goes on when those who wait
//! for it leave; one that nobody waits for any more does not begin. Nothing outlives the last who
//! asked: neither an outcome nor the key's entry.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{Semaphore, watch};

use crate::panic::caught;

/// How a key is read. It has to end by itself.
pub(crate) type Reader<K, V> = dyn Fn(K) -> BoxFuture<'static, V> + Send + Sync;

/// Shares reads by key.
pub(crate) struct Coalesced<K, V>(Arc<Shared<K, V>>);

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Reads under way, over all keys.
    pub(crate) reads: usize,
    /// Keys that are read or waited for.
    pub(crate) keys: usize,
}

/// Why there is no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoOutcome {
    /// Too many keys are waited for; nothing was done.
    Crowded,
    /// The read panicked.
    Lost,
}

struct Shared<K, V> {
    read: Box<Reader<K, V>>,
    entries: Mutex<HashMap<K, Entry<V>>>,
    permits: Semaphore,
    most_keys: usize,
    joined: Counter,
}

/// Exists as long as a task drives the key.
struct Entry<V> {
    /// The read that has not begun, to be joined by whoever comes.
    next: Option<Arc<Waiting<V>>>,
}

/// Those who wait for one read.
type Waiting<V> = watch::Sender<Option<V>>;

impl<K, V> Coalesced<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `joined` counts those who shared a read that another had asked for.
    pub(crate) fn new(
        limits: Limits,
        joined: Counter,
        read: impl Fn(K) -> BoxFuture<'static, V> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            read: Box::new(read),
            entries: Mutex::default(),
            permits: Semaphore::new(limits.reads),
            most_keys: limits.keys,
            joined,
        }))
    }

    /// The outcome of a read that begins after this call. Dropping the future leaves the read to the
    /// others.
    ///
    /// # Errors
    /// [`NoOutcome`]
    pub(crate) async fn get(&self, key: K) -> Result<V, NoOutcome> {
        let mut outcome = self.join(key)?;
        let outcome = outcome.wait_for(Option::is_some).await.map_err(|_| NoOutcome::Lost)?;
        outcome.clone().ok_or(NoOutcome::Lost)
    }

    fn join(&self, key: K) -> Result<watch::Receiver<Option<V>>, NoOutcome> {
        let shared = &self.0;
        let mut entries = shared.entries();
        if let Some(entry) = entries.get_mut(&key) {
            if let Some(next) = &entry.next {
                shared.joined.inc();
                return Ok(next.subscribe());
            }
            let (next, receiver) = watch::channel(None);
            entry.next = Some(Arc::new(next));
            return Ok(receiver);
        }
        if entries.len() >= shared.most_keys {
            return Err(NoOutcome::Crowded);
        }
        let (next, receiver) = watch::channel(None);
        entries.insert(key.clone(), Entry { next: Some(Arc::new(next)) });
        drop(entries);
        // A task of its own, so that no one who leaves ends it for the others.
        tokio::spawn(drive(shared.clone(), key));
        Ok(receiver)
    }

    /// How many keys are read or waited for.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> usize {
        self.0.entries().len()
    }
}

impl<K: Eq + Hash, V> Shared<K, V> {
    fn entries(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The read that is to come; where there is none, the key's entry is gone.
    fn next(&self, key: &K) -> Option<Arc<Waiting<V>>> {
        let mut entries = self.entries();
        let next = entries.get(key).and_then(|entry| entry.next.clone());
        if next.is_none() {
            entries.remove(key);
        }
        next
    }

    /// Closes the read that is to come to all who come from now on; none where nobody waits.
    fn begin(&self, key: &K) -> Option<Arc<Waiting<V>>> {
        let waiting = self.entries().get_mut(key)?.next.take()?;
        (waiting.receiver_count() > 0).then_some(waiting)
    }

    /// Gives up the read that is to come, unless somebody has joined it meanwhile.
    fn abandon(&self, key: &K) {
        if let Some(entry) = self.entries().get_mut(key) {
            entry.next.take_if(|waiting| waiting.receiver_count() == 0);
        }
    }
}

/// Reads the key until nobody waits for it.
async fn drive<K: Clone + Eq + Hash, V>(shared: Arc<Shared<K, V>>, key: K) {
    while let Some(waiting) = shared.next(&key) {
        let permit = tokio::select! {
            permit = shared.permits.acquire() => permit.ok(),
            () = waiting.closed() => None,
        };
        drop(waiting);
        let Some(_permit) = permit else {
            shared.abandon(&key);
            continue;
        };
        let Some(waiting) = shared.begin(&key) else { continue };
        // Where it panicked, those who wait are told by the end of the channel.
        if let Ok(outcome) = caught(async { (shared.read)(key.clone()).await }).await {
            waiting.send_replace(Some(outcome));
        }
    }
}

#[cfg(test)]
mod tests;
