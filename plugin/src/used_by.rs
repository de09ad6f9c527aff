//! `kubectl reload used-by`: which workloads and pods use a source, how, and which keys.

mod templates;
mod users;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use kube::Client;
use reload_core::source::SourceId;
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::api::{ApiError, Resource, get_metadata, list_metadata};
use crate::connection::{Connection, ConnectionArgs};
use crate::document::{API_VERSION, Form, Output};
use crate::table::{emit, printable, render};
use templates::Templates;
pub(crate) use users::{Use, uses};
use users::{User, users};

/// Shows which workloads and pods use a ConfigMap or a Secret, how, and which keys.
///
/// Workloads that have no pods now count too: those scaled to zero, CronJobs and suspended Jobs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl reload used-by configmap/web-settings -n shop
  kubectl reload used-by cm/web-settings secret/db-login -n shop -o wide
  kubectl reload used-by secret/registry -A -o name")]
pub(crate) struct UsedByArgs {
    /// Sources, as configmap/NAME or secret/NAME.
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<SourceId>,

    /// Look at all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

/// A source of one namespace and its users.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UsedSource {
    namespace: String,
    source: String,
    /// `null` where that may not be seen.
    exists: Option<bool>,
    users: Vec<User>,
}

/// The JSON and YAML output.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    sources: Vec<UsedSource>,
    /// What could not be looked at, so that users may be missing.
    incomplete: Vec<String>,
}

