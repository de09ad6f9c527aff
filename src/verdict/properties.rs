//! Properties over arbitrary pods: whatever came of the sources and the runs, what the record does
//! not tell is never said to be sure.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::content::Content;
use crate::digest::Hasher;
use crate::hash_key::HashKey;
use crate::last_write::LastWrite;
use crate::record::properties::mutated;
use crate::record::{By, Owner, PodIdentity, ReadSource, SourceRecord, UseRecord};
use crate::reference::{Keys, selection};

const NAMESPACE: &str = "x";

/// A few keys of few values, so that contents are often equal.
type Data = BTreeMap<String, String>;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn data() -> impl Strategy<Value = Data> {
    proptest::collection::btree_map("[ab]", "[12]", 0..3)
}

fn keys() -> impl Strategy<Value = Keys> {
    let some = || btree_set("[abc]", 0..3);
    prop_oneof![some().prop_map(Keys::Some), some().prop_map(|except| Keys::All { except })]
}

fn id() -> impl Strategy<Value = SourceId> {
    select(vec![SourceId::config_map("m"), SourceId::secret("s")])
}

fn references() -> impl Strategy<Value = Vec<Reference>> {
    let reference = (id(), select(&Mode::ALL), keys(), any::<bool>(), btree_set("[ab]", 0..2), "[cd]");
    let reference = reference.prop_map(|(source, mode, keys, optional, needs, container)| Reference {
        source,
        mode,
        keys,
        optional,
        prefix: None,
        needs,
        container,
    });
    vec(reference, 1..5)
}

fn runs() -> impl Strategy<Value = Runs> {
    let run = (prop::option::of(0..400i64), 0..3u32)
        .prop_map(|(started, restarts)| Run { started_at: started.map(at), restarts });
    proptest::collection::btree_map("[cd]", run, 0..3).prop_map(Runs::from_iter)
}

/// What a source may have become.
#[derive(Clone, Debug)]
struct Now {
    data: Data,
    uid: String,
    version: String,
    immutable: bool,
    created: i64,
    written: Option<(i64, Data)>,
    content_read: bool,
}

fn now() -> impl Strategy<Value = Option<Now>> {
    let written = prop::option::of((-300..400i64, data()));
    let now = ("u[12]", "[12]", data(), any::<bool>(), -300..400i64, written, any::<bool>());
    prop::option::of(now.prop_map(|(uid, version, data, immutable, created, written, content_read)| Now {
        data,
        uid,
        version,
        immutable,
        created,
        written,
        content_read,
    }))
}

fn content(id: &SourceId, data: &Data) -> Content {
    match id.kind {
        crate::source::SourceKind::Secret => {
            Content::secret(data.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes())))
        }
        crate::source::SourceKind::ConfigMap => Content::config_map(data.clone(), []),
    }
}

fn states(map: &Option<Now>, secret: &Option<Now>) -> BTreeMap<SourceId, SourceState> {
    let state = |id: SourceId, now: &Option<Now>| {
        let state = now.as_ref().map_or(SourceState::Absent, |now| {
            SourceState::Present(Source {
                uid: now.uid.clone(),
                resource_version: now.version.clone(),
                created_at: at(now.created),
                immutable: now.immutable,
                last_write: now.written.as_ref().map(|(second, keys)| LastWrite {
                    at: at(*second),
                    manager: "kubectl".to_owned(),
                    keys: keys.keys().cloned().collect(),
                }),
                content: now.content_read.then(|| content(&id, &now.data)),
            })
        });
        (id, state)
    };
    [state(SourceId::config_map("m"), map), state(SourceId::secret("s"), secret)].into()
}

fn identity() -> PodIdentity {
    PodIdentity {
        namespace: NAMESPACE.to_owned(),
        name: "p".to_owned(),
        generate_name: None,
        controller: Some("o".to_owned()),
        created_at: at(0),
    }
}

fn pod(references: Vec<Reference>, runs: Runs, record: Result<Record, Unrecorded>, rereads: bool) -> Pod {
    let namespace = NAMESPACE.to_owned();
    Pod { namespace, references: references.into(), runs, record, rereads, doubts: Default::default() }
}

/// What admission writes about the references when the sources hold this.
fn recorded(references: &[Reference], data: &Data, key: &HashKey) -> Record {
    let sources = selection(references).into_iter().map(|(id, modes)| {
        let hasher = Hasher::new(&id, NAMESPACE, Some(key)).unwrap();
        let content = content(&id, data);
        let uses = modes
            .into_iter()
            .map(|(mode, keys)| (mode, UseRecord::of(&content, &hasher, mode, &keys)))
            .collect();
        let (uid, resource_version) = ("u1".to_owned(), "1".to_owned());
        (id, SourceRecord::Read(ReadSource { uid, resource_version, immutable: false, uses }))
    });
    Record {
        at: at(0),
        by: By::Admission,
        namespace: NAMESPACE.to_owned(),
        owner: Owner::Controller("o".to_owned()),
        hash_key: Some(key.id()),
        sources: sources.collect(),
    }
}

fn hash_key(byte: u8) -> HashKey {
    HashKey::from_bytes(&[byte; 32]).unwrap()
}

fn is_sure_drift(finding: &Finding) -> bool {
    finding.verdict == Verdict::Drifted && finding.certainty == Certainty::Recorded
}

