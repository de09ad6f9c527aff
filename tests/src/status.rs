//! What `kubectl reload status -o json` says, as tests ask it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::namespace::Namespace;

/// The workloads of a namespace with their verdicts.
#[derive(Debug)]
pub struct Status(BTreeMap<String, Value>);

impl Namespace<'_> {
    /// Asks for the status of this namespace; it must succeed.
    pub async fn status(&self) -> Result<Status> {
        let document = self.reload(&["status", "-o", "json"]).await?.success()?.json()?;
        let workloads = document["workloads"].as_array().context("no workloads")?;
        let named = workloads.iter().map(|workload| {
            let kind = workload["kind"].as_str().unwrap_or_default().to_lowercase();
            let name = workload["name"].as_str().unwrap_or_default();
            (format!("{kind}/{name}"), workload.clone())
        });
        Ok(Status(named.collect()))
    }
}

impl Status {
    /// `Drifted recorded`, of one workload (`deployment/shop`).
    pub fn verdict(&self, workload: &str) -> Result<String> {
        let report = self.of(workload)?;
        let text = |field: &str| report[field].as_str().unwrap_or_default().to_owned();
        Ok(format!("{} {}", text("verdict"), text("certainty")))
    }

    /// `2/3`: pods that the verdict is about, of all.
    pub fn pods(&self, workload: &str) -> Result<String> {
        let report = self.of(workload)?;
        Ok(format!("{}/{}", report["affected"], report["pods"]))
    }

    /// The causes of one workload, each as `configmap/a changed: +added ~changed -removed`.
    pub fn causes(&self, workload: &str) -> Result<Vec<String>> {
        let causes = self.of(workload)?["causes"].as_array().context("no causes")?;
        Ok(causes.iter().map(cause).collect())
    }

    /// The workloads whose verdict is Drifted for sure.
    pub fn drifted(&self) -> Vec<&str> {
        let drifted = |report: &Value| report["verdict"] == "Drifted" && report["certainty"] == "recorded";
        self.0.iter().filter(|(_, report)| drifted(report)).map(|(name, _)| name.as_str()).collect()
    }

    fn of(&self, workload: &str) -> Result<&Value> {
        self.0.get(workload).with_context(|| format!("{workload} is not in {self:?}"))
    }
}

fn cause(cause: &Value) -> String {
    let text = |field: &str| cause[field].as_str().unwrap_or_default().to_owned();
    let keys = |field: &str, sign: &str| {
        let keys = cause[field].as_array().into_iter().flatten();
        keys.filter_map(Value::as_str).map(|key| format!(" {sign}{key}")).collect::<String>()
    };
    let (added, changed, removed) = (keys("added", "+"), keys("changed", "~"), keys("removed", "-"));
    format!("{} {}:{added}{changed}{removed}", text("source"), text("reason"))
}
