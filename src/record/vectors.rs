//! The golden vectors of `tests/vectors`, computed by the script beside them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::*;
use crate::hash_key::HashKey;
use crate::source::SourceKind;

const DIGESTS: &str = include_str!("../../tests/vectors/digests.json");
const RECORDS: &str = include_str!("../../tests/vectors/records.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DigestCase {
    case: String,
    kind: SourceKind,
    namespace: String,
    name: String,
    hash_key: Option<Bytes>,
    key_id: Option<HashKeyId>,
    #[serde(flatten)]
    content: RawContent,
    mode: String,
    keys: RawKeys,
    digest: Digest,
    marks: BTreeMap<String, Option<Mark>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordCase {
    case: String,
    at: Timestamp,
    by: By,
    namespace: String,
    owner: RawOwner,
    hash_key: Bytes,
    sources: Vec<RawSource>,
    annotation: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawOwner {
    Owner(String),
    Pod(String),
    Pods(String),
}

#[derive(Deserialize)]
struct RawSource {
    kind: SourceKind,
    name: String,
    #[serde(flatten)]
    state: RawState,
}

#[derive(Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum RawState {
    Unread { unread: Unread },
    Read { uid: String, resource_version: String, immutable: bool, content: RawContent, uses: RawUses },
    Absent {},
}

type RawUses = BTreeMap<String, RawKeys>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawContent {
    data: BTreeMap<String, Bytes>,
    binary_data: BTreeMap<String, Bytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum RawKeys {
    Some(BTreeSet<String>),
    AllExcept(BTreeSet<String>),
}

/// Bytes that stand as base64.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct Bytes(Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        BASE64_STANDARD.decode(text).map(Self)
    }
}

impl RawContent {
    fn content(&self, kind: SourceKind) -> Content {
        let bytes = |entries: &BTreeMap<String, Bytes>| {
            entries.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect::<Vec<_>>()
        };
        match kind {
            SourceKind::Secret => Content::secret(bytes(&self.data)),
            SourceKind::ConfigMap => {
                let text = |(key, value)| (key, String::from_utf8(value).unwrap());
                Content::config_map(bytes(&self.data).into_iter().map(text), bytes(&self.binary_data))
            }
        }
    }
}

impl RawKeys {
    fn keys(&self) -> Keys {
        match self {
            Self::Some(keys) => Keys::Some(keys.clone()),
            Self::AllExcept(except) => Keys::All { except: except.clone() },
        }
    }
}

fn mode(name: &str) -> Mode {
    match name {
        "env" => Mode::Env,
        "subPath" => Mode::SubPath,
        "directory" => Mode::Directory,
        "api" => Mode::Api,
        _ => panic!("{name} is no mode"),
    }
}

impl RecordCase {
    fn record(&self) -> Record {
        let key = HashKey::from_bytes(&self.hash_key.0).unwrap();
        let sources: BTreeMap<_, _> = self
            .sources
            .iter()
            .map(|source| {
                let id = SourceId { kind: source.kind, name: source.name.clone() };
                let record = source.state.record(&id, &self.namespace, &key);
                (id, record)
            })
            .collect();
        let hashed = |(id, source): (&SourceId, &SourceRecord)| {
            let SourceRecord::Read(read) = source else { return false };
            id.kind == SourceKind::Secret && !read.uses.is_empty()
        };
        Record {
            at: self.at,
            by: self.by,
            namespace: self.namespace.clone(),
            owner: match &self.owner {
                RawOwner::Owner(uid) => Owner::Controller(uid.clone()),
                RawOwner::Pod(name) => Owner::Pod(name.clone()),
                RawOwner::Pods(prefix) => Owner::Generated(prefix.clone()),
            },
            hash_key: sources.iter().any(hashed).then(|| key.id()),
            sources,
        }
    }
}

impl RawState {
    fn record(&self, id: &SourceId, namespace: &str, key: &HashKey) -> SourceRecord {
        match self {
            Self::Absent {} => SourceRecord::Absent,
            Self::Unread { unread } => SourceRecord::Unread(*unread),
            Self::Read { uid, resource_version, immutable, content, uses } => {
                let content = content.content(id.kind);
                let hasher = Hasher::new(id, namespace, Some(key)).unwrap();
                let used = |(name, keys): (&String, &RawKeys)| {
                    let mode = mode(name);
                    (mode, UseRecord::of(&content, &hasher, mode, &keys.keys()))
                };
                SourceRecord::Read(ReadSource {
                    uid: uid.clone(),
                    resource_version: resource_version.clone(),
                    immutable: *immutable,
                    uses: uses.iter().map(used).collect(),
                })
            }
        }
    }
}

#[test]
fn digests_marks_and_key_ids_are_those_of_the_vectors() {
    let cases: Vec<DigestCase> = serde_json::from_str(DIGESTS).unwrap();
    assert!(cases.len() >= 28);
    for case in cases {
        let key = case.hash_key.map(|key| HashKey::from_bytes(&key.0).unwrap());
        assert_eq!(key.as_ref().map(HashKey::id), case.key_id, "{}", case.case);
        let id = SourceId { kind: case.kind, name: case.name };
        let hasher = Hasher::new(&id, &case.namespace, key.as_ref()).unwrap();
        let (mode, keys, content) = (mode(&case.mode), case.keys.keys(), case.content.content(case.kind));
        assert_eq!(hasher.digest(&content, mode, &keys), case.digest, "{}", case.case);
        assert_eq!(hasher.marks(&content, mode, &keys), case.marks, "{}", case.case);
    }
}

#[test]
fn records_are_those_of_the_vectors() {
    let cases: Vec<RecordCase> = serde_json::from_str(RECORDS).unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        assert_eq!(case.record().encode().unwrap(), case.annotation, "{}", case.case);
        // Marks may be lost, and nothing else.
        let back = Record::parse(&case.annotation).unwrap();
        assert_eq!(back.encode().unwrap(), case.annotation, "{}", case.case);
    }
}