/// Runs the command.
pub(crate) async fn run(args: UsedByArgs, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    let Connection { client, namespace } = connection.connect().await?;
    let namespace = (!args.all_namespaces).then_some(namespace);
    let (templates, existing) = tokio::join!(
        Templates::fetch(&client, namespace.as_deref()),
        Existing::fetch(&client, namespace.as_deref(), &args.sources)
    );
    let (templates, mut existing) = (templates?, existing?);
    let mut sources = Vec::new();
    for source in &args.sources {
        let mut found = users(&templates, source);
        let mut places = existing.namespaces(source);
        places.extend(found.keys().cloned());
        places.extend(namespace.clone());
        places.sort();
        places.dedup();
        sources.extend(places.into_iter().map(|namespace| UsedSource {
            users: found.remove(&namespace).unwrap_or_default(),
            exists: existing.take(&namespace, source),
            source: source.to_string(),
            namespace,
        }));
    }
    let document =
        Document { api_version: API_VERSION, kind: "UsedBy", sources, incomplete: templates.incomplete };
    emit(&match args.output {
        Output::Table => text(&document, &args.sources, namespace.is_none(), false),
        Output::Wide => text(&document, &args.sources, namespace.is_none(), true),
        Output::Json => Form::Json.write(&document)?,
        Output::Yaml => Form::Yaml.write(&document)?,
        Output::Name => names(&document.sources),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Which of the sources exist where.
struct Existing(BTreeMap<SourceId, Result<Vec<String>, ApiError>>);

impl Existing {
    async fn fetch(client: &Client, namespace: Option<&str>, ids: &[SourceId]) -> Result<Self, ApiError> {
        let mut all = BTreeMap::new();
        for id in ids {
            let namespaces = match namespace {
                Some(namespace) => get(client, namespace, id).await,
                None => list(client, id).await,
            };
            match namespaces {
                Err(error) if !error.is_forbidden() => return Err(error),
                result => drop(all.insert(id.clone(), result)),
            }
        }
        Ok(Self(all))
    }

    fn namespaces(&self, id: &SourceId) -> Vec<String> {
        self.0.get(id).and_then(|found| found.as_ref().ok()).cloned().unwrap_or_default()
    }

    fn take(&mut self, namespace: &str, id: &SourceId) -> Option<bool> {
        let found = self.0.get(id)?.as_ref().ok()?;
        Some(found.iter().any(|place| place == namespace))
    }
}

async fn get(client: &Client, namespace: &str, id: &SourceId) -> Result<Vec<String>, ApiError> {
    let plural = id.kind.plural();
    let resource = Resource { group: "/api/v1", plural, namespace: Some(namespace), name: Some(&id.name) };
    match get_metadata::<IgnoredAny>(client, resource).await {
        Ok(_) => Ok(vec![namespace.to_owned()]),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn list(client: &Client, id: &SourceId) -> Result<Vec<String>, ApiError> {
    #[derive(serde::Deserialize)]
    struct Item {
        metadata: Metadata,
    }
    #[derive(serde::Deserialize)]
    struct Metadata {
        namespace: String,
    }
    let resource = Resource { group: "/api/v1", plural: id.kind.plural(), namespace: None, name: None };
    let name = format!("metadata.name={}", id.name);
    let items: Vec<Item> = list_metadata(client, resource, &[("fieldSelector", &name)]).await?;
    Ok(items.into_iter().map(|item| item.metadata.namespace).collect())
}

fn names(sources: &[UsedSource]) -> String {
    let mut names: Vec<String> =
        sources.iter().flat_map(|source| &source.users).map(|user| printable(&user.label())).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| name + "\n").collect()
}

fn text(document: &Document, asked: &[SourceId], with_namespace: bool, wide: bool) -> String {
    let mut rows = Vec::new();
    for source in &document.sources {
        for (position, user) in source.users.iter().enumerate() {
            let name = if position == 0 { source.source.as_str() } else { "" };
            rows.extend(rows_of(source, name, user, with_namespace, wide));
        }
    }
    let mut headings = vec!["NAMESPACE", "SOURCE", "WORKLOAD", "PODS", "HOW", "KEYS", "CONTAINERS"];
    if wide {
        headings.extend(["OPTIONAL", "POD NAMES"]);
    }
    if !with_namespace {
        headings.remove(0);
    }
    let mut text = if rows.is_empty() { String::new() } else { render(&headings, &rows) + "\n" };
    for source in &document.sources {
        text += &sentence(source);
    }
    // In all namespaces, what is nowhere has no line yet.
    for id in asked.iter().map(ToString::to_string) {
        if !document.sources.iter().any(|source| source.source == id) {
            text += &format!("{id} does not exist in any namespace, and nothing uses it.\n");
        }
    }
    text
}

/// How many use it, and whether it exists.
fn sentence(UsedSource { namespace, source, exists, users }: &UsedSource) -> String {
    let count = match users.len() {
        0 => "nothing uses it".to_owned(),
        1 => "1 workload uses it".to_owned(),
        count => format!("{count} workloads use it"),
    };
    let namespace = printable(namespace);
    let required = users.iter().flat_map(|user| &user.uses).any(|used| !used.optional);
    match exists {
        Some(false) if required => {
            format!("{source} does not exist in namespace {namespace}, and {count}: new pods do not start.\n")
        }
        Some(false) => format!("{source} does not exist in namespace {namespace}, and {count}.\n"),
        Some(true) | None => format!("{source} in namespace {namespace}: {count}.\n"),
    }
}

fn rows_of(
    source: &UsedSource,
    name: &str,
    user: &User,
    with_namespace: bool,
    wide: bool,
) -> Vec<Vec<String>> {
    let mut first = vec![name.to_owned(), user.label(), user.pods.len().to_string()];
    if with_namespace {
        first.insert(0, source.namespace.clone());
    }
    let blank = vec![String::new(); first.len()];
    let row = |(position, used): (usize, &Use)| {
        let mut row = if position == 0 { first.clone() } else { blank.clone() };
        row.extend([used.how.to_string(), used.keys(), used.containers.join(",")]);
        if wide {
            let pods = if position == 0 { user.pods.join(",") } else { String::new() };
            row.extend([used.optional.to_string(), pods]);
        }
        row
    };
    user.uses.iter().enumerate().map(row).collect()
}
