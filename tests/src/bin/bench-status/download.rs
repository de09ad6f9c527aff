//! The floor: what a plain client needs to download the same lists, all at once, without looking into
//! them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use http::header::ACCEPT;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use reload_tests::Cluster;

/// In which form.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Json,
    /// Of metadata alone; the rest is JSON all the same.
    Protobuf,
}

impl Form {
    fn metadata(self) -> &'static str {
        match self {
            Self::Json => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Self::Protobuf => {
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
            }
        }
    }
}

/// What is downloaded.
#[derive(Clone, Copy)]
pub(crate) enum Download {
    /// The metadata of pods, ConfigMaps and Secrets.
    Metadata,
    /// The same, but pods in full.
    PodsInFull,
}

impl Download {
    /// How long it takes, from connecting on.
    pub(crate) async fn take(self, cluster: &Cluster, form: Form) -> Result<Duration> {
        let metadata = form.metadata();
        let pods = match self {
            Self::Metadata => metadata,
            Self::PodsInFull => "application/json",
        };
        let start = Instant::now();
        let client = cluster.client().await?;
        tokio::try_join!(
            get(&client, "/api/v1/pods", pods),
            get(&client, "/api/v1/configmaps", metadata),
            get(&client, "/api/v1/secrets", metadata),
        )?;
        Ok(start.elapsed())
    }
}

async fn get(client: &Client, path: &str, accept: &str) -> Result<usize> {
    let request = http::Request::get(path).header(ACCEPT, accept).body(Body::empty())?;
    let response = client.send(request).await?;
    ensure!(response.status().is_success(), "{path}: {}", response.status());
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.into_data().map_or(0, |data| data.len());
    }
    Ok(length)
}
