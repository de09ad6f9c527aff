use super::*;
use crate::hash_key::HashKey;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn config_map(data: &[(String, &str)]) -> Content {
    Content::config_map(data.iter().map(|(k, v)| (k.clone(), (*v).to_owned())), [])
}

fn read(id: &SourceId, content: &Content, modes: &[(Mode, Keys)]) -> SourceRecord {
    let key = HashKey::from_bytes(&[1; 32]).unwrap();
    let hasher = Hasher::new(id, "shop", Some(&key)).unwrap();
    SourceRecord::Read(ReadSource {
        uid: "0b3f3c1e-6f0a-4b1e-9a55-0f9b7a2f6f10".to_owned(),
        resource_version: "123456".to_owned(),
        immutable: false,
        uses: modes
            .iter()
            .map(|(mode, keys)| (*mode, UseRecord::of(content, &hasher, *mode, keys)))
            .collect(),
    })
}

fn record(sources: impl IntoIterator<Item = (SourceId, SourceRecord)>) -> Record {
    Record {
        at: at(0),
        by: By::Admission,
        namespace: "shop".to_owned(),
        owner: Owner::Controller("4e0a6c52-8a0e-4d65-9c4d-6a0d1f1d2c3b".to_owned()),
        hash_key: Some(HashKey::from_bytes(&[1; 32]).unwrap().id()),
        sources: sources.into_iter().collect(),
    }
}

fn typical() -> Record {
    let content = config_map(&[("LOG_LEVEL".to_owned(), "debug"), ("TIMEOUT".to_owned(), "5s")]);
    let (web, db) = (SourceId::config_map("web-config"), SourceId::secret("db-credentials"));
    let password = Content::secret([("password".to_owned(), b"hunter2-hunter2".to_vec())]);
    record([
        (web.clone(), read(&web, &content, &[(Mode::Env, Keys::all())])),
        (db.clone(), read(&db, &password, &[(Mode::Env, Keys::one("password"))])),
    ])
}

#[test]
fn what_is_written_is_read_back() {
    let mut record = typical();
    record.sources.insert(SourceId::config_map("gone"), SourceRecord::Absent);
    record.sources.insert(SourceId::secret("slow"), SourceRecord::Unread(Unread::Timeout));
    for owner in [Owner::Pod("p".to_owned()), Owner::Generated("p-".to_owned()), record.owner.clone()] {
        record.owner = owner;
        assert_eq!(Record::parse(&record.encode().unwrap()).unwrap(), record);
    }
}

#[test]
fn two_sources_take_under_600_bytes_and_show_no_value() {
    let text = typical().encode().unwrap();
    assert!(text.len() < 600, "{} bytes: {text}", text.len());
    assert!(!text.contains("hunter2") && !text.contains("debug"));
}

#[test]
fn marks_go_first_when_space_is_short() {
    let keys: Vec<(String, &str)> = (0..300).map(|i| (format!("KEY_{i}"), "value")).collect();
    let (large, small) = (SourceId::config_map("large"), SourceId::config_map("small"));
    let record = record([
        (large.clone(), read(&large, &config_map(&keys), &[(Mode::Env, Keys::all())])),
        (small.clone(), read(&small, &config_map(&keys[..2]), &[(Mode::Directory, Keys::all())])),
    ]);
    let text = record.encode().unwrap();
    assert!(text.len() <= MAX_LENGTH);
    let back = Record::parse(&text).unwrap();
    let SourceRecord::Read(read) = &back.sources[&large] else { panic!("{text}") };
    assert_eq!(read.uses[&Mode::Env].marks, None);
    assert_eq!(back.sources[&small], record.sources[&small]);
}

#[test]
fn what_has_too_many_keys_for_marks_keeps_its_digest_longest() {
    let keys: Vec<(String, &str)> = (0..342).map(|i| (format!("KEY_{i}"), "value")).collect();
    let huge = SourceId::config_map("a-huge");
    let others = (0..30).map(|i| SourceId::config_map(format!("small-{i}")));
    let small = others.map(|id| {
        let source = read(&id, &config_map(&keys[..3]), &[(Mode::Env, Keys::all())]);
        (id, source)
    });
    let huge_source = read(&huge, &config_map(&keys), &[(Mode::Env, Keys::all())]);
    let text = record(small.chain([(huge.clone(), huge_source.clone())])).encode().unwrap();
    let back = Record::parse(&text).unwrap();
    let has_digest = |source: &SourceRecord| matches!(source, SourceRecord::Read(r) if !r.uses.is_empty());
    assert_eq!(back.sources[&huge], huge_source);
    assert!(!back.sources.values().all(has_digest), "{text}");
}

