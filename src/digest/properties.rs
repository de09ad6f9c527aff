//! Properties over arbitrary contents.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::*;

type Values = BTreeMap<String, Vec<u8>>;
type Selected = BTreeMap<String, Option<Vec<u8>>>;

/// Keys that are alike, so that two contents often share some.
fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[ab.]{0,3}", "[-._a-zA-Z0-9]{1,8}"]
}

/// Values that are alike, and ones that look like a part of the encoding.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(prop_oneof![Just(0), Just(1), Just(b'a'), Just(b';'), Just(b'=')], 0..20),
        vec(any::<u8>(), 0..200)
    ]
}

fn values() -> impl Strategy<Value = Values> {
    btree_map(key(), value(), 0..5)
}

fn keys() -> impl Strategy<Value = Keys> {
    let set = || btree_set(key(), 0..4);
    prop_oneof![set().prop_map(Keys::Some), set().prop_map(|except| Keys::All { except })]
}

fn mode() -> impl Strategy<Value = Mode> {
    proptest::sample::select(&Mode::ALL)
}

fn secret(values: &Values) -> Content {
    Content::secret(values.clone())
}

fn owned(selected: &BTreeMap<&str, Option<&[u8]>>) -> Selected {
    selected.iter().map(|(key, value)| ((*key).to_owned(), value.map(<[u8]>::to_vec))).collect()
}

/// The encoding as the format states it.
fn encoding(selected: &Selected) -> Vec<u8> {
    let length = |length: usize| u64::try_from(length).unwrap().to_be_bytes();
    let part = |bytes: &[u8]| [length(bytes.len()).as_slice(), bytes].concat();
    let mut encoding = part(b"kubectl-reload.dev/1/digest");
    encoding.extend(length(selected.len()));
    for (key, value) in selected {
        encoding.extend(part(key.as_bytes()));
        match value {
            None => encoding.push(0),
            Some(value) => encoding.extend([vec![1], part(value)].concat()),
        }
    }
    encoding
}

/// Reads an encoding back: what can be read back is not shared by two contents.
fn decode(encoding: &[u8]) -> Selected {
    fn number(rest: &mut &[u8]) -> usize {
        let (number, after) = rest.split_first_chunk::<8>().unwrap();
        *rest = after;
        usize::try_from(u64::from_be_bytes(*number)).unwrap()
    }
    fn part<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
        let length = number(rest);
        let (part, after) = rest.split_at(length);
        *rest = after;
        part
    }
    let mut rest = encoding;
    assert_eq!(part(&mut rest), b"kubectl-reload.dev/1/digest");
    let count = number(&mut rest);
    let mut selected = Selected::new();
    for _ in 0..count {
        let key = String::from_utf8(part(&mut rest).to_vec()).unwrap();
        let (is_there, after) = rest.split_first().unwrap();
        rest = after;
        selected.insert(key, (*is_there == 1).then(|| part(&mut rest).to_vec()));
    }
    assert!(rest.is_empty());
    selected
}

fn hasher() -> Hasher {
    Hasher(Kind::Plain)
}

