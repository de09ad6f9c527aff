//! Requests to a webhook over TLS, past the API server.

use anyhow::{Result, ensure};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use k8s_openapi::ByteString;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::cluster::install_crypto_provider;

/// A client of one replica.
#[derive(Clone)]
pub struct Caller {
    client: Client,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, as far as it is text.
    pub body: String,
}

impl Caller {
    /// One that trusts no other CA than those of this bundle, as the API server does.
    pub async fn trusting(port: u16, bundle: &ByteString) -> Result<Self> {
        Self::new(port, json!({"certificate-authority-data": bundle})).await
    }

    /// One that asks for no certificate's CA, as the kubelet's probes.
    pub async fn anyone(port: u16) -> Result<Self> {
        Self::new(port, json!({"insecure-skip-tls-verify": true})).await
    }

    async fn new(port: u16, mut cluster: Value) -> Result<Self> {
        install_crypto_provider();
        cluster["server"] = json!(format!("https://127.0.0.1:{port}"));
        let kubeconfig: Kubeconfig = serde_json::from_value(json!({
            "current-context": "webhook",
            "contexts": [{"name": "webhook", "context": {"cluster": "webhook", "user": "nobody"}}],
            "clusters": [{"name": "webhook", "cluster": cluster}],
            "users": [{"name": "nobody", "user": {}}],
        }))?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Self { client: Client::try_from(config)? })
    }

    /// The body of `GET PATH`; an error for any status but 200.
    pub async fn get(&self, path: &str) -> Result<String> {
        let answer = self.send(Request::get(path).body(Body::empty())?).await?;
        ensure!(answer.status == StatusCode::OK, "GET {path}: {} {}", answer.status, answer.body);
        Ok(answer.body)
    }

    /// `POST /mutate` with this body, as JSON.
    pub async fn post(&self, body: impl Into<Vec<u8>>) -> Result<Answer> {
        let request = Request::post("/mutate").header("Content-Type", "application/json");
        self.send(request.body(Body::from(body.into()))?).await
    }

    /// The `response` of a review.
    pub async fn review(&self, review: &Value) -> Result<Value> {
        let answer = self.post(review.to_string()).await?;
        ensure!(answer.status == StatusCode::OK, "{} {}", answer.status, answer.body);
        let mut answer: Value = serde_json::from_str(&answer.body)?;
        Ok(answer["response"].take())
    }

    /// Any request.
    pub async fn send(&self, request: Request<Body>) -> Result<Answer> {
        let answer = self.client.send(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// The review of a pod's creation, as the API server sends it.
pub fn review(namespace: &str, pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    })
}
