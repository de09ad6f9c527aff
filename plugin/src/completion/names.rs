//! Live names, for as long as a person waits for a completion.

use std::time::Duration;

use clap::Parser;
use kube::Client;
use serde::Deserialize;

use super::words::Names;
use super::{Directive, Word};
use crate::api::{Resource, list_metadata};
use crate::connection::{Connection, ConnectionArgs};
use crate::workload::Kind;

/// A line waits no longer for its words.
const LIMIT: Duration = Duration::from_secs(3);

/// Kinds of workload that can be named, the most usual first.
const KINDS: [Kind; 8] = [
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Rollout,
    Kind::ReplicaSet,
    Kind::CronJob,
    Kind::Job,
    Kind::Pod,
];

#[derive(Parser)]
struct Only {
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The names that begin so. `flags` choose the cluster and the namespace.
pub(super) async fn find(of: Names, begin: &str, flags: &[String]) -> (Vec<Word>, Directive) {
    let nothing = (Vec::new(), Directive::NoFiles);
    let program = std::iter::once("kubectl-reload").chain(flags.iter().map(String::as_str));
    let Ok(Only { connection }) = Only::try_parse_from(program) else { return nothing };
    let found = async {
        match of {
            Names::Contexts | Names::Clusters | Names::Users => Some(of_kubeconfig(&of, begin, &connection)?),
            Names::Namespaces => Some(namespaces(begin, &connection).await?),
            Names::Workloads { kind: None } if !begin.contains('/') => {
                let kinds = KINDS.iter().map(|kind| format!("{}/", kind.singular()));
                Some((matching(kinds, begin, "a kind of workload"), Directive::NoSpace))
            }
            Names::Sources if !last(begin).contains('/') => {
                let kinds = ["configmap/", "secret/"].map(|kind| format!("{}{kind}", head(begin)));
                Some((matching(kinds.into_iter(), begin, "a kind of source"), Directive::NoSpace))
            }
            Names::Workloads { kind: Some(kind) } => {
                let kind = Kind::of_name(&kind)?;
                Some((objects(kind.resource()?, "", begin, &connection).await?, Directive::NoFiles))
            }
            Names::Workloads { kind: None } => {
                let (kind, _) = begin.split_once('/')?;
                let resource = Kind::of_name(kind)?.resource()?;
                Some((objects(resource, &format!("{kind}/"), begin, &connection).await?, Directive::NoFiles))
            }
            Names::Sources => {
                let (kind, _) = last(begin).split_once('/')?;
                let source = format!("{kind}/x").parse::<reload_core::source::SourceId>().ok()?;
                let prefix = format!("{}{kind}/", head(begin));
                let resource = ("/api/v1", source.kind.plural());
                Some((objects(resource, &prefix, begin, &connection).await?, Directive::NoFiles))
            }
        }
    };
    tokio::time::timeout(LIMIT, found).await.ok().flatten().unwrap_or(nothing)
}

/// Of `configmap/a,secret/b` what stands after the last comma.
fn last(begin: &str) -> &str {
    begin.rsplit_once(',').map_or(begin, |(_, last)| last)
}

fn head(begin: &str) -> &str {
    &begin[..begin.len() - last(begin).len()]
}

fn matching(names: impl Iterator<Item = String>, begin: &str, about: &str) -> Vec<Word> {
    names.filter(|name| name.starts_with(begin)).map(|name| (name, about.to_owned())).collect()
}

fn of_kubeconfig(of: &Names, begin: &str, connection: &ConnectionArgs) -> Option<(Vec<Word>, Directive)> {
    let config = connection.files().read().ok()?;
    let names: Vec<String> = match of {
        Names::Contexts => config.contexts.into_iter().map(|named| named.name).collect(),
        Names::Clusters => config.clusters.into_iter().map(|named| named.name).collect(),
        _ => config.auth_infos.into_iter().map(|named| named.name).collect(),
    };
    Some((matching(names.into_iter(), begin, ""), Directive::NoFiles))
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

async fn namespaces(begin: &str, connection: &ConnectionArgs) -> Option<(Vec<Word>, Directive)> {
    let Connection { client, .. } = connection.connect().await.ok()?;
    let resource = Resource { group: "/api/v1", plural: "namespaces", namespace: None, name: None };
    Some((names(&client, resource, "", begin).await?, Directive::NoFiles))
}

async fn objects(
    (group, plural): (&str, &str),
    prefix: &str,
    begin: &str,
    connection: &ConnectionArgs,
) -> Option<Vec<Word>> {
    let Connection { client, namespace } = connection.connect().await.ok()?;
    let resource = Resource { group, plural, namespace: Some(&namespace), name: None };
    names(&client, resource, prefix, begin).await
}

async fn names(client: &Client, resource: Resource<'_>, prefix: &str, begin: &str) -> Option<Vec<Word>> {
    let items: Vec<Item> = list_metadata(client, resource, &[]).await.ok()?;
    Some(matching(items.into_iter().map(|item| format!("{prefix}{}", item.metadata.name)), begin, ""))
}