#[test]
fn a_record_that_cannot_be_short_is_not_written() {
    let sources = (0..100).map(|i| {
        let id = SourceId::config_map(format!("source-{i}"));
        (id.clone(), read(&id, &Content::default(), &[(Mode::Env, Keys::all())]))
    });
    assert!(record(sources).encode().is_err());
}

#[test]
fn a_text_that_is_no_record_is_unreadable_and_not_shown() {
    let good = typical().encode().unwrap();
    let broken = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\u{1b}[2J".to_owned(),
        "{\"v\":\"1\"}".to_owned(),
        "{\"v\":1}".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replace("\"sources\":[", "\"sources\":[{\"kind\":\"Pod\",\"name\":\"x\",\"absent\":true},"),
        good.replace("\"owner\"", "\"pod\":\"x\",\"owner\""),
        good.replace("\"rv\":\"123456\",", ""),
        good.replace("\"LOG_LEVEL\"", "\"\\u001b[2J\""),
        good.replace("\"digest\":\"", "\"digest\":\"0"),
        good.replace("\"digest\":", "\"digest\":\"\",\"other\":"),
        good.replace("\"LOG_LEVEL\":\"", "\"LOG_LEVEL\":\"x"),
        good.replace("\"keys\":{", "\"except\":[\"LOG_LEVEL\"],\"keys\":{"),
        good.replace("\"keys\":{", "\"all\":true,\"keys\":{"),
        good.replace("\"uid\":", "\"absent\":true,\"uid\":"),
        good.replace("\"uid\":", "\"unread\":\"error\",\"uid\":"),
        good.replace("\"all\":{", "\"all\":false,\"more\":{"),
        good.replace(
            "\"sources\":[",
            "\"sources\":[{\"kind\":\"Secret\",\"name\":\"x\",\"absent\":true,\"immutable\":true},",
        ),
        good.replace(
            "\"sources\":[",
            "\"sources\":[{\"kind\":\"Secret\",\"name\":\"x\",\"unread\":\"error\",\"immutable\":true},",
        ),
        "[".repeat(50_000),
    ];
    for text in broken {
        assert!(matches!(Record::parse(&text), Err(Unreadable::Broken)), "{text}");
    }
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    assert!(Record::parse(&padded(64 * 1024)).is_ok());
    assert!(matches!(Record::parse(&padded(64 * 1024 + 1)), Err(Unreadable::TooLong)));
    let later = good.replace("\"v\":1", "\"v\":2");
    assert_eq!(
        Record::parse(&later).unwrap_err().to_string(),
        "its record has format 2, and this version reads format 1: upgrade kubectl-reload"
    );
}

#[test]
fn fields_and_reasons_of_later_versions_are_passed_over() {
    let record = record([(SourceId::config_map("m"), SourceRecord::Unread(Unread::Error))]);
    let text =
        record.encode().unwrap().replace("\"v\":1", "\"v\":1,\"new\":{\"a\":[1]}").replace("error", "novel");
    let back = Record::parse(&text).unwrap();
    assert_eq!(back.sources[&SourceId::config_map("m")], SourceRecord::Unread(Unread::Other));
}