proptest! {
    #[test]
    fn the_encoding_can_be_read_back(values in values(), keys in keys(), mode in mode()) {
        let content = secret(&values);
        let selected = owned(&content.select(mode, &keys));
        let encoding = encoding(&selected);
        let hash: [u8; 32] = Sha256::digest(&encoding).into();
        prop_assert_eq!(hasher().digest(&content, mode, &keys), Digest(Hex::first_of(&hash)));
        prop_assert_eq!(decode(&encoding), selected);
    }

    #[test]
    fn two_contents_have_one_digest_only_if_they_are_equal(
        left in values(), right in values(), keys in keys(), mode in mode()
    ) {
        let (left, right) = (secret(&left), secret(&right));
        let alike = left.select(mode, &keys) == right.select(mode, &keys);
        let digest = |content| hasher().digest(content, mode, &keys);
        prop_assert_eq!(digest(&left) == digest(&right), alike);
    }

    #[test]
    fn one_changed_byte_changes_the_digest_and_one_mark(
        values in btree_map(key(), vec(any::<u8>(), 1..50), 1..5), which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), bit in 0..8u32,
    ) {
        let changed = which.get(&values.keys().cloned().collect::<Vec<_>>()).clone();
        let mut after = values.clone();
        let value = after.get_mut(&changed).unwrap();
        let at = at.index(value.len());
        value[at] ^= 1 << bit;
        let (before, after) = (secret(&values), secret(&after));
        let digest = |content| hasher().digest(content, Mode::Directory, &Keys::all());
        prop_assert_ne!(digest(&before), digest(&after));
        let marks = |content| hasher().marks(content, Mode::Directory, &Keys::all());
        let (before, after) = (marks(&before), marks(&after));
        for key in values.keys() {
            prop_assert_eq!(before[key] != after[key], *key == changed);
        }
    }

    #[test]
    fn the_order_of_insertion_does_not_count(
        entries in vec((key(), value()), 0..6).prop_map(Values::from_iter).prop_map(Vec::from_iter)
            .prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle())),
        keys in keys(), mode in mode(),
    ) {
        let (sorted, shuffled) = entries;
        let of = |entries: Vec<(String, Vec<u8>)>| {
            let content = Content::secret(entries);
            (hasher().digest(&content, mode, &keys), hasher().marks(&content, mode, &keys))
        };
        prop_assert_eq!(of(sorted), of(shuffled));
    }

    #[test]
    fn for_files_it_does_not_count_whether_a_key_is_text_or_binary(
        text in btree_map(key(), ".{0,20}", 0..5), keys in keys(), binary in any::<u8>(),
    ) {
        let place = |entries: Vec<(usize, (String, String))>| {
            let (left, right): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(i, _)| binary >> i & 1 == 0);
            let right = right.into_iter().map(|(_, (key, value))| (key, value.into_bytes()));
            Content::config_map(left.into_iter().map(|(_, entry)| entry), right)
        };
        let mixed = place(text.clone().into_iter().enumerate().collect());
        let plain = Content::config_map(text, []);
        for mode in [Mode::SubPath, Mode::Directory, Mode::Api] {
            let digest = |content| hasher().digest(content, mode, &keys);
            prop_assert_eq!(digest(&mixed), digest(&plain));
        }
    }

    #[test]
    fn what_is_not_selected_does_not_count(
        mut values in values(), other in value(), keys in keys(), mode in mode()
    ) {
        let before = hasher().digest(&secret(&values), mode, &keys);
        let unused = ["a", "b", "ab", "not-there"].into_iter().find(|key| !keys.contains(key));
        if let Some(unused) = unused {
            values.insert(unused.to_owned(), other);
            prop_assert_eq!(before, hasher().digest(&secret(&values), mode, &keys));
        }
    }

    #[test]
    fn secrets_of_two_places_never_look_alike(
        values in values(),
        left in ("[a-c]{1,3}", "[a-c]{1,3}", 0..3u8), right in ("[a-c]{1,3}", "[a-c]{1,3}", 0..3u8),
    ) {
        let digest = |(namespace, name, key): &(String, String, u8)| {
            let key = HashKey::from_bytes(&[*key; 32]).unwrap();
            let hasher = Hasher::new(&SourceId::secret(name), namespace, Some(&key)).unwrap();
            hasher.digest(&secret(&values), Mode::Env, &Keys::all())
        };
        prop_assert_eq!(digest(&left) == digest(&right), left == right);
    }

    /// Labels, annotations, managers, versions: a source is parsed with and without.
    #[test]
    fn metadata_does_not_count(
        data in btree_map("[-._a-z]{1,5}", "[a-z]{0,9}", 0..4), label in "[a-z]{1,9}", version in any::<u32>(),
    ) {
        let parse = |version: u32, label: Option<&str>| {
            let mut object = serde_json::json!({
                "metadata": {"uid": "u", "resourceVersion": version.to_string(),
                    "creationTimestamp": "2026-01-01T00:00:00Z"},
                "data": data,
            });
            if let Some(label) = label {
                object["metadata"]["labels"] = serde_json::json!({ label: label });
                object["metadata"]["annotations"] = serde_json::json!({ label: label, "data": {"x": "y"} });
            }
            let text = object.to_string();
            crate::source::Source::parse(SourceKind::ConfigMap, text.as_bytes()).unwrap().content.unwrap()
        };
        let digest = |content| hasher().digest(&content, Mode::Directory, &Keys::all());
        prop_assert_eq!(digest(parse(1, None)), digest(parse(version, Some(&label))));
    }
}
