use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

type Key = &'static str;

/// A reader that tells of each read that begins, and ends it when told to.
#[derive(Default)]
struct Script {
    begun: AtomicUsize,
    most_at_once: AtomicUsize,
    under_way: AtomicUsize,
    go: Notify,
}

impl Script {
    async fn read(self: Arc<Self>, key: Key) -> Result<Arc<usize>, &'static str> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.go.notified().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        match key {
            "error" => Err("failed"),
            "panic" => panic!("scripted"),
            _ => Ok(Arc::new(number)),
        }
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

type Outcome = Result<Arc<usize>, &'static str>;
type Reads = Arc<Coalesced<Key, Outcome>>;

fn reads(limits: Limits) -> (Arc<Script>, Reads, Counter) {
    let script = Arc::new(Script::default());
    let joined = Counter::default();
    let reader = script.clone();
    let reads = Coalesced::new(limits, joined.clone(), move |key| reader.clone().read(key).boxed());
    (script, Arc::new(reads), joined)
}

const WIDE: Limits = Limits { reads: 8, keys: 8 };

fn ask(reads: &Reads, key: Key) -> JoinHandle<Result<Outcome, NoOutcome>> {
    let reads = reads.clone();
    tokio::spawn(async move { reads.get(key).await })
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

async fn number(asked: JoinHandle<Result<Outcome, NoOutcome>>) -> usize {
    *asked.await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn who_asks_while_a_read_is_under_way_shares_the_one_after_it() {
    let (script, reads, joined) = reads(WIDE);
    let first = ask(&reads, "a");
    settle().await;
    let later = [ask(&reads, "a"), ask(&reads, "a"), ask(&reads, "a")];
    settle().await;
    assert_eq!(script.begun(), 1);

    script.go.notify_one();
    assert_eq!(number(first).await, 1);
    settle().await;
    assert_eq!(script.begun(), 2);
    let latest = ask(&reads, "a");
    settle().await;
    script.go.notify_one();
    for asked in later {
        assert_eq!(number(asked).await, 2);
    }
    settle().await;
    script.go.notify_one();
    assert_eq!(number(latest).await, 3);
    settle().await;
    assert_eq!((reads.keys(), script.most_at_once.load(Ordering::SeqCst), joined.get()), (0, 1, 2));
}

#[tokio::test]
async fn one_who_leaves_does_not_end_the_read_of_the_others() {
    let (script, reads, _) = reads(WIDE);
    let leaves = ask(&reads, "a");
    let stays = ask(&reads, "a");
    settle().await;
    leaves.abort();
    settle().await;
    script.go.notify_one();
    assert_eq!(number(stays).await, 1);
}

#[tokio::test]
async fn a_read_that_nobody_waits_for_any_more_does_not_begin() {
    let (script, reads, _) = reads(WIDE);
    let first = ask(&reads, "a");
    settle().await;
    let leaves = ask(&reads, "a");
    settle().await;
    leaves.abort();
    settle().await;
    script.go.notify_one();
    number(first).await;
    settle().await;
    assert_eq!((script.begun(), reads.keys()), (1, 0));
}

#[tokio::test]
async fn one_who_waits_for_a_turn_and_leaves_makes_room() {
    let (script, reads, _) = reads(Limits { reads: 1, keys: 2 });
    let first = ask(&reads, "a");
    settle().await;
    let leaves = ask(&reads, "b");
    settle().await;
    assert_eq!(reads.get("c").await, Err(NoOutcome::Crowded));
    leaves.abort();
    settle().await;
    let third = ask(&reads, "c");
    settle().await;
    assert_eq!(script.begun(), 1, "it waits for its turn");
    script.go.notify_one();
    assert_eq!(number(first).await, 1);
    settle().await;
    script.go.notify_one();
    assert_eq!(number(third).await, 2);
    settle().await;
    assert_eq!((reads.keys(), script.most_at_once.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test]
async fn an_error_is_shared_like_any_outcome() {
    let (script, reads, _) = reads(WIDE);
    let asked = [ask(&reads, "error"), ask(&reads, "error")];
    settle().await;
    script.go.notify_one();
    for asked in asked {
        assert_eq!(asked.await.unwrap(), Ok(Err("failed")));
    }
    assert_eq!(script.begun(), 1);
}

#[tokio::test]
async fn a_panic_leaves_nobody_waiting_and_the_next_read_goes_on() {
    let (script, reads, _) = reads(WIDE);
    let asked = ask(&reads, "panic");
    settle().await;
    let later = ask(&reads, "panic");
    settle().await;
    script.go.notify_one();
    assert_eq!(asked.await.unwrap(), Err(NoOutcome::Lost));
    settle().await;
    script.go.notify_one();
    assert_eq!(later.await.unwrap(), Err(NoOutcome::Lost));
    settle().await;
    assert_eq!((script.begun(), reads.keys()), (2, 0));
}

#[tokio::test]
async fn nothing_of_an_outcome_is_kept() {
    let (script, reads, _) = reads(WIDE);
    let asked = [ask(&reads, "a"), ask(&reads, "a")];
    settle().await;
    script.go.notify_one();
    let [first, second] = asked.map(|asked| async { asked.await.unwrap().unwrap().unwrap() });
    let (first, second) = (first.await, second.await);
    settle().await;
    assert_eq!(Arc::strong_count(&first), 2);
    let last = Arc::downgrade(&first);
    drop((first, second));
    assert!(last.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_one_is_not_the_others() {
    let (script, reads, _) = reads(WIDE);
    let stays = ask(&reads, "a");
    let impatient = tokio::time::timeout(Duration::from_secs(1), reads.get("a")).await;
    assert!(impatient.is_err());
    script.go.notify_one();
    assert_eq!(number(stays).await, 1);
}
