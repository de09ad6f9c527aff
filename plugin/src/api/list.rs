//! Lists, parsed while they come: what is kept is what is wanted of each object, never the answer.

use std::io;

use futures::TryStreamExt;
use http_body_util::BodyExt;
use kube::Client;
use serde::de::DeserializeOwned;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::error::{ApiError, root_cause};
use super::items::{self, ItemsError};
use super::{Resource, answered};

/// Asks for metadata only, of a list.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// The metadata of every object of a list; `query` may hold selectors.
///
/// In one request, not in pages: the API server answers it out of its cache, all as of one moment, and
/// sends it object by object.
pub(crate) async fn list_metadata<T: DeserializeOwned + Send + 'static>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
) -> Result<Vec<T>, ApiError> {
    list(client, resource, query, METADATA_LIST).await
}

/// What is wanted of every object of a list.
pub(crate) async fn list_objects<T: DeserializeOwned + Send + 'static>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
) -> Result<Vec<T>, ApiError> {
    list(client, resource, query, "application/json").await
}

async fn list<T: DeserializeOwned + Send + 'static>(
    client: &Client,
    resource: Resource<'_>,
    query: &[(&str, &str)],
    accept: &str,
) -> Result<Vec<T>, ApiError> {
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let uri = format!("{}?{}", resource.path(), query.join("&"));
    let response = answered(client, "list", &resource, &uri, accept).await?;
    let chunks = response.into_body().into_data_stream().map_err(io::Error::other);
    let reader = SyncIoBridge::new(StreamReader::new(chunks));
    let malformed = || ApiError::Malformed { what: resource.what("list") };
    let read = tokio::task::spawn_blocking(move || items::read(reader)).await.map_err(|_| malformed())?;
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
