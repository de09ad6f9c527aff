//! One document of a file: an object, or a list of them, whose items are taken up one by one.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{DuplicateKeyPolicy, Options};

use super::Object;

/// How deep objects are nested: the limit of the JSON parser.
const DEPTH: usize = 128;

/// The fields of an object, and apart from them those named `items`.
pub(super) struct Document {
    fields: Map<String, Value>,
    items: Option<Vec<Object>>,
}

impl Document {
    /// The object, or those of the list. Items of a typed list may lack what its kind says.
    pub(super) fn objects(self) -> Vec<Object> {
        let Self { fields, items } = self;
        let text = |field: &str| fields.get(field).and_then(Value::as_str);
        let (kind, api_version) = (text("kind"), text("apiVersion"));
        let (Some(of), Some(mut items)) = (kind.and_then(|kind| kind.strip_suffix("List")), items) else {
            return vec![Object::new(&Value::Object(fields))];
        };
        for item in items.iter_mut().filter(|item| item.kind.is_none() && !of.is_empty()) {
            item.kind = Some(of.to_owned());
            item.api_version = item.api_version.take().or_else(|| api_version.map(str::to_owned));
        }
        items
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let (mut fields, mut items) = (Map::new(), None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "items" => items = Some(map.next_value::<Items>()?.0),
                _ => drop(fields.insert(name, map.next_value()?)),
            }
        }
        Ok(Document { fields, items })
    }
}

/// Objects, which may be `null` where there are none.
struct Items(Vec<Object>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Objects)
    }
}

struct Objects;

impl<'de> Visitor<'de> for Objects {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects")
    }

    fn visit_unit<E>(self) -> Result<Items, E> {
        Ok(Items(Vec::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Items, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element::<Value>()? {
            if !item.is_object() {
                return Err(A::Error::custom("no object"));
            }
            items.push(Object::new(&item));
        }
        Ok(Items(items))
    }
}

/// How YAML is read: what aliases repeat counts as if it stood there, and no error quotes the text.
pub(super) fn options(limit: usize) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: limit,
            max_nodes: limit,
            max_documents: limit,
            max_total_scalar_bytes: limit,
            max_total_comment_bytes: limit,
            max_aliases: 10_000,
            max_anchors: 10_000,
            max_depth: DEPTH,
        },
        // As the API server's decoder has it.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        // Fields of other kinds may hold them, and are not looked at.
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}
