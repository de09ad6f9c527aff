//! The routes, as a value that tests can call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt;
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;

use crate::admission::{Recorded, Recorder, Unrecordable};
use crate::api::is_namespace;
use crate::health::Health;
use crate::limits::{MAX_REVIEW, NoBody, Room, Taken};
use crate::metrics::{self, Cause, Metrics, ReviewResult};
use crate::review;
use crate::review::{Answer, Place, Reviewed};
use crate::subject::{Subject, quote};

/// What the handlers share.
pub(crate) struct App {
    pub(crate) recorder: Recorder,
    pub(crate) room: Room,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
    pub(crate) deadline: Duration,
    /// The webhook's own.
    pub(crate) namespace: String,
}

impl App {
    /// Namespaces whose pods are never recorded: the registration does not send them, and whoever else
    /// does learns nothing of what lies there.
    fn leaves_out(&self, namespace: &str) -> bool {
        namespace == self.namespace || namespace == "kube-system"
    }
}

/// `POST /mutate`, and what operators ask for.
pub(crate) fn router(app: Arc<App>) -> Router {
    let panics = app.clone();
    Router::new()
        .route("/mutate", post(mutate))
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .layer(CatchPanicLayer::custom(move |_| {
            panics.metrics.panics.inc();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }))
        .with_state(app)
}

async fn mutate(State(app): State<Arc<App>>, request: Request) -> Response {
    let start = Instant::now();
    let deadline = start + app.deadline;
    let (review, room) = match receive(&app, request, deadline).await {
        Ok(received) => received,
        Err((status, text)) => {
            app.metrics.refused(status.as_u16());
            return (status, text).into_response();
        }
    };
    let reviewed = answer(&app, review, room, deadline).await;
    app.metrics.review(reviewed.result, reviewed.causes, start.elapsed());
    let mut response = axum::Json(reviewed.answer).into_response();
    if app.health.is_draining() {
        // So that the API server does not send the next one over a connection that is about to end.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The review in a request, or why there is none.
async fn receive(
    app: &App,
    request: Request,
    deadline: Instant,
) -> Result<(review::Request, Taken), (StatusCode, String)> {
    if !is_json(request.headers()) {
        let text = "send an AdmissionReview as application/json".to_owned();
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > MAX_REVIEW) {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, NoBody::TooLong.to_string()));
    }
    let body = tokio::time::timeout_at(deadline, app.room.read(request.into_body())).await;
    let body = body.map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the body came too slowly".to_owned()))?;
    let body = body.map_err(|error| {
        let status = match error {
            NoBody::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            NoBody::NoRoom => StatusCode::TOO_MANY_REQUESTS,
            NoBody::Broken => StatusCode::BAD_REQUEST,
        };
        (status, error.to_string())
    })?;
    let review = catch_unwind(|| review::Request::parse(&body.bytes)).map_err(|_| {
        app.metrics.panics.inc();
        (StatusCode::BAD_REQUEST, "the review cannot be read".to_owned())
    })?;
    let review = review.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok((review, body.room))
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
}

/// An answer, and what is counted of it.
struct Outcome {
    answer: Answer,
    result: ReviewResult,
    causes: Vec<Cause>,
}

async fn answer(app: &App, request: review::Request, room: Taken, deadline: Instant) -> Outcome {
    let review::Request { uid, namespace, name, subject } = request;
    let (pod, place) = match subject {
        Reviewed::Other => return Outcome::unmodified(uid, ReviewResult::NotAPodCreation),
        _ if app.leaves_out(&namespace) => return Outcome::unmodified(uid, ReviewResult::Excluded),
        Reviewed::Pod(pod, place) if is_namespace(&namespace) => (pod, place),
        Reviewed::TooLarge(place) => {
            return Outcome::unrecorded(uid, place, ReviewResult::TooManyReferences);
        }
        Reviewed::Pod(_, place) | Reviewed::Invalid(place) => {
            return Outcome::unrecorded(uid, place, ReviewResult::InvalidPod);
        }
    };
    let Some(_review) = app.room.review() else {
        tracing::debug!(
            uid = quote(&uid),
            namespace = quote(&namespace),
            name = quote(&name),
            "too many reviews are under way"
        );
        return Outcome::unrecorded(uid, place, ReviewResult::Shed);
    };
    let recording = async {
        let subject = Subject::of(&pod, &app.recorder.args.ignore)?;
        // Neither the pod nor its room are needed while its sources are waited for.
        drop((pod, room));
        app.recorder.record(&namespace, subject, before(deadline, app.deadline)).await
    };
    let outcome = recorded(uid.clone(), place, recording, deadline, &app.metrics).await;
    let (result, causes) = (outcome.result, &outcome.causes);
    if outcome.causes.is_empty() {
        tracing::debug!(uid = quote(&uid), %namespace, name = quote(&name), ?result, "reviewed");
    } else {
        let (uid, name) = (quote(&uid), quote(&name));
        tracing::info!(uid, %namespace, name, ?result, ?causes, "admitted without a full record");
    }
    outcome
}

/// When sources are given up: early enough for what is there to be written down.
fn before(deadline: Instant, whole: Duration) -> Instant {
    deadline - (whole / 10).min(Duration::from_millis(100))
}

/// The answer with what `recording` comes to, whatever becomes of that.
async fn recorded(
    uid: String,
    place: Place,
    recording: impl Future<Output = Result<Recorded, Unrecordable>>,
    deadline: Instant,
    metrics: &Metrics,
) -> Outcome {
    let recording = tokio::time::timeout_at(deadline, AssertUnwindSafe(recording).catch_unwind());
    let result = match recording.await {
        Ok(Ok(Ok(Recorded { text, lacks }))) => {
            return Outcome {
                answer: Answer::recorded(uid, place, &text),
                result: ReviewResult::Recorded,
                causes: lacks.into_iter().collect(),
            };
        }
        Ok(Ok(Err(why))) => why.into(),
        Ok(Err(_)) => {
            metrics.panics.inc();
            ReviewResult::Panic
        }
        Err(_) => ReviewResult::Timeout,
    };
    Outcome::unrecorded(uid, place, result)
}

impl Outcome {
    fn unmodified(uid: String, result: ReviewResult) -> Self {
        Self { answer: Answer::unmodified(uid), result, causes: Vec::new() }
    }

    fn unrecorded(uid: String, place: Place, result: ReviewResult) -> Self {
        let causes = result.cause().into_iter().collect();
        Self { answer: Answer::unrecorded(uid, place), result, causes }
    }
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

/// As the Kubernetes components have it: `ok`, or the list of conditions where one fails or
/// `?verbose` asks for it.
async fn readyz(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let readiness = app.health.readiness();
    let status = match readiness.is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let verbose =
        query.is_some_and(|query| query.split('&').any(|part| part.split('=').next() == Some("verbose")));
    match readiness.is_ready() && !verbose {
        true => "ok".into_response(),
        false => (status, readiness.to_string()).into_response(),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.encode(app.health.readiness().is_ready()) {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests;
