//! The annotations of this project's prefix, kept while an object's others are skipped: they may be
//! large, and those of a source may hold its values.

use std::{fmt, slice};

use reload_core::annotation::PREFIX;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::api::{ItemsError, ObjectMeta};

/// Full names and values. There are few on an object, and objects are many.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnAnnotations(Box<[(String, String)]>);

impl OwnAnnotations {
    /// Those of an object.
    ///
    /// # Errors
    /// When they are malformed.
    pub(crate) fn of(metadata: &ObjectMeta) -> Result<Self, ItemsError> {
        Ok(Self(metadata.annotations(|name| name.starts_with(PREFIX))?.into_boxed_slice()))
    }

    /// The value of an annotation, by its full name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl<'a> IntoIterator for &'a OwnAnnotations {
    type Item = (&'a String, &'a String);
    type IntoIter = std::iter::Map<slice::Iter<'a, (String, String)>, fn(&'a (String, String)) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

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
        let mut own = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.starts_with(PREFIX) {
                own.push((name, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(OwnAnnotations(own.into_boxed_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_annotations_of_the_prefix_are_kept() {
        let json =
            r#"{"a": "secret", "kubectl-reload.dev/ignore": "true", "kubectl.kubernetes.io/x": "secret"}"#;
        let own: OwnAnnotations = serde_json::from_str(json).unwrap();
        let name = "kubectl-reload.dev/ignore".to_owned();
        assert_eq!(own.into_iter().collect::<Vec<_>>(), [(&name, &"true".to_owned())]);
        assert_eq!((own.get(&name), own.get("a")), (Some("true"), None));
    }
}
