//! The routes, as a value that tests can call.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;

use crate::admission::Recorder;
use crate::health::Health;
use crate::limits::{Held, MAX_REVIEW, NoBody, Room};
use crate::metrics::{self, Metrics};
use crate::outcome::Outcome;
use crate::review::NoReview;

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
    pub(crate) fn leaves_out(&self, namespace: &str) -> bool {
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
    let reviewed = match receive(&app, request, deadline).await {
        Ok(body) => Outcome::of(&app, body, deadline)
            .await
            .map_err(|no_review: NoReview| (StatusCode::BAD_REQUEST, no_review.to_string())),
        Err(refusal) => Err(refusal),
    };
    let reviewed = match reviewed {
        Ok(reviewed) => reviewed,
        Err((status, text)) => {
            app.metrics.refused(status.as_u16());
            return (status, text).into_response();
        }
    };
    app.metrics.review(reviewed.result, reviewed.causes, start.elapsed());
    let mut response = axum::Json(reviewed.answer).into_response();
    if app.health.is_draining() {
        // So that the API server does not send the next one over a connection that is about to end.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The body of a request, or why it was not read.
async fn receive(app: &App, request: Request, deadline: Instant) -> Result<Held, (StatusCode, String)> {
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
    body.map_err(|error| {
        let status = match error {
            NoBody::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            NoBody::NoRoom => StatusCode::TOO_MANY_REQUESTS,
            NoBody::Broken => StatusCode::BAD_REQUEST,
        };
        (status, error.to_string())
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
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
