//! The rights of a service account, as a pod of it has them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use kube::config::Kubeconfig;
use serde_json::{Value, json};

use super::Cluster;

impl Cluster {
    /// A kubeconfig with a token of this account, as the kubelet would ask for it.
    pub async fn account_kubeconfig(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let made = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        let token = made.status.context("no token")?.token;
        let mut kubeconfig: Value = serde_json::to_value(Kubeconfig::read_from(self.kubeconfig())?)?;
        for user in kubeconfig["users"].as_array_mut().into_iter().flatten() {
            user["user"] = json!({"token": token});
        }
        let path = self.folder().join(format!("{namespace}-{account}.kubeconfig"));
        std::fs::write(&path, kubeconfig.to_string())?;
        Ok(path)
    }
}
