//! What is told of sources and their users: the document for programs, of which the text for people is made
//! too.

use reload_core::source::SourceId;
use serde::Serialize;

use super::existing::Existing;
use super::templates::Templates;
use super::users::{User, users};
use crate::document::API_VERSION;

/// The JSON and YAML output. Its schema is versioned: fields are added, never changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    api_version: &'static str,
    kind: &'static str,
    pub(super) sources: Vec<UsedSource>,
    /// What could not be looked at, so that users may be missing.
    pub(super) incomplete: Vec<String>,
    /// What was asked for in all namespaces, and is not known of any.
    #[serde(skip)]
    pub(super) nowhere: Vec<Nowhere>,
}

/// A source of one namespace and its users.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsedSource {
    pub(super) namespace: String,
    pub(super) source: String,
    /// `null` where that may not be seen.
    pub(super) exists: Option<bool>,
    pub(super) users: Vec<User>,
}

/// A source that nothing uses, and that exists in no namespace as far as that may be seen.
pub(super) struct Nowhere {
    pub(super) source: String,
    /// Whether that may be seen.
    pub(super) is_known: bool,
}

impl Document {
    /// Of these sources, in this order; in one namespace, or in all.
    pub(super) fn of(
        asked: &[SourceId],
        namespace: Option<&str>,
        templates: &Templates,
        existing: &Existing,
    ) -> Self {
        let (mut sources, mut nowhere) = (Vec::new(), Vec::new());
        for id in asked {
            let (source, known) = (id.to_string(), existing.namespaces(id));
            let mut found = users(templates, id);
            let mut places = known.unwrap_or_default().to_vec();
            places.extend(found.keys().cloned());
            places.extend(namespace.map(str::to_owned));
            places.sort();
            places.dedup();
            if places.is_empty() {
                nowhere.push(Nowhere { source, is_known: known.is_some() });
                continue;
            }
            sources.extend(places.into_iter().map(|namespace| UsedSource {
                users: found.remove(&namespace).unwrap_or_default(),
                exists: known.map(|places| places.contains(&namespace)),
                source: source.clone(),
                namespace,
            }));
        }
        let incomplete = templates.incomplete.clone();
        Self { api_version: API_VERSION, kind: "UsedBy", sources, incomplete, nowhere }
    }
}
