//! The annotations of this project's prefix, kept while an object's others are skipped: they may be
//! large, and those of a source may hold its values.

use std::collections::BTreeMap;
use std::fmt;

use reload_core::annotation::PREFIX;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// By full name.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnAnnotations(pub(crate) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for OwnAnnotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Filter)
    }
}

struct Filter;

impl<'de> Visitor<'de> for Filter {
    type Value = OwnAnnotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OwnAnnotations, A::Error> {
        let mut own = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.starts_with(PREFIX) {
                own.insert(name, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(OwnAnnotations(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_annotations_of_the_prefix_are_kept() {
        let json =
            r#"{"a": "secret", "kubectl-reload.dev/ignore": "true", "kubectl.kubernetes.io/x": "secret"}"#;
        let OwnAnnotations(own) = serde_json::from_str(json).unwrap();
        assert_eq!(
            own.into_iter().collect::<Vec<_>>(),
            [("kubectl-reload.dev/ignore".to_owned(), "true".to_owned())]
        );
    }
}
