//! The program that pods run on a real node, which says what it really sees.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use kube::api::LogParams;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::manifest::Workload;
use crate::namespace::Namespace;
use crate::wait::eventually;

/// The image that the program is in. It lies on the node; nothing is ever pulled.
pub const IMAGE: &str = "localhost/witness:1";

/// How long a container may take to start, also again after it was told to crash.
const RESTART: Duration = Duration::from_secs(60);

/// How long a container that runs may take to say what it sees.
const SAID: Duration = Duration::from_secs(10);

/// The exit code of a process that was killed.
const KILLED: i32 = 128 + 9;

/// What a container has seen: its variables when it started, its files then and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// When its process started, by the node's clock.
    pub started: Timestamp,
    /// The variables that it was asked for, as far as they exist.
    pub env: BTreeMap<String, String>,
    /// The files that it was asked for, by path, as far as they exist.
    pub files: BTreeMap<String, String>,
    /// The same when it started: what a process that reads its files once goes by.
    pub files_at_start: BTreeMap<String, String>,
    /// When it saw the files so for the first time.
    pub files_since: Timestamp,
}

/// A line that the program writes.
#[derive(Deserialize)]
struct Line {
    time: Timestamp,
    #[serde(default)]
    env: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

/// A container that reports: variables by name, files and directories by path.
pub fn container(name: &str, sees: &[&str]) -> Value {
    let arguments = [&["run"], sees].concat();
    json!({"name": name, "image": IMAGE, "imagePullPolicy": "Never", "args": arguments})
}

impl Workload {
    /// The container reports these: variables by name, files and directories by path.
    pub fn sees(self, sees: &[&str]) -> Self {
        let fields = container("app", sees);
        // There is no DNS, and the kubelet warns of each pod that asks for it.
        let workload = self.with("/spec/template/spec", "dnsPolicy", json!("Default"));
        ["image", "imagePullPolicy", "args"].into_iter().fold(workload, |workload, field| {
            workload.with("/spec/template/spec/containers/0", field, fields[field].clone())
        })
    }
}

impl Namespace<'_> {
    /// What the container `app` of a workload's only pod (`deployment/shop`) sees now.
    pub async fn report(&self, workload: &str) -> Result<Report> {
        self.report_of(&self.only_pod(workload).await?, "app").await
    }

    /// What a container of a pod sees now. One that has just started gets a moment to say so.
    pub async fn report_of(&self, pod: &Pod, container: &str) -> Result<Report> {
        let pod = pod.name_any();
        let params = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
        eventually(format!("{container} of {pod} has reported"), SAID, async || {
            report(&self.api::<Pod>().logs(&pod, &params).await?)
        })
        .await
    }

    /// Ends the container `app` of a workload's only pod, so that it fails and the kubelet starts
    /// it again in place, and waits until it runs.
    pub async fn crash(&self, workload: &str) -> Result<()> {
        self.crash_of(workload, "app").await
    }

    /// The same for another container of the pod.
    pub async fn crash_of(&self, workload: &str, container: &str) -> Result<()> {
        let pod = self.only_pod(workload).await?;
        let before = restarts(&pod, container)?;
        self.tell(&pod, container, "crash").await?;
        eventually("the container has started again", RESTART, async || {
            let pod = self.api::<Pod>().get(&pod.name_any()).await?;
            let now = restarts(&pod, container)?;
            ensure!(now > before && is_running(&pod, container), "{:?}", pod.status);
            Ok(())
        })
        .await
    }

    /// Waits until a container of a workload's only pod runs, and gives the pod.
    pub async fn runs(&self, workload: &str, container: &str) -> Result<Pod> {
        eventually(format!("{container} of {workload} runs"), RESTART, async || {
            let pod = self.only_pod(workload).await?;
            ensure!(is_running(&pod, container), "{:?}", pod.status);
            Ok(pod)
        })
        .await
    }

    /// Tells a container to `crash`, or to `finish` as a good init container does.
    pub async fn tell(&self, pod: &Pod, container: &str, order: &str) -> Result<()> {
        let pod = pod.name_any();
        // The namespace has to stand before the dashes.
        let exec = ["exec", "-n", self.name(), &pod, "-c", container];
        let command = [&exec[..], &["--", "/witness", "tell", order]].concat();
        let output = self.cluster().kubectl().output(&command).await?;
        // The container may take the messenger along.
        if output.code == KILLED { Ok(()) } else { output.success().map(drop) }
    }

    /// The one live pod of a workload (`deployment/shop`).
    pub async fn only_pod(&self, workload: &str) -> Result<Pod> {
        let mut pods = self.pods(workload).await?;
        ensure!(pods.len() == 1, "{workload} has {} pods", pods.len());
        pods.pop().context("no pod")
    }
}

/// All that the lines say together.
fn report(log: &str) -> Result<Report> {
    let lines = log.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>();
    let lines = lines.with_context(|| format!("no report: {log:?}"))?;
    let first = lines.first().context("it has said nothing yet")?;
    let last = lines.last().unwrap_or(first);
    Ok(Report {
        started: first.time,
        env: first.env.clone(),
        files: last.files.clone(),
        files_at_start: first.files.clone(),
        files_since: last.time,
    })
}

fn restarts(pod: &Pod, container: &str) -> Result<i32> {
    Ok(status(pod, container).context("the container has no status")?.restart_count)
}

fn is_running(pod: &Pod, container: &str) -> bool {
    let state = status(pod, container).and_then(|status| status.state.as_ref());
    state.is_some_and(|state| state.running.is_some())
}

fn status<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let main = status.container_statuses.iter().flatten();
    let init = status.init_container_statuses.iter().flatten();
    main.chain(init).find(|status| status.name == container)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_those_of_the_start_and_files_those_of_the_last_line() {
        let log = r#"{"time":"2026-01-02T03:04:05Z","env":{"A":"1"},"files":{"/a":"old"}}
{"time":"2026-01-02T03:05:05Z","files":{"/a":"new"}}
"#;
        let seen = report(log).unwrap();
        assert_eq!(seen.env["A"], "1");
        assert_eq!(seen.files["/a"], "new");
        assert_eq!(seen.files_at_start["/a"], "old");
        assert_eq!(seen.started, "2026-01-02T03:04:05Z".parse().unwrap());
        assert_eq!(seen.files_since, "2026-01-02T03:05:05Z".parse().unwrap());
        assert!(report("").is_err());
    }
}
