//! Lists, parsed while they come: what is kept is what is wanted of each object, never the answer.

use std::io::{self, BufReader};

use futures::TryStreamExt;
use http_body_util::BodyExt;
use kube::Client;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::error::{ApiError, root_cause};
use super::{Resource, answered};

/// Asks for metadata only, of a list.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// What is parsed at a time, in bytes.
const BUFFER: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct List<T> {
    #[serde(rename = "metadata")]
    _metadata: IgnoredAny,
    /// `null` where there are none.
    #[serde(deserialize_with = "Option::deserialize")]
    items: Option<Vec<T>>,
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
    let parse = move || serde_json::from_reader::<_, List<T>>(BufReader::with_capacity(BUFFER, reader));
    let malformed = || ApiError::Malformed { what: resource.what("list") };
    match tokio::task::spawn_blocking(parse).await.map_err(|_| malformed())? {
        Ok(list) => Ok(list.items.unwrap_or_default()),
        Err(error) if error.is_io() => {
            Err(ApiError::Unreachable { what: resource.what("list"), cause: root_cause(&error) })
        }
        Err(_) => Err(malformed()),
    }
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
