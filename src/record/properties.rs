//! Properties over arbitrary records and texts.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::hash_key::HashKey;

/// A key of a source, and texts that need escapes in JSON, as a hostile client may send them.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[-._a-zA-Z0-9]{1,12}", 1 => "\\PC{0,6}"]
}

fn digits<T: serde::de::DeserializeOwned + std::fmt::Debug>(digits: usize) -> impl Strategy<Value = T> {
    proptest::string::string_regex(&format!("[0-9a-f]{{{digits}}}"))
        .unwrap()
        .prop_map(|text| serde_json::from_value(text.into()).unwrap())
}

fn used() -> impl Strategy<Value = UseRecord> {
    let marks = || btree_map(key(), prop::option::of(digits::<Mark>(8)), 0..4);
    let kept = any::<bool>();
    let chosen = (marks(), kept)
        .prop_map(|(marks, kept)| (Keys::Some(marks.keys().cloned().collect()), kept.then_some(marks)));
    let all = (btree_set(key(), 0..3), marks(), any::<bool>())
        .prop_map(|(except, marks, kept)| (Keys::All { except }, kept.then_some(marks)));
    (prop_oneof![chosen, all], digits(32)).prop_map(|((keys, marks), digest)| UseRecord {
        keys,
        digest,
        marks,
    })
}

fn source() -> impl Strategy<Value = SourceRecord> {
    let unread = [Unread::Timeout, Unread::Forbidden, Unread::Error, Unread::Overload, Unread::Other];
    let uses = btree_map(proptest::sample::select(&Mode::ALL), used(), 0..4);
    let read = (key(), key(), any::<bool>(), uses).prop_map(|(uid, resource_version, immutable, uses)| {
        SourceRecord::Read(ReadSource { uid, resource_version, immutable, uses })
    });
    prop_oneof![
        1 => Just(SourceRecord::Absent),
        1 => proptest::sample::select(unread.to_vec()).prop_map(SourceRecord::Unread),
        4 => read
    ]
}

/// A record whose texts may be any; longer than the limit at times.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    let owner = prop_oneof![
        key().prop_map(Owner::Controller),
        key().prop_map(Owner::Pod),
        key().prop_map(Owner::Generated)
    ];
    let id = (any::<bool>(), key()).prop_map(|(secret, name)| match secret {
        true => SourceId::secret(name),
        false => SourceId::config_map(name),
    });
    let by = prop_oneof![Just(By::Admission), Just(By::Adopt)];
    let hash_key = prop::option::of(any::<[u8; 32]>());
    (0..4_000_000_000i64, by, key(), owner, hash_key, btree_map(id, source(), 0..6)).prop_map(
        |(second, by, namespace, owner, hash_key, sources)| Record {
            at: Timestamp::from_second(second).unwrap(),
            by,
            namespace,
            owner,
            hash_key: hash_key.map(|key| HashKey::from_bytes(&key).unwrap().id()),
            sources,
        },
    )
}

/// The text of a record, cut, overwritten or with parts of it repeated.
pub(crate) fn mutated() -> impl Strategy<Value = String> {
    let text = record().prop_filter_map("too long", |record| record.encode().ok());
    let cut = (any::<Index>(), any::<Index>(), vec(any::<u8>(), 0..4), any::<bool>());
    (text, vec(cut, 1..4)).prop_map(|(text, cuts)| {
        let mut bytes = text.into_bytes();
        for (from, to, new, repeat) in cuts {
            let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
            let range = from.min(to)..from.max(to).min(from.min(to) + 40);
            if repeat {
                let part = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, part);
            } else {
                bytes.splice(range, new);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(record in record()) {
        match record.encode() {
            Err(Unwritable::TooLong(length)) => prop_assert!(length > MAX_LENGTH),
            Err(other) => prop_assert!(false, "{other}"),
            Ok(text) => {
                prop_assert!(text.len() <= MAX_LENGTH);
                let back = Record::parse(&text).unwrap();
                prop_assert_eq!(back.encode().unwrap(), text);
                prop_assert_eq!(shortened(&back, &back), shortened(&record, &back));
            }
        }
    }

    #[test]
    fn a_record_that_has_room_keeps_its_marks(mut record in record()) {
        while record.sources.len() > 1 {
            record.sources.pop_last();
        }
        let text = record.encode().unwrap();
        prop_assert_eq!(Record::parse(&text).unwrap(), record);
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = Record::parse(&text);
    }

    #[test]
    fn any_json_is_read_or_refused(text in "[\\[\\]{},:\"0-9a-z \\\\-]{0,200}") {
        let _ = Record::parse(&text);
        let _ = Record::parse(&format!("{{\"v\":1,{text}}}"));
    }

    #[test]
    fn a_mutated_record_is_refused_or_one_that_can_be_written(text in mutated()) {
        if let Ok(record) = Record::parse(&text) && let Ok(again) = record.encode() {
            let back = Record::parse(&again).unwrap();
            prop_assert_eq!(shortened(&back, &back), shortened(&record, &back));
        }
    }

    #[test]
    fn another_version_is_never_read(record in record(), version in any::<u64>()) {
        prop_assume!(version != 1);
        if let Ok(text) = record.encode() {
            let text = text.replacen("\"v\":1", &format!("\"v\":{version}"), 1);
            prop_assert!(matches!(Record::parse(&text), Err(Unreadable::Version(v)) if v == version));
        }
    }
}

/// The record without marks, and without the digests that `short` lacks.
fn shortened(record: &Record, short: &Record) -> Record {
    let mut record = record.clone();
    for (id, source) in &mut record.sources {
        let SourceRecord::Read(read) = source else { continue };
        read.uses.values_mut().for_each(|used| used.marks = None);
        if matches!(&short.sources[id], SourceRecord::Read(short) if short.uses.is_empty()) {
            read.uses.clear();
        }
    }
    record
}
