//! Requests whose answers may hold values: read here, never by the client's typed calls, which
//! print what they cannot parse.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use error::{message, root_cause};

mod error;
mod list;

pub(crate) use error::ApiError;
pub(crate) use list::{
    ItemsError, ObjectMeta, OwnerReference, list_compact_metadata, list_metadata, list_objects,
    list_objects_kept, text,
};

/// How a [snapshot](crate::snapshot) answers what its files do not tell: it was the wrong one to ask.
pub(crate) const NOT_HELD: StatusCode = StatusCode::MISDIRECTED_REQUEST;

/// Asks for metadata only, of an object.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// What a request is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource<'a> {
    /// `/api/v1`, `/apis/apps/v1`.
    pub(crate) group: &'a str,
    /// `pods`.
    pub(crate) plural: &'a str,
    /// `None`: all.
    pub(crate) namespace: Option<&'a str>,
    /// `None`: a list.
    pub(crate) name: Option<&'a str>,
}

impl Resource<'_> {
    /// Fails where there can be no such object: names come from what others wrote too, such as owner
    /// references, and nothing of another path is asked for by one.
    ///
    /// # Errors
    /// [`ApiError::NotFound`].
    pub(crate) fn ensure_addressable(&self, verb: &str) -> Result<(), ApiError> {
        let segments = [self.namespace, self.name];
        match segments.into_iter().flatten().all(is_segment) {
            true => Ok(()),
            false => Err(ApiError::NotFound { what: self.what(verb) }),
        }
    }

    fn path(&self) -> String {
        let mut path = self.group.to_owned();
        if let Some(namespace) = self.namespace {
            path += &format!("/namespaces/{namespace}");
        }
        path += &format!("/{}", self.plural);
        if let Some(name) = self.name {
            path += &format!("/{name}");
        }
        path
    }

    fn what(&self, verb: &str) -> String {
        let name = self.name.map(|name| format!("/{name}")).unwrap_or_default();
        match self.namespace {
            Some(namespace) => format!("{verb} {}{name} in namespace {namespace}", self.plural),
            None => format!("{verb} {}{name} in all namespaces", self.plural),
        }
    }

    fn check(&self, verb: &str) -> String {
        let group = self.group.strip_prefix("/apis/").and_then(|group| group.split('/').next());
        let (plural, below) = self.plural.split_once('/').map_or((self.plural, None), |(p, b)| (p, Some(b)));
        let plural = group.map_or_else(|| plural.to_owned(), |group| format!("{plural}.{group}"));
        let below = below.map(|below| format!(" --subresource={below}")).unwrap_or_default();
        let name = self.name.map(|name| format!("/{name}")).unwrap_or_default();
        let place = self.namespace.map_or_else(|| "-A".to_owned(), |namespace| format!("-n {namespace}"));
        format!("kubectl auth can-i {verb} {plural}{name}{below} {place}")
    }
}

/// Whether a text is one segment of a path as it stands.
fn is_segment(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:@".contains(c);
    !matches!(text, "" | "." | "..") && text.chars().all(plain)
}

/// The metadata of one object.
pub(crate) async fn get_metadata<T: DeserializeOwned>(
    client: &Client,
    resource: Resource<'_>,
) -> Result<T, ApiError> {
    let json = get(client, "get", &resource, &resource.path(), METADATA).await?;
    serde_json::from_slice(&json).map_err(|_| ApiError::Malformed { what: resource.what("get") })
}

/// The JSON of one object, wiped from memory when it is dropped.
pub(crate) async fn get_object(
    client: &Client,
    resource: Resource<'_>,
) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    get(client, "get", &resource, &resource.path(), "application/json").await
}

/// The same, and the time of the answer by the API server's clock, where it says so.
pub(crate) async fn get_object_at(
    client: &Client,
    resource: Resource<'_>,
) -> Result<(Zeroizing<Vec<u8>>, Option<Timestamp>), ApiError> {
    let answer = get_answer(client, "get", &resource, &resource.path(), "application/json").await?;
    Ok((answer.body, answer.date))
}

