//! The two forms in which a use lists its keys: with marks and without. They are told apart by the
//! kind of JSON value, at once: serde's untagged enums would copy the value first, and this is read
//! for every pod of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Mark;

type Marks = BTreeMap<String, Option<Mark>>;

/// Keys that are selected by name.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum WireKeys {
    Marked(Marks),
    Named(BTreeSet<String>),
}

/// All keys.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum WireAll {
    Marked(Marks),
    Unmarked(bool),
}

impl<'de> Deserialize<'de> for WireKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = WireKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys with their marks, or a list of keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WireKeys, A::Error> {
        Marks::deserialize(MapAccessDeserializer::new(map)).map(WireKeys::Marked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<WireKeys, A::Error> {
        BTreeSet::deserialize(SeqAccessDeserializer::new(list)).map(WireKeys::Named)
    }
}

impl<'de> Deserialize<'de> for WireAll {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AllVisitor)
    }
}

struct AllVisitor;

impl<'de> Visitor<'de> for AllVisitor {
    type Value = WireAll;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys with their marks, or true")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WireAll, A::Error> {
        Marks::deserialize(MapAccessDeserializer::new(map)).map(WireAll::Marked)
    }

    fn visit_bool<E>(self, all: bool) -> Result<WireAll, E> {
        Ok(WireAll::Unmarked(all))
    }
}
