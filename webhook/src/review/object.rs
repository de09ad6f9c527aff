//! The object of a review: a pod before it is parsed.
//!
//! Pods reach the webhook before they are validated, so how much there is to parse is looked at first,
//! and of what has no say in a record (managed fields, labels, a status) nothing is made.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use reload_core::annotation::RECORD;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The most JSON objects that a pod may consist of. An empty one, of three bytes, becomes a volume of
/// kilobytes; one with a thousand references has some four thousand.
const MAX_OBJECTS: usize = 8_000;

/// The most commas that a pod may have. What is between two, an item of a list or an annotation,
/// becomes a hundred bytes; one with a thousand references has some four thousand.
const MAX_COMMAS: usize = 32_000;

/// What is more than this, in bytes and in objects and commas together, is large. A common pod has 5 to
/// 20 KiB, and some hundred of these.
const LARGE_TEXT: usize = 128 * 1024;
const LARGE_PARTS: usize = 2_000;

/// What parsing a pod takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Next to nothing.
    Common,
    /// So much time and memory that it is not done for many at once.
    Large,
    /// More than anybody has of it.
    TooLarge,
}

/// What of a pod has a say in its record.
#[derive(Debug, Default)]
pub(crate) struct Pod {
    pub(crate) name: Option<String>,
    pub(crate) generate_name: Option<String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) owners: Vec<OwnerReference>,
    pub(crate) spec: Option<PodSpec>,
}

/// Why there is no pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPod {
    /// It is not well-formed.
    Invalid,
    /// It consists of more parts than are looked at.
    TooLarge,
}

/// A pod that is to be made, as text.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    metadata: Metadata<'a>,
    spec: Option<&'a RawValue>,
    place: Place,
    parts: Parts,
}

/// Where in the pod the record's annotation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// There is no `metadata`.
    NoMetadata,
    /// There are no annotations.
    NoAnnotations,
    /// There are annotations.
    Annotations {
        /// One of them is a record, which another pod's or an earlier answer may be.
        has_record: bool,
    },
    /// The metadata is not well-formed.
    Unknown,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    generate_name: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    owner_references: Option<&'a RawValue>,
}

impl<'a> Object<'a> {
    pub(super) fn new(object: &'a RawValue) -> Self {
        #[derive(Deserialize)]
        struct Whole<'a> {
            #[serde(borrow)]
            metadata: Option<&'a RawValue>,
            #[serde(borrow)]
            spec: Option<&'a RawValue>,
        }
        let of = |metadata, spec, place| {
            let object = Self { metadata, spec, place, parts: Parts::default() };
            Self { parts: object.texts().fold(Parts::default(), Parts::and), ..object }
        };
        let Some(Whole { metadata, spec }) = map(object) else {
            return of(Metadata::default(), None, Place::Unknown);
        };
        let Some(metadata) = metadata else { return of(Metadata::default(), spec, Place::NoMetadata) };
        let Some(metadata) = map::<Metadata<'_>>(metadata) else {
            return of(Metadata::default(), None, Place::Unknown);
        };
        let place = match metadata.annotations {
            None => Place::NoAnnotations,
            Some(annotations) => map(annotations)
                .map_or(Place::Unknown, |HasRecord(has_record)| Place::Annotations { has_record }),
        };
        of(metadata, spec, place)
    }

    /// Where its record goes.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// What parsing it takes.
    pub(crate) fn size(&self) -> Size {
        let Parts { bytes, objects, commas } = self.parts;
        if objects > MAX_OBJECTS || commas > MAX_COMMAS {
            Size::TooLarge
        } else if bytes > LARGE_TEXT || objects + commas > LARGE_PARTS {
            Size::Large
        } else {
            Size::Common
        }
    }

    /// The pod.
    ///
    /// # Errors
    /// [`NoPod`]
    pub(crate) fn pod(&self) -> Result<Pod, NoPod> {
        if self.size() == Size::TooLarge {
            return Err(NoPod::TooLarge);
        }
        if self.place == Place::Unknown {
            return Err(NoPod::Invalid);
        }
        let Metadata { name, generate_name, annotations, owner_references } = &self.metadata;
        Ok(Pod {
            name: parsed(*name)?,
            generate_name: parsed(*generate_name)?,
            annotations: parsed(*annotations)?.unwrap_or_default(),
            owners: parsed(*owner_references)?.unwrap_or_default(),
            spec: parsed(self.spec)?,
        })
    }

    /// What is parsed of it.
    fn texts(&self) -> impl Iterator<Item = &'a str> {
        let Metadata { name, generate_name, annotations, owner_references } = self.metadata;
        let all = [name, generate_name, annotations, owner_references, self.spec];
        all.into_iter().flatten().map(RawValue::get)
    }
}

/// How much there is to parse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Parts {
    bytes: usize,
    objects: usize,
    commas: usize,
}

impl Parts {
    /// And those of a JSON text, strings in it aside.
    fn and(mut self, json: &str) -> Self {
        self.bytes += json.len();
        let (mut in_text, mut escaped) = (false, false);
        for byte in json.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = in_text,
                b'"' => in_text = !in_text,
                b'{' if !in_text => self.objects += 1,
                b',' if !in_text => self.commas += 1,
                _ => {}
            }
        }
        self
    }
}

/// Whether an object has the record's key. Of the others nothing is kept: there may be a million.
struct HasRecord(bool);

impl<'de> Deserialize<'de> for HasRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = HasRecord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HasRecord, A::Error> {
                let mut has_record = false;
                while let Some((key, IgnoredAny)) = map.next_entry::<Cow<'de, str>, IgnoredAny>()? {
                    has_record |= key == RECORD;
                }
                Ok(HasRecord(has_record))
            }
        }
        deserializer.deserialize_map(Keys).map_err(D::Error::custom)
    }
}

fn parsed<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<Option<T>, NoPod> {
    raw.map(|raw| serde_json::from_str(raw.get()).map_err(|_| NoPod::Invalid)).transpose()
}

/// A JSON object; a list would pass for one, too, and no patch fits into it.
fn map<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    raw.get().trim_start().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()
}

#[cfg(test)]
mod tests;
