use prost::bytes::Bytes;

use super::*;

/// What a test keeps of an object.
#[derive(Debug, PartialEq)]
struct Kept {
    name: String,
    created_at: Timestamp,
    is_leaving: bool,
    annotations: Vec<(String, String)>,
    managers: usize,
}

impl TryFrom<ObjectMeta> for Kept {
    type Error = ItemsError;

    fn try_from(metadata: ObjectMeta) -> Result<Self, ItemsError> {
        Ok(Self {
            created_at: metadata.created_at()?,
            is_leaving: metadata.is_leaving(),
            annotations: metadata.annotations(|name| name.starts_with("own/"))?,
            managers: metadata.managed_fields()?.len(),
            name: metadata.name,
        })
    }
}

/// `PartialObjectMetadataList`, as far as it is read; and `Unknown` around it.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct List {
    #[prost(bytes = "bytes", tag = "1")]
    metadata: Bytes,
    #[prost(message, repeated, tag = "2")]
    items: Vec<Item>,
}

#[derive(Clone, PartialEq, Message)]
struct Unknown {
    #[prost(bytes = "bytes", tag = "1")]
    type_meta: Bytes,
    #[prost(bytes = "vec", tag = "2")]
    raw: Vec<u8>,
    #[prost(string, tag = "4")]
    content_type: String,
}

fn map(entries: &[(&str, &str)]) -> Vec<Bytes> {
    let entry = |&(key, value): &(&str, &str)| Entry {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    entries.iter().map(|named| entry(named).encode_to_vec().into()).collect()
}

fn object(name: &str) -> ObjectMeta {
    let entry = ManagedFieldsEntry {
        manager: Bytes::from_static(b"m"),
        time: Some(Time { seconds: i64::MAX }),
        fields: Some(FieldsV1 { raw: Bytes::from_static(br#"{"f:data":{"f:x":{}}}"#) }),
    };
    ObjectMeta {
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        creation_timestamp: Some(Time { seconds: 1_700_000_000 }),
        annotations: map(&[("last-applied", "a value"), ("own/record", "{}")]),
        managed_fields: vec![entry.encode_to_vec().into()],
        ..ObjectMeta::default()
    }
}

fn answer(objects: Vec<ObjectMeta>) -> Vec<u8> {
    let items = objects.into_iter().map(|metadata| Item { metadata: Some(metadata) }).collect();
    let list = List { metadata: Bytes::from_static(b"xyz"), items };
    let unknown = Unknown {
        type_meta: Bytes::from_static(b"v1"),
        raw: list.encode_to_vec(),
        content_type: "what follows the list".to_owned(),
    };
    [MAGIC, &unknown.encode_to_vec()].concat()
}

fn kept(answer: &[u8], piece: usize) -> Result<Vec<Kept>, ItemsError> {
    Wire(Buffer::by(piece, answer)).list()
}

#[test]
fn a_list_may_be_cut_anywhere() {
    let mut leaving = object("b");
    leaving.deletion_timestamp = Some(Time { seconds: i64::MAX }.encode_to_vec().into());
    let answer = answer(vec![object("a"), leaving]);
    for piece in 1..=answer.len() + 1 {
        let items = kept(&answer, piece).unwrap();
        let seen = |item: &Kept| (item.name.clone(), item.is_leaving, item.managers);
        let seen: Vec<_> = items.iter().map(seen).collect();
        assert_eq!(seen, [("a".to_owned(), false, 1), ("b".to_owned(), true, 1)], "{piece}");
        assert_eq!(items[0].annotations, [("own/record".to_owned(), "{}".to_owned())]);
        assert_eq!(items[0].created_at, "2023-11-14T22:13:20Z".parse().unwrap());
    }
}

#[test]
fn what_is_no_text_is_no_reason_to_refuse_a_list() {
    let mut hostile = object("a");
    let entry = Entry { key: Bytes::from_static(b"own/x"), value: Bytes::from_static(&[b'a', 0xff]) };
    hostile.annotations = vec![entry.encode_to_vec().into()];
    let owner = OwnerReference { name: Bytes::from_static(&[0xff]), controller: true, ..Default::default() };
    hostile.owner_references = vec![owner];
    let items = kept(&answer(vec![hostile]), 1000).unwrap();
    assert_eq!(items[0].annotations, [("own/x".to_owned(), "a\u{fffd}".to_owned())]);
}

#[test]
fn no_items_are_none() {
    assert!(kept(&answer(Vec::new()), 1000).unwrap().is_empty());
}

#[test]
fn an_answer_that_ends_early_is_malformed_wherever_it_does() {
    let whole = answer(vec![object("a"), object("b")]);
    // What follows the list may be missing.
    let end = whole.len()
        - Unknown { content_type: "what follows the list".to_owned(), ..Unknown::default() }.encoded_len();
    for length in 0..end {
        assert!(matches!(kept(&whole[..length], 64), Err(ItemsError::Malformed)), "{length} bytes");
    }
    assert_eq!(kept(&whole[..end], 64).unwrap().len(), 2);
}

#[test]
fn whatever_a_byte_becomes_it_ends_with_items_or_an_error() {
    let whole = answer(vec![object("a"), object("b")]);
    for at in 0..whole.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] = byte;
            if let Ok(items) = kept(&changed, 64) {
                assert!(items.len() <= whole.len(), "byte {at} as {byte}");
            }
        }
    }
}

#[test]
fn an_object_without_what_every_object_has_is_malformed() {
    let without = |change: fn(&mut ObjectMeta)| {
        let mut object = object("a");
        change(&mut object);
        kept(&answer(vec![object]), 1000)
    };
    for (what, change) in [
        ("uid", (|object| object.uid.clear()) as fn(&mut ObjectMeta)),
        ("creationTimestamp", |object| object.creation_timestamp = None),
        ("a creationTimestamp that can be held", |object| {
            object.creation_timestamp = Some(Time { seconds: i64::MAX });
        }),
        ("annotations that are some", |object| object.annotations = vec![Bytes::from_static(&[0x0a, 0x7f])]),
    ] {
        assert!(matches!(without(change), Err(ItemsError::Malformed)), "without {what}");
    }
}
