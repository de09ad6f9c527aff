//! The metadata of objects in Kubernetes' protobuf: half of the work of JSON, for the API server as for
//! us. The messages are those of `apimachinery/pkg/runtime` and `apimachinery/pkg/apis/meta/v1`
//! (`generated.proto`); what nothing is kept of is skipped while parsing.

use std::borrow::Cow;
use std::io::Read;

use jiff::Timestamp;
use prost::bytes::Bytes;
use prost::{Message, decode_length_delimiter};
use reload_core::last_write::ManagedFields;
use zeroize::Zeroizing;

use super::ItemsError;
use super::buffer::Buffer;

/// The content type of such an answer.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What an answer begins with, before its `Unknown` message.
const MAGIC: &[u8] = b"k8s\0";

/// `Unknown.raw`, which holds the list.
const RAW: usize = 2;

/// `PartialObjectMetadataList.items`.
const ITEMS: usize = 2;

/// The wire type of strings and messages.
const LENGTH_DELIMITED: usize = 2;

/// The longest number on the wire, in bytes.
const VARINT: usize = 10;

/// `PartialObjectMetadata`.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct Item {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
}

/// `ObjectMeta`. What only some look at stays as it came, and is parsed when they do: annotations may
/// hold values, and are never copied.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct ObjectMeta {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) generate_name: String,
    #[prost(string, tag = "3")]
    pub(crate) namespace: String,
    #[prost(string, tag = "5")]
    pub(crate) uid: String,
    #[prost(string, tag = "6")]
    pub(crate) resource_version: String,
    #[prost(message, optional, tag = "8")]
    creation_timestamp: Option<Time>,
    #[prost(bytes = "bytes", optional, tag = "9")]
    deletion_timestamp: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "11")]
    labels: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "12")]
    annotations: Vec<Bytes>,
    #[prost(message, repeated, tag = "13")]
    pub(crate) owner_references: Vec<OwnerReference>,
    #[prost(bytes = "bytes", repeated, tag = "17")]
    managed_fields: Vec<Bytes>,
}

/// `OwnerReference`. What it says is anybody's to write, and need not be text: see [`text`].
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct OwnerReference {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) kind: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) name: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) uid: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) api_version: Bytes,
    #[prost(bool, tag = "6")]
    pub(crate) controller: bool,
}

/// `Time`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// An entry of a map from strings to strings.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct Entry {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// `ManagedFieldsEntry`.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct ManagedFieldsEntry {
    #[prost(bytes = "bytes", tag = "1")]
    manager: Bytes,
    #[prost(message, optional, tag = "4")]
    time: Option<Time>,
    #[prost(message, optional, tag = "7")]
    fields: Option<FieldsV1>,
}

/// `FieldsV1`: JSON, also here.
#[derive(Clone, PartialEq, Message)]
struct FieldsV1 {
    #[prost(bytes = "bytes", tag = "1")]
    raw: Bytes,
}

/// The metadata of every item of a list.
///
/// # Errors
/// When reading fails, or what is read is no list of metadata.
pub(super) fn read<T: TryFrom<ObjectMeta, Error = ItemsError>>(
    reader: impl Read,
) -> Result<Vec<T>, ItemsError> {
    Wire(Buffer::new(reader)).list()
}

/// An answer on the wire, of which a piece is in the buffer.
struct Wire<R>(Buffer<R>);

/// What stands before a string or a message.
struct Header {
    field: usize,
    /// Of what follows, in bytes.
    length: usize,
    /// Its own size, in bytes.
    size: usize,
}

