//! Requests whose answers may hold values: read here, never by the client's typed calls, which
//! print what they cannot parse.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::connection::auth_cause;

/// How a [snapshot](crate::snapshot) answers what its files do not tell: it was the wrong one to ask.
pub(crate) const NOT_HELD: StatusCode = StatusCode::MISDIRECTED_REQUEST;

/// Objects of a list that one request asks for.
const PAGE: usize = 500;

/// Asks for metadata only, of an object.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Asks for metadata only, of a list.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The right is missing.
    #[error("may not {what}: grant the right, and check it with: {check}")]
    Forbidden { what: String, check: String },
    /// Files stand in for the cluster, and do not tell.
    #[error("cannot {what}: {why}. What to write is shown by: kubectl reload status --help")]
    NotHeld { what: String, why: String },
    /// Not logged in.
    #[error(
        "the cluster does not accept these credentials to {what}: log in again, or check the user with: kubectl auth whoami"
    )]
    Unauthorized { what: String },
    /// There is no such thing.
    #[error("cannot {what}: not found")]
    NotFound { what: String },
    /// The API server refused.
    #[error("cannot {what}: the API server answered {status}: {message}")]
    Refused { what: String, status: StatusCode, message: String },
    /// It did not answer.
    #[error(
        "cannot {what}: the cluster does not answer ({cause}). Check the address with: kubectl cluster-info; or choose another by --context"
    )]
    Unreachable { what: String, cause: String },
    /// It answered something else.
    #[error("cannot {what}: the answer is not what was asked for")]
    Malformed { what: String },
}

impl ApiError {
    /// Whether a right is missing, so that the rest of an answer can still be given.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Forbidden { .. } | Self::NotHeld { .. })
    }

    /// What files do not tell, where they stand in for the cluster.
    pub(crate) fn not_held(&self) -> Option<&str> {
        match self {
            Self::NotHeld { why, .. } => Some(why),
            _ => None,
        }
    }

    /// Whether there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// An error of a typed call, which must be about objects that hold no values.
    pub(crate) fn of(error: kube::Error, verb: &str, resource: &Resource<'_>) -> Self {
        match error {
            kube::Error::Api(status) => {
                let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Self::status(code, status.message, verb, resource)
            }
            kube::Error::SerdeError(_) => Self::Malformed { what: resource.what(verb) },
            other => Self::Unreachable { what: resource.what(verb), cause: root_cause(&other) },
        }
    }

    fn status(code: StatusCode, message: String, verb: &str, resource: &Resource<'_>) -> Self {
        let what = resource.what(verb);
        match code {
            StatusCode::FORBIDDEN => Self::Forbidden { what, check: resource.check(verb) },
            NOT_HELD => Self::NotHeld { what, why: message },
            StatusCode::UNAUTHORIZED => Self::Unauthorized { what },
            StatusCode::NOT_FOUND => Self::NotFound { what },
            status => Self::Refused { what, status, message },
        }
    }
}

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
        let plural = group.map_or_else(|| self.plural.to_owned(), |group| format!("{}.{group}", self.plural));
        let name = self.name.map(|name| format!("/{name}")).unwrap_or_default();
        let place = self.namespace.map_or_else(|| "-A".to_owned(), |namespace| format!("-n {namespace}"));
        format!("kubectl auth can-i {verb} {plural}{name} {place}")
    }
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct List<T> {
    metadata: ListMetadata,
    /// `null` where there are none.
    items: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct ListMetadata {
    #[serde(rename = "continue", default)]
    next: String,
}

/// The metadata of every object of a list, page by page; `query` may hold selectors.
pub(crate) async fn list_metadata<T: DeserializeOwned>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
) -> Result<Vec<T>, ApiError> {
    list(client, resource, query, METADATA_LIST).await
}

/// Every object of a list, page by page.
pub(crate) async fn list_objects<T: DeserializeOwned>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
) -> Result<Vec<T>, ApiError> {
    list(client, resource, query, "application/json").await
}

async fn list<T: DeserializeOwned>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
    accept: &str,
) -> Result<Vec<T>, ApiError> {
    let mut items = Vec::new();
    let mut next = String::new();
    loop {
        let mut uri = format!("{}?limit={PAGE}", resource.path());
        for (name, value) in
            query.iter().copied().chain((!next.is_empty()).then_some(("continue", next.as_str())))
        {
            uri += &format!("&{name}={}", escape(value));
        }
        let json = get(client, "list", &resource, &uri, accept).await?;
        let page: List<T> =
            serde_json::from_slice(&json).map_err(|_| ApiError::Malformed { what: resource.what("list") })?;
        items.extend(page.items.unwrap_or_default());
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(items);
        }
    }
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
    let unreachable = |cause: String| ApiError::Unreachable { what: resource.what(verb), cause };
    let answer = request(client, uri, accept).await.map_err(unreachable)?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(ApiError::status(answer.status, message(&answer.body), verb, resource))
}

/// What is there at a path that is no resource, such as `/version`.
pub(crate) async fn get_path(client: &Client, path: &str) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let what = format!("get {path}");
    match request(client, path, "*/*").await.map(|answer| (answer.status, answer.body)) {
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

/// The answer to a GET.
struct Answer {
    status: StatusCode,
    /// When it was given.
    date: Option<Timestamp>,
    body: Zeroizing<Vec<u8>>,
}

/// The answer to a GET, or why there is none.
async fn request(client: &Client, uri: &str, accept: &str) -> Result<Answer, String> {
    tracing::debug!(%uri, "GET");
    let request = Request::get(uri)
        .header(http::header::ACCEPT, accept)
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let response = client.send(request).await.map_err(|error| root_cause(&error))?;
    let status = response.status();
    let date = response.headers().get(http::header::DATE).and_then(|date| parse_date(date.to_str().ok()?));
    let body = response.into_body().collect().await.map_err(|error| root_cause(&error))?;
    Ok(Answer { status, date, body: Zeroizing::new(body.to_bytes().to_vec()) })
}

/// An HTTP date (RFC 9110, section 5.6.7) in its one form that servers may send.
fn parse_date(date: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(date).ok().map(|zoned| zoned.timestamp())
}

/// The message of a Status object.
fn message(json: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    serde_json::from_slice::<Status>(json)
        .map_or_else(|_| "no reason given".to_owned(), |status| status.message)
}

/// The innermost error: the one that says what is wrong.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        if let Some(error) = cause.downcast_ref() {
            return auth_cause(error);
        }
        cause = source;
    }
    cause.downcast_ref().map_or_else(|| cause.to_string(), auth_cause)
}

/// Percent-encodes what a query may not hold (RFC 3986, section 2.3).
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// How often a state is asked for while waiting for it.
pub(crate) const POLL: Duration = Duration::from_millis(250);