proptest! {
    /// Above all: no text that is not understood makes a pod restart.
    #[test]
    fn a_record_that_is_not_understood_is_never_drift_for_sure(
        text in prop_oneof![mutated(), any::<String>(), mutated().prop_map(|text| text.replace("\"v\":1", "\"v\":2"))],
        references in references(), runs in runs(), map in now(), secret in now(), rereads in any::<bool>(),
    ) {
        let record = Record::parse(&text).map_err(Unrecorded::from).and_then(|record| {
            record.check(&identity()).map_err(Unrecorded::from).map(|()| record)
        });
        // A mutation may leave it whole: then it is understood.
        prop_assume!(record.is_err());
        let pod = pod(references, runs, record, rereads);
        for finding in judge(&pod, &states(&map, &secret), Some(&hash_key(1)), Lag::default()) {
            prop_assert!(!is_sure_drift(&finding), "{:?}", finding);
        }
    }

    /// One finding for each use, in the same order whatever the order of references.
    #[test]
    fn every_use_is_judged_once_in_any_order(
        references in references().prop_flat_map(|r| (Just(r.clone()), Just(r).prop_shuffle())),
        runs in runs(), before in data(), map in now(), secret in now(), rereads in any::<bool>(),
    ) {
        let (given, shuffled) = references;
        let uses: usize = selection(&given).values().map(BTreeMap::len).sum();
        let judged = |references: Vec<Reference>| {
            let record = recorded(&references, &before, &hash_key(1));
            let pod = pod(references, runs.clone(), Ok(record), rereads);
            judge(&pod, &states(&map, &secret), Some(&hash_key(1)), Lag::default())
        };
        let findings = judged(given);
        prop_assert_eq!(findings.len(), uses);
        prop_assert_eq!(findings, judged(shuffled));
    }

    /// The same object in the same version: nothing else counts, and nothing is read.
    #[test]
    fn what_did_not_move_is_current(
        references in references(), runs in runs(), before in data(), now in now(), key in 0..3u8,
    ) {
        let unmoved = now.map(|now| Now { uid: "u1".to_owned(), version: "1".to_owned(), ..now });
        prop_assume!(unmoved.is_some());
        let record = recorded(&references, &before, &hash_key(1));
        let pod = pod(references, runs, Ok(record), false);
        let reader_key = (key > 0).then(|| hash_key(key));
        for finding in judge(&pod, &states(&unmoved, &unmoved), reader_key.as_ref(), Lag::default()) {
            prop_assert_eq!((finding.verdict, finding.certainty), (Verdict::Current, Certainty::Recorded));
        }
    }

    /// Whatever the times say: equal content is no drift.
    #[test]
    fn equal_content_is_never_drift(
        references in references(), runs in runs(), before in data(), now in now(),
    ) {
        prop_assume!(references.iter().flat_map(|r| &r.needs).all(|key| before.contains_key(key)));
        let same = now.map(|now| Now { data: before.clone(), content_read: true, ..now });
        prop_assume!(same.is_some());
        let record = recorded(&references, &before, &hash_key(1));
        let pod = pod(references, runs, Ok(record), false);
        for finding in judge(&pod, &states(&same, &same), Some(&hash_key(1)), Lag::default()) {
            prop_assert!(finding.verdict != Verdict::Drifted, "{:?}", finding);
        }
    }

    /// No time of writing, no start that is later than it: what differs is drift for sure.
    #[test]
    fn other_content_of_a_container_that_never_started_again_is_drift(
        references in references(), before in data(), now in now(), second in 50..400i64,
    ) {
        let written = |now: Now| Now { written: now.written.map(|(_, keys)| (second, keys)), content_read: true, ..now };
        let Some(now) = now.map(written) else { return Ok(()) };
        let now = Now { uid: "u1".to_owned(), version: "2".to_owned(), ..now };
        let run = Run { started_at: Some(at(2)), restarts: 0 };
        let runs = Runs::from_iter([("c".to_owned(), run), ("d".to_owned(), run)]);
        let record = recorded(&references, &before, &hash_key(1));
        let pod = pod(references, runs, Ok(record), false);
        let now = Some(now);
        for finding in judge(&pod, &states(&now, &now), Some(&hash_key(1)), Lag::default()) {
            let keys = &selection(&*pod.references)[&finding.source][&finding.mode];
            let visible = |data: &Data| {
                data.iter().filter(|(key, _)| keys.contains(key)).map(|(k, v)| (k.clone(), v.clone())).collect::<Data>()
            };
            let differs = visible(&before) != visible(&now.as_ref().unwrap().data);
            if differs {
                prop_assert!(is_sure_drift(&finding), "{:?}", finding);
            } else {
                // A required key that is used in vain may be gone all the same.
                prop_assert!(!is_sure_drift(&finding) || finding.would_not_start(), "{:?}", finding);
            }
        }
    }

    /// Without the hash key of the record, a Secret's content tells nothing.
    #[test]
    fn a_secret_under_another_hash_key_is_never_drift_for_sure(
        references in references(), runs in runs(), before in data(), now in now(), other in prop::option::of(2..4u8),
    ) {
        let Some(now) = now else { return Ok(()) };
        let record = recorded(&references, &before, &hash_key(1));
        let pod = pod(references, runs, Ok(record), false);
        let reader_key = other.map(hash_key);
        let now = Some(now);
        for finding in judge(&pod, &states(&now, &now), reader_key.as_ref(), Lag::default()) {
            if finding.source == SourceId::secret("s") {
                // That a required key is gone shows without a hash.
                prop_assert!(!is_sure_drift(&finding) || finding.would_not_start(), "{:?}", finding);
            }
        }
    }
}
