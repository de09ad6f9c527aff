//! Reading sources: a live GET each, nothing kept.

use std::sync::Arc;

use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use kube::Client;
use reload_core::record::Unread;
use reload_core::source::{Source, SourceId};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::server_clock::ServerClock;

/// The largest answer that is read, in bytes. The API server keeps objects under 1.5 MiB; base64
/// and the copy in an annotation add to it.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Reads ConfigMaps and Secrets with the right `get` alone.
#[derive(Clone)]
pub(crate) struct Sources {
    client: Client,
    clock: Arc<ServerClock>,
}

impl Sources {
    pub(crate) fn new(client: Client, clock: Arc<ServerClock>) -> Self {
        Self { client, clock }
    }

    /// The source as it is now, `None` where it does not exist; at `deadline` it is given up.
    pub(crate) async fn read(
        &self,
        namespace: &str,
        source: &SourceId,
        deadline: Instant,
    ) -> Result<Option<Source>, Unread> {
        if !source.is_valid() {
            return Ok(None);
        }
        match tokio::time::timeout_at(deadline, self.get(namespace, source)).await {
            Ok(answer) => answer,
            Err(_) => Err(Unread::Timeout),
        }
    }

    async fn get(&self, namespace: &str, source: &SourceId) -> Result<Option<Source>, Unread> {
        let path = format!("/api/v1/namespaces/{namespace}/{}/{}", source.kind.plural(), source.name);
        let request =
            http::Request::get(path).body(kube::client::Body::empty()).map_err(|_| Unread::Error)?;
        // Not the client's typed GET: it prints an answer that it cannot parse.
        let response = self.client.send(request).await.map_err(|error| {
            tracing::warn!(%namespace, %source, error = %error, "could not read a source");
            Unread::Error
        })?;
        self.clock.observe(response.headers());
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => {
                tracing::warn!(%namespace, %source, %status, "could not read a source");
                return Err(match status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Unread::Forbidden,
                    StatusCode::TOO_MANY_REQUESTS => Unread::Overload,
                    _ => Unread::Error,
                });
            }
        }
        let body =
            Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|_| Unread::Error)?;
        let json = Zeroizing::new(body.to_bytes().to_vec());
        Source::parse(source.kind, &json).map(Some).map_err(|error| {
            tracing::warn!(%namespace, %source, %error, "could not read a source");
            Unread::Error
        })
    }
}
