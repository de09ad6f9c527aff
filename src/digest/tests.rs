use super::*;

fn map(data: &[(&str, &str)]) -> Content {
    Content::config_map(data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())), [])
}

fn digest(content: &Content) -> Digest {
    Hasher(Kind::Plain).digest(content, Mode::Directory, &Keys::all())
}

#[test]
fn contents_that_a_joined_text_would_confuse_differ() {
    let pairs = [
        (vec![("a", "1;b=2")], vec![("a", "1"), ("b", "2")]),
        (vec![("ab", "c")], vec![("a", "bc")]),
        (vec![("a", "")], vec![]),
        (vec![("a", ""), ("b", "x")], vec![("a", "x"), ("b", "")]),
    ];
    for (left, right) in pairs {
        assert_ne!(digest(&map(&left)), digest(&map(&right)), "{left:?} {right:?}");
    }
}

#[test]
fn an_absent_key_differs_from_an_empty_one() {
    let keys = Keys::one("a");
    let hasher = Hasher(Kind::Plain);
    let absent = hasher.digest(&map(&[]), Mode::Env, &keys);
    let empty = hasher.digest(&map(&[("a", "")]), Mode::Env, &keys);
    assert_ne!(absent, empty);
}

#[test]
fn only_the_selected_keys_count() {
    let hasher = Hasher(Kind::Plain);
    let (before, after) = (map(&[("a", "1"), ("b", "2")]), map(&[("a", "1"), ("b", "3"), ("c", "4")]));
    let except = Keys::All { except: ["b".to_owned(), "c".to_owned()].into() };
    for keys in [Keys::one("a"), except] {
        assert_eq!(hasher.digest(&before, Mode::Env, &keys), hasher.digest(&after, Mode::Env, &keys));
    }
    assert_ne!(digest(&before), digest(&after));
}

#[test]
fn bytes_count_wherever_they_stand_but_for_env() {
    let text = map(&[("a", "x")]);
    let binary = Content::config_map([], [("a".to_owned(), b"x".to_vec())]);
    assert_eq!(digest(&text), digest(&binary));
    let env = |content| Hasher(Kind::Plain).digest(content, Mode::Env, &Keys::all());
    assert_ne!(env(&text), env(&binary));
    assert_eq!(env(&binary), env(&map(&[])));
}

#[test]
fn a_secret_looks_different_in_every_place_and_under_every_key() {
    let content = || Content::secret([("password".to_owned(), b"hunter2".to_vec())]);
    let digest = |name: &str, namespace: &str, key: u8| {
        let key = HashKey::from_bytes(&[key; 32]).unwrap();
        let hasher = Hasher::new(&SourceId::secret(name), namespace, Some(&key)).unwrap();
        let marks = hasher.marks(&content(), Mode::Env, &Keys::all());
        (hasher.digest(&content(), Mode::Env, &Keys::all()), marks["password"])
    };
    let first = digest("a", "x", 1);
    assert_eq!(first, digest("a", "x", 1));
    for other in [digest("b", "x", 1), digest("a", "y", 1), digest("a", "x", 2)] {
        assert_ne!(first.0, other.0);
        assert_ne!(first.1, other.1);
    }
    let plain = Hasher(Kind::Plain);
    assert_ne!(first.0, plain.digest(&content(), Mode::Env, &Keys::all()));
    assert_ne!(Some(first.1), Some(plain.marks(&content(), Mode::Env, &Keys::all())["password"]));
}

#[test]
fn a_secret_is_not_hashed_without_a_key() {
    assert!(Hasher::new(&SourceId::secret("a"), "x", None).is_none());
}

#[test]
fn marks_name_the_keys_that_differ() {
    let hasher = Hasher(Kind::Plain);
    let keys = Keys::Some(["a", "b", "c"].map(str::to_owned).into());
    let before = hasher.marks(&map(&[("a", "1"), ("b", "2")]), Mode::Env, &keys);
    let after = hasher.marks(&map(&[("a", "1"), ("b", "3")]), Mode::Env, &keys);
    assert_eq!(before["a"], after["a"]);
    assert_ne!(before["b"], after["b"]);
    assert_eq!(before["c"], None);
}
