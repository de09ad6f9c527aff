//! The table for people, and the names for scripts.

use super::document::{Document, Nowhere, UsedSource};
use super::users::{Use, User};
use crate::table::{printable, render};

const UNSEEN: &str = "whether it exists may not be seen";

/// How the answer is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// Of more than one.
    pub(super) with_namespace: bool,
    /// Everything there is to tell.
    pub(super) wide: bool,
}

/// TYPE/NAME of each user, once.
pub(super) fn names(document: &Document) -> String {
    let users = document.sources.iter().flat_map(|source| &source.users);
    let mut names: Vec<String> = users.map(|user| printable(&user.label())).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| name + "\n").collect()
}

impl View {
    /// The table, and a sentence on each source.
    pub(super) fn text(self, document: &Document) -> String {
        let mut rows = Vec::new();
        for source in &document.sources {
            for (position, user) in source.users.iter().enumerate() {
                let name = if position == 0 { source.source.as_str() } else { "" };
                rows.extend(self.rows(source, name, user));
            }
        }
        let mut headings = vec!["NAMESPACE", "SOURCE", "WORKLOAD", "PODS", "HOW", "KEYS", "CONTAINERS"];
        if self.wide {
            headings.extend(["OPTIONAL", "POD NAMES"]);
        }
        if !self.with_namespace {
            headings.remove(0);
        }
        let mut text = if rows.is_empty() { String::new() } else { render(&headings, &rows) + "\n" };
        let all_seen = document.incomplete.is_empty();
        text += &document.sources.iter().map(|source| sentence(source, all_seen)).collect::<String>();
        text + &document.nowhere.iter().map(|source| nowhere(source, all_seen)).collect::<String>()
    }

    fn rows(self, source: &UsedSource, name: &str, user: &User) -> Vec<Vec<String>> {
        let mut first = vec![name.to_owned(), user.label(), user.pods.len().to_string()];
        if self.with_namespace {
            first.insert(0, source.namespace.clone());
        }
        let blank = vec![String::new(); first.len()];
        let row = |(position, used): (usize, &Use)| {
            let mut row = if position == 0 { first.clone() } else { blank.clone() };
            row.extend([used.how.to_string(), used.keys(), used.containers.join(",")]);
            if self.wide {
                let pods = if position == 0 { user.pods.join(",") } else { String::new() };
                row.extend([used.optional.to_string(), pods]);
            }
            row
        };
        user.uses.iter().enumerate().map(row).collect()
    }
}

/// How many use it, and whether it exists.
fn sentence(UsedSource { namespace, source, exists, users }: &UsedSource, all_seen: bool) -> String {
    let count = count(users.len(), all_seen);
    let (source, namespace) = (printable(source), printable(namespace));
    let required = users.iter().flat_map(|user| &user.uses).any(|used| !used.optional);
    match exists {
        Some(false) if required => {
            format!("{source} does not exist in namespace {namespace}, and {count}: new pods do not start.\n")
        }
        Some(false) => format!("{source} does not exist in namespace {namespace}, and {count}.\n"),
        Some(true) => format!("{source} in namespace {namespace}: {count}.\n"),
        None => format!("{source} in namespace {namespace}: {count}; {UNSEEN}.\n"),
    }
}

fn nowhere(Nowhere { source, is_known }: &Nowhere, all_seen: bool) -> String {
    let (source, count) = (printable(source), count(0, all_seen));
    match is_known {
        true => format!("{source} does not exist in any namespace, and {count}.\n"),
        false => format!("{source} in all namespaces: {count}; {UNSEEN}.\n"),
    }
}

/// How many are known to use it; there may be more where not all could be looked at.
fn count(users: usize, all_seen: bool) -> String {
    let least = if all_seen { "" } else { "at least " };
    match users {
        0 if all_seen => "nothing uses it".to_owned(),
        0 => "nothing that may be seen uses it".to_owned(),
        1 => format!("{least}1 workload uses it"),
        users => format!("{least}{users} workloads use it"),
    }
}

#[cfg(test)]
mod tests;
