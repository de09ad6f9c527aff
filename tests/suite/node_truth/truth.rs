//! The truth about a workload: what its containers say that they run on, beside what is there now.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use serde_json::Value;

use super::afresh::{Sources, Texts};
use super::place::Place;

/// What every container of a workload's only pod runs on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Truth(Vec<Seen>);

/// One variable or file of one container.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    container: String,
    /// When the container started.
    started: Timestamp,
    /// The variable's name or the file's path.
    what: String,
    /// What the process goes by.
    has: Option<String>,
    /// What a process that started now would go by.
    would_have: Option<String>,
}

/// Asks the containers and the cluster.
pub(crate) async fn truth(place: &Place<'_>) -> Result<Truth> {
    let pod = place.namespace().only_pod(&place.workload()).await?;
    let sources = Sources::fetch(place.namespace()).await?;
    let spec = serde_json::to_value(&pod.spec)?;
    let mut all = Vec::new();
    for field in ["initContainers", "containers"] {
        for container in spec[field].as_array().into_iter().flatten() {
            if has_started(&pod, container) {
                all.extend(seen(place, &pod, &spec, container, &sources).await?);
            }
        }
    }
    ensure!(!all.is_empty(), "no container was asked what it sees");
    Ok(Truth(all))
}

impl Truth {
    /// When the containers started.
    pub(crate) fn starts(&self) -> impl Iterator<Item = Timestamp> {
        self.0.iter().map(|seen| seen.started)
    }

    /// Whether every container runs on what is there now.
    pub(crate) fn is_current(&self) -> bool {
        self.0.iter().all(|seen| seen.has == seen.would_have)
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = self.0.iter().map(|seen| &seen.container).collect::<BTreeSet<_>>().len() > 1;
        for (position, Seen { container, what, has, would_have, .. }) in self.0.iter().enumerate() {
            let named = if several { format!("{container} ") } else { String::new() };
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{named}{what}={}", text(has))?;
            if has != would_have {
                write!(f, " (now {})", text(would_have))?;
            }
        }
        Ok(())
    }
}

async fn seen(
    place: &Place<'_>,
    pod: &Pod,
    spec: &Value,
    container: &Value,
    sources: &Sources,
) -> Result<Vec<Seen>> {
    let name = container["name"].as_str().context("a container without a name")?;
    let report = place.namespace().report_of(pod, name).await?;
    let annotations = pod.metadata.annotations.as_ref();
    let rereads = annotations.is_some_and(|all| all.contains_key("kubectl-reload.dev/live"));
    let files = if rereads { &report.files } else { &report.files_at_start };
    let (env_now, files_now) = (sources.env(container), sources.files(spec, container));
    let asked = container["args"].as_array().into_iter().flatten().skip(1);
    let seen = asked.filter_map(Value::as_str).flat_map(|asked| {
        let (has, would_have) =
            if asked.starts_with('/') { (files, &files_now) } else { (&report.env, &env_now) };
        let (has, would_have) = (matching(has, asked), matching(would_have, asked));
        let names: BTreeSet<String> = has.keys().chain(would_have.keys()).cloned().collect();
        names.into_iter().map(move |what| (has.get(&what).cloned(), would_have.get(&what).cloned(), what))
    });
    let seen = seen.map(|(has, would_have, what)| Seen {
        container: name.to_owned(),
        started: report.started,
        what,
        has,
        would_have,
    });
    Ok(seen.collect())
}

/// The variable or file of that name, and the files below it.
fn matching(texts: &Texts, asked: &str) -> Texts {
    let below = format!("{asked}/");
    let all = texts.iter().filter(|(what, _)| *what == asked || what.starts_with(&below));
    all.map(|(what, text)| (what.clone(), text.clone())).collect()
}

fn has_started(pod: &Pod, container: &Value) -> bool {
    let Some(status) = &pod.status else { return false };
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let started = |status: &ContainerStatus| {
        let state = status.state.as_ref();
        state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    };
    statuses.filter(|status| container["name"] == status.name.as_str()).any(started)
}
