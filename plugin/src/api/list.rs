//! Lists, parsed while they come: what is kept is what is wanted of each object, never the answer.

use std::io::{self, Read};

use futures::TryStreamExt;
use http::Response;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::error::{ApiError, root_cause};
use super::{Resource, answered};

mod buffer;
mod json;
mod protobuf;

pub(crate) use protobuf::{ObjectMeta, OwnerReference, text};

/// Asks for objects in full.
const OBJECTS: &str = "application/json";

/// Asks for metadata only, of a list.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// The same, in protobuf from whoever has it.
const COMPACT_METADATA_LIST: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;\
    g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Why there are no items.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ItemsError {
    /// The answer came to a premature end.
    #[error("cut off")]
    Cut(#[from] io::Error),
    /// It is no list of such items. What is wrong with it is not said, since it may hold values.
    #[error("malformed")]
    Malformed,
}

/// An item of JSON.
#[derive(Deserialize)]
struct Item<M> {
    metadata: M,
}

/// The metadata of every object of a list; `query` may hold selectors.
///
/// In one request, not in pages: the API server answers it out of its cache, all as of one moment, and
/// sends it object by object.
pub(crate) async fn list_metadata<T: DeserializeOwned + Send + 'static>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
) -> Result<Vec<T>, ApiError> {
    list(client, resource, query, METADATA_LIST, |object| object).await
}

/// The same of a long list, in the least time: what is kept of an object's metadata is made of either
/// form that the answer may have.
pub(crate) async fn list_compact_metadata<T>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
) -> Result<Vec<T>, ApiError>
where
    T: DeserializeOwned + TryFrom<ObjectMeta, Error = ItemsError> + Send + 'static,
{
    let response = send(client, resource, query, COMPACT_METADATA_LIST).await?;
    let content_type = response.headers().get(http::header::CONTENT_TYPE);
    if content_type.is_some_and(|value| value.as_bytes().starts_with(protobuf::MEDIA_TYPE.as_bytes())) {
        return read(resource, response, protobuf::read).await;
    }
    read(resource, response, |reader| json::read(reader, |item: Item<T>| item.metadata)).await
}

/// What is wanted of every object of a list.
pub(crate) async fn list_objects<T: DeserializeOwned + Send + 'static>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
) -> Result<Vec<T>, ApiError> {
    list(client, resource, query, OBJECTS, |object| object).await
}

/// What is kept of every object of a long list, as it comes.
pub(crate) async fn list_objects_kept<T: DeserializeOwned, U: Send + 'static>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
    keep: impl FnMut(T) -> U + Send + 'static,
) -> Result<Vec<U>, ApiError> {
    list(client, resource, query, OBJECTS, keep).await
}

async fn list<T: DeserializeOwned, U: Send + 'static>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
    accept: &str,
    keep: impl FnMut(T) -> U + Send + 'static,
) -> Result<Vec<U>, ApiError> {
    let response = send(client, resource, query, accept).await?;
    read(resource, response, |reader| json::read(reader, keep)).await
}

async fn send(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
    accept: &str,
) -> Result<Response<Body>, ApiError> {
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let uri = format!("{}?{}", resource.path(), query.join("&"));
    answered(client, "list", &resource, &uri, accept).await
}

/// Parses an answer while it comes, in a thread that may wait for it.
async fn read<T: Send + 'static>(
    resource: Resource<'_>,
    response: Response<Body>,
    items: impl FnOnce(Box<dyn Read + Send>) -> Result<Vec<T>, ItemsError> + Send + 'static,
) -> Result<Vec<T>, ApiError> {
    let chunks = response.into_body().into_data_stream().map_err(io::Error::other);
    let reader = Box::new(SyncIoBridge::new(StreamReader::new(chunks)));
    let malformed = || ApiError::Malformed { what: resource.what("list") };
    let read = tokio::task::spawn_blocking(move || items(reader)).await.map_err(|_| malformed())?;
    read.map_err(|error| match error {
        ItemsError::Cut(error) => {
            ApiError::Unreachable { what: resource.what("list"), cause: root_cause(&error) }
        }
        ItemsError::Malformed => malformed(),
    })
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