impl<R: Read> Wire<R> {
    fn list<T: TryFrom<ObjectMeta, Error = ItemsError>>(mut self) -> Result<Vec<T>, ItemsError> {
        if self.take(MAGIC.len())? != MAGIC {
            return Err(ItemsError::Malformed);
        }
        // What comes before the list names its type.
        let mut left = loop {
            let Header { field, length, .. } = self.header()?;
            if field == RAW {
                break length;
            }
            self.take(length)?;
        };
        let mut items = Vec::new();
        while left > 0 {
            let Header { field, length, size } = self.header()?;
            let message = self.take(length)?;
            if field == ITEMS {
                let metadata = decode::<Item>(message)?.metadata;
                let metadata = metadata.filter(|metadata| !metadata.uid.is_empty());
                items.push(metadata.ok_or(ItemsError::Malformed)?.try_into()?);
            }
            let read = length.checked_add(size);
            left = read.and_then(|read| left.checked_sub(read)).ok_or(ItemsError::Malformed)?;
        }
        // What comes after it says nothing; but only a connection whose answer was read is used again.
        while !self.0.is_whole() {
            self.0.advance(self.0.rest().len());
            self.0.more()?;
        }
        Ok(items)
    }

    fn header(&mut self) -> Result<Header, ItemsError> {
        self.fill(2 * VARINT)?;
        let mut rest = self.0.rest();
        let before = rest.len();
        let mut number = || decode_length_delimiter(&mut rest).map_err(|_| ItemsError::Malformed);
        let (key, length) = (number()?, number()?);
        if key & 7 != LENGTH_DELIMITED {
            return Err(ItemsError::Malformed);
        }
        let size = before - rest.len();
        self.0.advance(size);
        Ok(Header { field: key >> 3, length, size })
    }

    /// A copy of so many bytes, wiped when nothing refers to it any more.
    fn take(&mut self, length: usize) -> Result<Bytes, ItemsError> {
        self.fill(length)?;
        let bytes = self.0.rest().get(..length).ok_or(ItemsError::Malformed)?.to_vec();
        self.0.advance(length);
        Ok(Bytes::from_owner(Zeroizing::new(bytes)))
    }

    /// Reads until so many bytes are there, if there are so many.
    fn fill(&mut self, length: usize) -> Result<(), ItemsError> {
        while self.0.rest().len() < length && !self.0.is_whole() {
            self.0.more()?;
        }
        Ok(())
    }
}

fn decode<M: Message + Default>(bytes: Bytes) -> Result<M, ItemsError> {
    M::decode(bytes).map_err(|_| ItemsError::Malformed)
}

/// What is anybody's to write is no reason to refuse a list: the API server takes in its protobuf what is
/// no UTF-8, and puts U+FFFD into its JSON.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl ObjectMeta {
    /// `creationTimestamp`.
    pub(crate) fn created_at(&self) -> Result<Timestamp, ItemsError> {
        let time = self.creation_timestamp.ok_or(ItemsError::Malformed)?;
        Timestamp::from_second(time.seconds).map_err(|_| ItemsError::Malformed)
    }

    /// Whether there is a `deletionTimestamp`: when, whoever deletes it may choose.
    pub(crate) fn is_leaving(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Those annotations that are wanted, by their full names.
    pub(crate) fn annotations(&self, wanted: impl Fn(&str) -> bool) -> Result<Entries, ItemsError> {
        entries(&self.annotations, wanted)
    }

    /// Those labels that are wanted.
    pub(crate) fn labels(&self, wanted: impl Fn(&str) -> bool) -> Result<Entries, ItemsError> {
        entries(&self.labels, wanted)
    }

    /// `managedFields`.
    pub(crate) fn managed_fields(&self) -> Result<Vec<ManagedFields>, ItemsError> {
        let entry = |bytes: &Bytes| {
            let ManagedFieldsEntry { manager, time, fields } = decode(bytes.clone())?;
            let (time, fields) = (time.map(|time| time.seconds), fields.map(|fields| fields.raw));
            let manager = text(&manager).into_owned();
            ManagedFields::new(manager, time, fields.as_deref()).map_err(|_| ItemsError::Malformed)
        };
        self.managed_fields.iter().map(entry).collect()
    }
}

/// Names and values.
type Entries = Vec<(String, String)>;

fn entries(all: &[Bytes], wanted: impl Fn(&str) -> bool) -> Result<Entries, ItemsError> {
    let mut kept = Vec::new();
    for entry in all {
        let Entry { key, value } = decode(entry.clone())?;
        let key = text(&key);
        if wanted(&key) {
            kept.push((key.into_owned(), text(&value).into_owned()));
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