async fn get(
    client: &Client,
    verb: &str,
    resource: &Resource<'_>,
    uri: &str,
    accept: &str,
) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    Ok(get_answer(client, verb, resource, uri, accept).await?.body)
}

async fn get_answer(
    client: &Client,
    verb: &str,
    resource: &Resource<'_>,
    uri: &str,
    accept: &str,
) -> Result<Answer, ApiError> {
    let response = answered(client, verb, resource, uri, accept).await?;
    let unreachable = |cause: String| ApiError::Unreachable { what: resource.what(verb), cause };
    Answer::of(response).await.map_err(unreachable)
}

/// The answer to a GET that was successful, its body yet to come.
async fn answered(
    client: &Client,
    verb: &str,
    resource: &Resource<'_>,
    uri: &str,
    accept: &str,
) -> Result<Response<Body>, ApiError> {
    resource.ensure_addressable(verb)?;
    let unreachable = |cause: String| ApiError::Unreachable { what: resource.what(verb), cause };
    let response = send(client, uri, accept).await.map_err(unreachable)?;
    if response.status().is_success() {
        return Ok(response);
    }
    let answer = Answer::of(response).await.map_err(unreachable)?;
    Err(ApiError::status(answer.status, message(&answer.body), verb, resource))
}

/// What is there at a path that is no resource, such as `/version`.
pub(crate) async fn get_path(client: &Client, path: &str) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let what = format!("get {path}");
    let answer = async { Answer::of(send(client, path, "*/*").await?).await };
    match answer.await.map(|answer| (answer.status, answer.body)) {
        Err(cause) => Err(ApiError::Unreachable { what, cause }),
        Ok((status, body)) if status.is_success() => Ok(body),
        Ok((StatusCode::FORBIDDEN, _)) => {
            Err(ApiError::Forbidden { what, check: format!("kubectl auth can-i get {path}") })
        }
        Ok((StatusCode::UNAUTHORIZED, _)) => Err(ApiError::Unauthorized { what }),
        Ok((StatusCode::NOT_FOUND, _)) => Err(ApiError::NotFound { what }),
        Ok((status, body)) => Err(ApiError::Refused { what, status, message: message(&body) }),
    }
}

/// The time by the API server's clock, where it says so; it does even with a refusal.
pub(crate) async fn server_date(client: &Client) -> Option<Timestamp> {
    Answer::of(send(client, "/version", "*/*").await.ok()?).await.ok()?.date
}

/// The answer to a GET.
struct Answer {
    status: StatusCode,
    /// When it was given.
    date: Option<Timestamp>,
    body: Zeroizing<Vec<u8>>,
}

impl Answer {
    async fn of(response: Response<Body>) -> Result<Self, String> {
        let status = response.status();
        let date = response.headers().get(http::header::DATE);
        let date = date.and_then(|date| parse_date(date.to_str().ok()?));
        let body = response.into_body().collect().await.map_err(|error| root_cause(&error))?;
        Ok(Self { status, date, body: Zeroizing::new(body.to_bytes().into()) })
    }
}

/// Sends a GET.
async fn send(client: &Client, uri: &str, accept: &str) -> Result<Response<Body>, String> {
    tracing::debug!(%uri, "GET");
    let request = Request::get(uri)
        .header(http::header::ACCEPT, accept)
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    client.send(request).await.map_err(|error| root_cause(&error))
}

/// Whether a field that is read has a value, whatever it is.
pub(crate) fn is_there<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(field).map(|value| value.is_some())
}

/// An HTTP date (RFC 9110, section 5.6.7) in its one form that servers may send.
fn parse_date(date: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(date).ok().map(|zoned| zoned.timestamp())
}

/// How often a state is asked for while waiting for it.
pub(crate) const POLL: Duration = Duration::from_millis(250);