#[test]
fn a_record_is_believed_only_on_its_own_pod() {
    let pod = PodIdentity {
        namespace: "shop".to_owned(),
        name: "web-1".to_owned(),
        generate_name: Some("web-".to_owned()),
        controller: Some("4e0a6c52-8a0e-4d65-9c4d-6a0d1f1d2c3b".to_owned()),
        created_at: at(0),
    };
    let bare = PodIdentity { controller: None, ..pod.clone() };
    let owned_by = |owner| Record { owner, ..typical() };
    let cases = [
        ("its own", typical(), pod.clone(), Ok(())),
        ("60 s late", typical(), PodIdentity { created_at: at(-60), ..pod.clone() }, Ok(())),
        ("61 s late", typical(), PodIdentity { created_at: at(-61), ..pod.clone() }, Err(Distrust::Time)),
        ("61 s early", typical(), PodIdentity { created_at: at(61), ..pod.clone() }, Err(Distrust::Time)),
        ("adopted long after", Record { by: By::Adopt, at: at(9999), ..typical() }, pod.clone(), Ok(())),
        (
            "adopted before it was there",
            Record { by: By::Adopt, ..typical() },
            PodIdentity { created_at: at(3600), ..pod.clone() },
            Err(Distrust::Time),
        ),
        (
            "another namespace",
            typical(),
            PodIdentity { namespace: "test".to_owned(), ..pod.clone() },
            Err(Distrust::Namespace),
        ),
        (
            "another controller",
            typical(),
            PodIdentity { controller: Some("other".to_owned()), ..pod.clone() },
            Err(Distrust::Owner),
        ),
        (
            "adopted within the tolerance before it was there",
            Record { by: By::Adopt, ..typical() },
            PodIdentity { created_at: at(60), ..pod.clone() },
            Ok(()),
        ),
        (
            "adopted outside of it",
            Record { by: By::Adopt, ..typical() },
            PodIdentity { created_at: at(61), ..pod.clone() },
            Err(Distrust::Time),
        ),
        ("a copy without its controller", typical(), bare.clone(), Err(Distrust::Owner)),
        ("a bare pod", owned_by(Owner::Pod("web-1".to_owned())), bare.clone(), Ok(())),
        (
            "a copy of a bare pod",
            owned_by(Owner::Pod("web-0".to_owned())),
            bare.clone(),
            Err(Distrust::Owner),
        ),
        ("a generated name", owned_by(Owner::Generated("web-".to_owned())), bare, Ok(())),
        (
            "a bare pod's on a controlled one",
            owned_by(Owner::Pod("web-1".to_owned())),
            pod,
            Err(Distrust::Owner),
        ),
    ];
    for (name, record, pod, expected) in cases {
        assert_eq!(record.check(&pod), expected, "{name}");
    }
}

#[test]
fn the_owner_at_admission_is_the_surest_that_is_known() {
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        ("a controller", (text("uid"), text("web-1"), text("web-")), Owner::Controller("uid".to_owned())),
        ("a name", (None, text("web-1"), text("web-")), Owner::Pod("web-1".to_owned())),
        ("no name yet", (None, None, text("web-")), Owner::Generated("web-".to_owned())),
        ("an empty name", (None, text(""), text("web-")), Owner::Generated("web-".to_owned())),
    ];
    for (name, (controller, pod, prefix), expected) in cases {
        assert_eq!(Owner::at_admission(controller, pod, prefix), expected, "{name}");
    }
}

#[test]
fn changes_name_the_keys() {
    let id = SourceId::config_map("m");
    let hasher = Hasher::new(&id, "shop", None).unwrap();
    let content = |data: &[(&str, &str)]| {
        let owned: Vec<_> = data.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        config_map(&owned)
    };
    let used = UseRecord::of(&content(&[("a", "1"), ("b", "2")]), &hasher, Mode::Env, &Keys::all());
    let changes = |data| used.changes(&content(data), &hasher, Mode::Env);
    assert_eq!(changes(&[("a", "1"), ("b", "2")]), None);
    let set = |key: &str| BTreeSet::from([key.to_owned()]);
    assert_eq!(
        changes(&[("a", "9"), ("c", "3")]),
        Some(Changes { changed: set("a"), added: set("c"), removed: set("b") })
    );
    let unmarked = UseRecord { marks: None, ..used.clone() };
    assert_eq!(unmarked.changes(&content(&[]), &hasher, Mode::Env), Some(Changes::default()));
    let keys = Keys::Some(["a", "b"].map(str::to_owned).into());
    let used = UseRecord::of(&content(&[("a", "1")]), &hasher, Mode::Env, &keys);
    assert_eq!(
        used.changes(&content(&[("a", "1"), ("b", "2")]), &hasher, Mode::Env),
        Some(Changes { added: set("b"), ..Changes::default() })
    );
}
