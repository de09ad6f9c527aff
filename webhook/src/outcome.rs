//! What a review comes to: from its body to the answer and what is counted of it.

use std::time::Duration;

use reload_core::reference::MAX_PAIRS;
use tokio::time::{Instant, timeout_at};

use crate::admission::{Recorded, Unrecordable};
use crate::api::is_namespace;
use crate::limits::Held;
use crate::metrics::{Cause, Metrics, ReviewResult};
use crate::panic::{Panicked, caught, caught_now};
use crate::review::{Answer, NoPod, NoReview, Object, Place, Request, Size};
use crate::router::App;
use crate::subject::{Subject, quote};

/// An answer, and what is counted of it.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) result: ReviewResult,
    pub(crate) causes: Vec<Cause>,
}

impl Outcome {
    /// Of a review, at `deadline` at the latest.
    ///
    /// # Errors
    /// [`NoReview`]
    pub(crate) async fn of(app: &App, body: Held, deadline: Instant) -> Result<Self, NoReview> {
        let Held { bytes, mut room } = body;
        let Request { uid, namespace, name, object } = Request::parse(&bytes)?;
        let Some(object) = object else {
            return Ok(Self::unmodified(uid, ReviewResult::NotAPodCreation));
        };
        if app.leaves_out(&namespace) {
            return Ok(Self::unmodified(uid, ReviewResult::Excluded));
        }
        let place = object.place();
        if !is_namespace(&namespace) {
            return Ok(Self::unrecorded(uid, place, ReviewResult::InvalidPod));
        }
        let until = before(deadline, app);
        let review = app.room.review();
        let subject = match review {
            Some(_) => examined(app, object, until).await,
            None => Err(ReviewResult::Shed),
        };
        // Neither the body nor its room are needed while sources are waited for, but room for what was
        // made of it is.
        drop(bytes);
        let outcome = match subject {
            Err(result) => Self::unrecorded(uid.clone(), place, result),
            Ok(subject) if room.becomes(uid.len() + name.len() + subject.size()).is_err() => {
                Self::unrecorded(uid.clone(), place, ReviewResult::Shed)
            }
            Ok(subject) => {
                let recording = app.recorder.record(&namespace, subject, until);
                recorded(uid.clone(), place, recording, deadline, &app.metrics).await
            }
        };
        outcome.tell(&uid, &namespace, &name);
        Ok(outcome)
    }

    fn unmodified(uid: String, result: ReviewResult) -> Self {
        Self { answer: Answer::unmodified(uid), result, causes: Vec::new() }
    }

    fn unrecorded(uid: String, place: Place, result: ReviewResult) -> Self {
        let causes = result.cause().into_iter().collect();
        Self { answer: Answer::unrecorded(uid, place), result, causes }
    }

    fn tell(&self, uid: &str, namespace: &str, name: &str) {
        let Self { result, causes, .. } = self;
        let (uid, name) = (quote(uid), quote(name));
        if causes.is_empty() || *result == ReviewResult::Shed {
            tracing::debug!(uid, %namespace, name, ?result, "reviewed");
        } else {
            tracing::info!(uid, %namespace, name, ?result, ?causes, "admitted without a full record");
        }
    }
}

/// When sources are given up: early enough for what is there to be written down.
fn before(deadline: Instant, app: &App) -> Instant {
    deadline - (app.deadline / 10).min(Duration::from_millis(100))
}

/// So many pairs of what uses and what is used are looked at without a turn. A common pod has some
/// hundred.
const COMMON_PAIRS: usize = 5_000;

/// What of the pod matters. Those that take time and memory have their turn one after the other:
/// whoever sends many must not keep the common ones from theirs.
async fn examined(app: &App, object: Object<'_>, until: Instant) -> Result<Subject, ReviewResult> {
    let look = |most_pairs| {
        unless_panicked(&app.metrics, || {
            let pod = object.pod()?;
            Ok(Subject::of(&pod, &app.recorder.args.ignore, most_pairs)?)
        })
    };
    match object.size() {
        Size::TooLarge => return Err(ReviewResult::TooManyReferences),
        // Where it turns out to take more, the pod is parsed anew at its turn: many that wait would take
        // memory.
        Size::Common => match look(COMMON_PAIRS) {
            Err(ReviewResult::TooManyReferences) => {}
            looked => return looked,
        },
        Size::Large => {}
    }
    // Whose turn comes late could not read anything any more, and would keep it from the next.
    let _turn = app.room.turn(until - app.deadline / 2).await.ok_or(ReviewResult::Shed)?;
    look(MAX_PAIRS)
}

/// What `work` comes to, be it a panic.
pub(crate) fn unless_panicked<T>(
    metrics: &Metrics,
    work: impl FnOnce() -> Result<T, ReviewResult>,
) -> Result<T, ReviewResult> {
    caught_now(work).unwrap_or_else(|Panicked| {
        metrics.panics.inc();
        Err(ReviewResult::Panic)
    })
}

/// The answer with what `recording` comes to, whatever becomes of that.
pub(crate) async fn recorded(
    uid: String,
    place: Place,
    recording: impl Future<Output = Result<Recorded, Unrecordable>>,
    deadline: Instant,
    metrics: &Metrics,
) -> Outcome {
    let result = match timeout_at(deadline, caught(recording)).await {
        Ok(Ok(Ok(Recorded { text, lacks }))) => {
            return Outcome {
                answer: Answer::recorded(uid, place, &text),
                result: ReviewResult::Recorded,
                causes: lacks.into_iter().collect(),
            };
        }
        Ok(Ok(Err(why))) => why.into(),
        Ok(Err(Panicked)) => {
            metrics.panics.inc();
            ReviewResult::Panic
        }
        Err(_) => ReviewResult::Timeout,
    };
    Outcome::unrecorded(uid, place, result)
}

impl From<Unrecordable> for ReviewResult {
    fn from(why: Unrecordable) -> Self {
        match why {
            Unrecordable::NothingToRecord => Self::NothingToRecord,
            Unrecordable::TooLong => Self::TooLong,
            Unrecordable::NoRoom => Self::NoRoom,
            Unrecordable::TooManyReferences => Self::TooManyReferences,
        }
    }
}

impl From<NoPod> for ReviewResult {
    fn from(why: NoPod) -> Self {
        match why {
            NoPod::Invalid => Self::InvalidPod,
            NoPod::TooLarge => Self::TooManyReferences,
        }
    }
}
