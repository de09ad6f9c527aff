use std::time::Duration;

use super::*;
use crate::inject::Observed;
use crate::issue::issue_ca;
use crate::jitter::Jitter;
use crate::names::Names;
use crate::settings::Settings;
use crate::state::{Next, Terms};
use crate::verify::at;

type Data = BTreeMap<String, ByteString>;

fn fresh() -> State {
    let mut state = State::default();
    let terms = Terms {
        names: &Names::parse(["reload.tools.svc"]).unwrap(),
        settings: &Settings::default(),
        jitter: Jitter::NONE,
    };
    state.settle(at(0), terms, &Observed::Missing).unwrap();
    state
}

/// In the middle of a rotation: a next CA, and a retired one.
fn rotating() -> State {
    let mut state = fresh();
    let life = Duration::from_secs(900);
    state.next = Some(Next { pair: issue_ca(at(0), life).unwrap(), published: Some(at(5)) });
    state.retired = vec![issue_ca(at(0), life).unwrap().certificate];
    state.retired_since = Some(at(7));
    state
}

fn written(state: &State) -> Data {
    let mut data = Data::new();
    layout::write(state, &mut data);
    data
}

#[test]
fn what_is_written_is_read_again() {
    for (case, state) in [("nothing", State::default()), ("fresh", fresh()), ("rotating", rotating())] {
        let data = written(&state);
        let again = written(&layout::read(&data));
        assert_eq!(again, data, "{case}");
    }
    let read = layout::read(&written(&rotating()));
    assert_eq!(read.next.unwrap().published, Some(at(5)));
    assert_eq!(read.retired.len(), 1);
    assert_eq!(read.retired_since, Some(at(7)));
}

#[test]
fn the_keys_of_a_tls_secret_mean_what_they_mean_everywhere() {
    let data = written(&fresh());
    let keys: Vec<&str> = data.keys().map(String::as_str).collect();
    assert_eq!(keys, ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
    assert!(data["tls.crt"].0.starts_with(b"-----BEGIN CERTIFICATE-----\n"));
    assert!(data["tls.key"].0.starts_with(b"-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn what_is_garbled_is_left_out_and_the_rest_is_kept() {
    let intact = written(&rotating());
    // (leaf, issuing CA, its key, next CA, retired CAs)
    let cases = [
        ("tls.crt", (false, true, true, true, 1)),
        ("tls.key", (false, true, true, true, 1)),
        // The next CA has a place of its own.
        ("ca.crt", (true, false, false, true, 0)),
        ("ca.key", (true, true, false, true, 1)),
        // In the bundle it is then one that signs no more.
        ("ca-next.crt", (true, true, true, false, 2)),
        ("ca-next.key", (true, true, true, false, 2)),
        ("ca-next.published", (true, true, true, true, 1)),
        ("ca-retired.since", (true, true, true, true, 1)),
    ];
    let other_key = issue_ca(at(0), Duration::from_secs(900)).unwrap().key;
    let bad: [(&str, Option<Vec<u8>>); 5] = [
        ("removed", None),
        ("empty", Some(Vec::new())),
        ("garbage", Some(b"garbage\xff".to_vec())),
        ("cut", Some(b"-----BEGIN CERTIFICATE-----\nMIIB".to_vec())),
        ("foreign", Some(other_key.to_pem().as_bytes().to_vec())),
    ];
    for (key, expected) in cases {
        for (how, value) in &bad {
            let mut data = intact.clone();
            match value {
                Some(value) => data.insert(key.into(), ByteString(value.clone())),
                None => data.remove(key),
            };
            let state = layout::read(&data);
            let found = (
                state.leaf.is_some(),
                state.issuing.is_some(),
                state.issuing.as_ref().is_some_and(|ca| ca.key.is_some()),
                state.next.is_some(),
                state.retired.len(),
            );
            assert_eq!(found, expected, "{key} {how}");
        }
    }
}

#[test]
fn a_leaf_in_the_place_of_a_ca_is_none() {
    let mut data = written(&fresh());
    data.insert("ca.crt".into(), data["tls.crt"].clone());
    data.insert("ca.key".into(), data["tls.key"].clone());
    data.insert("ca-next.crt".into(), data["tls.crt"].clone());
    data.insert("ca-next.key".into(), data["tls.key"].clone());

    let state = layout::read(&data);
    assert!(state.issuing.is_none() && state.next.is_none());
}

#[test]
fn a_replacement_keeps_what_others_keep_in_the_secret() {
    let mut data = written(&rotating());
    data.insert("mine".into(), ByteString(b"a".to_vec()));
    let stored = Stored {
        secret: Wiped(Secret {
            metadata: ObjectMeta {
                resource_version: Some("7".into()),
                labels: Some(BTreeMap::from([("team".into(), "a".into())])),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".into()),
            data: Some(data),
            ..Secret::default()
        }),
    };
    let state = fresh();
    let secret = stored.replacement(&state);

    let mut expected = written(&state);
    expected.insert("mine".into(), ByteString(b"a".to_vec()));
    assert_eq!(secret.data, Some(expected));
    assert_eq!(secret.type_.as_deref(), Some("Opaque"));
    assert_eq!(secret.metadata.resource_version.as_deref(), Some("7"));
    assert_eq!(secret.metadata.labels.unwrap()["team"], "a");
}
