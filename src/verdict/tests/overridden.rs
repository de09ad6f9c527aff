//! Keys of an `envFrom` entry that a later one of the same container sets as well.

use super::objects::{config_map, pod, read, record, reference, source};
use super::*;
use crate::content::Content;
use crate::digest::Hasher;
use crate::record::UseRecord;

/// What `early` held when it was recorded and holds now; how `late`, which follows it, is used, and what
/// became of it.
struct Late {
    early: (Option<Data>, Option<Data>),
    prefixes: [&'static str; 2],
    container: &'static str,
    version: &'static str,
    had: Content,
}

impl Late {
    fn reason(self) -> Reason {
        let (early, late) = (SourceId::config_map("early"), SourceId::config_map("late"));
        let hasher = Hasher::new(&early, "x", None).unwrap();
        let had = |content: &Content| {
            read([(Mode::Env, UseRecord::of(content, &hasher, Mode::Env, &Keys::all()))].into())
        };
        let from = |source: &SourceId, prefix: &str, container: &str| Reference {
            prefix: Some(prefix.to_owned()),
            container: container.to_owned(),
            optional: true,
            ..reference(source, Keys::all())
        };
        let references =
            vec![from(&early, self.prefixes[0], "c"), from(&late, self.prefixes[1], self.container)];
        let runs = Runs::from_iter([("c".to_owned(), Run { started_at: Some(at(2)), restarts: 0 })]);
        let before = self.early.0.map_or(SourceRecord::Absent, |data| had(&config_map(data)));
        let recorded = [(early.clone(), before), (late.clone(), had(&self.had))].into();
        let now =
            |version, data| SourceState::Present(source(version, Some(50), config_map(data), &["k", "l"]));
        let after = self.early.1.map_or(SourceState::Absent, |data| now("2", data));
        let states = [(early.clone(), after), (late, now(self.version, A))].into();
        let findings = judge(&pod(references, runs, Ok(record(recorded))), &states, None, Lag::default());
        findings.into_iter().find(|finding| finding.source == early).unwrap().reason
    }
}

#[test]
fn a_key_that_a_later_env_from_overrides_is_no_use() {
    let early = (Some(A), Some(B));
    let late = || Late { early, prefixes: ["", ""], container: "c", version: "1", had: config_map(A) };
    let binary = Content::config_map([], [("k".to_owned(), vec![1])]);
    for (name, late, reason) in [
        ("the same variable", late(), Reason::Overridden),
        ("appeared", Late { early: (None, Some(A)), ..late() }, Reason::Overridden),
        ("deleted", Late { early: (Some(A), None), ..late() }, Reason::Overridden),
        (
            "deleted, another variable",
            Late { early: (Some(A), None), prefixes: ["P_", ""], ..late() },
            Reason::Changed,
        ),
        ("the same prefix", Late { prefixes: ["P_", "P_"], ..late() }, Reason::Overridden),
        ("another variable", Late { prefixes: ["P_", ""], ..late() }, Reason::Changed),
        ("the later one moved", Late { version: "2", ..late() }, Reason::Changed),
        ("the later one lacks the key", Late { had: config_map(WITHOUT_K), ..late() }, Reason::Changed),
        ("of another container", Late { container: "d", ..late() }, Reason::Changed),
        ("env sees no binaryData", Late { had: binary, ..late() }, Reason::Changed),
    ] {
        assert_eq!(late.reason(), reason, "{name}");
    }
}

/// Hostile pods have thousands of entries; each is looked at once.
#[test]
fn many_entries_cost_no_more_than_one_walk() {
    let many = SourceId::config_map("many");
    let content =
        |value: &str| Content::config_map((0..60).map(|i| (format!("KEY_{i}"), value.to_owned())), []);
    let hasher = Hasher::new(&many, "x", None).unwrap();
    let used = UseRecord::of(&content("a"), &hasher, Mode::Env, &Keys::all());
    let references = (0..5_000)
        .map(|_| Reference { prefix: Some(String::new()), ..reference(&many, Keys::all()) })
        .collect();
    let runs = Runs::from_iter([("c".to_owned(), Run { started_at: Some(at(2)), restarts: 0 })]);
    let record = record([(many.clone(), read([(Mode::Env, used)].into()))].into());
    let states = [(many, SourceState::Present(source("2", Some(50), content("b"), &[])))].into();
    let findings = judge(&pod(references, runs, Ok(record)), &states, None, Lag::default());
    assert_eq!(findings[0].changes.changed.len(), 60);
}
