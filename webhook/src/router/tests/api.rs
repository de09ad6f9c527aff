//! An API server that does what a test tells it to.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Request, Response};
use serde_json::{Value, json};

/// A connection that is cut.
#[derive(Debug, thiserror::Error)]
#[error("connection reset")]
struct Cut;

/// What becomes of a GET of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Answers,
    AnswersAfter(Duration),
    Says(u16),
    Hangs,
    Cuts,
    CutsBody,
    Garbage,
    Endless,
    Panics,
}

/// What becomes of requests: of sources, and of all others.
#[derive(Clone)]
pub(super) struct Api(Arc<Mutex<State>>);

struct State {
    sources: Doing,
    others: Doing,
    requests: Vec<String>,
}

impl Api {
    pub(super) fn new(sources: Doing) -> Self {
        let requests = Vec::new();
        Self(Arc::new(Mutex::new(State { sources, others: Doing::Answers, requests })))
    }

    pub(super) fn now(&self, sources: Doing, others: Doing) {
        let mut state = self.0.lock().unwrap();
        (state.sources, state.others) = (sources, others);
    }

    /// The paths of all requests for sources.
    pub(super) fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }

    pub(super) fn client(&self) -> kube::Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let api = api.clone();
            async move { api.answer(request.uri().path()).await }
        });
        kube::Client::new(service, "kubectl-reload")
    }

    async fn answer(&self, path: &str) -> Result<Response<Body>, Cut> {
        let doing = {
            let mut state = self.0.lock().unwrap();
            match path.contains("/namespaces/") {
                true => {
                    state.requests.push(path.to_owned());
                    state.sources
                }
                false => state.others,
            }
        };
        let object = || Body::from(object(path).to_string().into_bytes());
        let (status, body) = match doing {
            Doing::Answers => (200, object()),
            Doing::AnswersAfter(time) => {
                tokio::time::sleep(time).await;
                (200, object())
            }
            Doing::Says(status) => (status, Body::from(b"{}".to_vec())),
            Doing::Hangs => std::future::pending().await,
            Doing::Cuts => return Err(Cut),
            Doing::CutsBody => {
                let chunks = [Ok(Bytes::from("{\"metadata\":")), Err(Cut)];
                (200, Body::from_stream(futures::stream::iter(chunks)))
            }
            Doing::Garbage => (200, Body::from(b"<html>".to_vec())),
            Doing::Endless => {
                let chunk = || Ok::<_, Infallible>(Bytes::from(vec![b' '; 65_536]));
                (200, Body::from_stream(futures::stream::repeat_with(chunk)))
            }
            Doing::Panics => panic!("scripted"),
        };
        Ok(Response::builder().status(status).body(body).unwrap())
    }
}

/// A source of any name.
fn object(path: &str) -> Value {
    let value = if path.contains("secrets") { "aHVudGVyMg==" } else { "hunter2" };
    json!({
        "metadata": {"uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "data": {"password": value},
    })
}
