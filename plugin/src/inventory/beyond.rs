//! What an inventory is told beyond its lists: absences that prove nothing, and sources as they would
//! be.

use std::collections::{BTreeSet, HashMap};

use reload_core::source::{Malformed, Source, SourceId, SourceKind};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Inventory, SourceMetadata};

/// By namespace.
#[derive(Default)]
pub(super) struct Beyond {
    /// Why a source that is not listed may be there all the same.
    doubted: HashMap<String, HashMap<SourceKind, String>>,
    /// The whole of each.
    planned: HashMap<String, HashMap<SourceId, Zeroizing<String>>>,
}

impl Inventory {
    /// Asks of each namespace that has pods why sources of a kind that are not listed may be there all
    /// the same.
    pub(crate) fn doubt_absences(&mut self, why: impl Fn(&str, SourceKind) -> Option<String>) {
        let namespaces: BTreeSet<&str> = self.pods.iter().map(|pod| pod.namespace.as_str()).collect();
        for namespace in namespaces {
            for kind in [SourceKind::ConfigMap, SourceKind::Secret] {
                if let Some(why) = why(namespace, kind) {
                    self.beyond.doubted.entry(namespace.to_owned()).or_default().insert(kind, why);
                }
            }
        }
    }

    pub(super) fn doubted(&self, namespace: &str, kind: SourceKind) -> Option<String> {
        self.beyond.doubted.get(namespace)?.get(&kind).cloned()
    }

    /// From now on a source is as this object says, whatever is there.
    ///
    /// # Errors
    /// When it is no such object.
    pub(crate) fn plan(
        &mut self,
        namespace: &str,
        id: &SourceId,
        json: Zeroizing<String>,
    ) -> Result<(), Malformed> {
        Source::parse(id.kind, json.as_bytes())?;
        #[derive(Deserialize)]
        struct Whole {
            metadata: SourceMetadata,
        }
        if let Ok(Whole { metadata }) = serde_json::from_str(&json) {
            self.sources.entry(namespace.to_owned()).or_default().insert(id.clone(), metadata);
        }
        self.beyond.planned.entry(namespace.to_owned()).or_default().insert(id.clone(), json);
        Ok(())
    }

    /// A source as it would be, with its content.
    pub(super) fn planned(&self, namespace: &str, id: &SourceId) -> Option<Source> {
        let json = self.beyond.planned.get(namespace)?.get(id)?;
        Source::parse(id.kind, json.as_bytes()).ok()
    }
}
