//! Keys of an `envFrom` entry that a later one of the same container sets as well.

use super::objects::{config_map, pod, read, record, reference, source};
use super::*;
use crate::content::Content;
use crate::digest::Hasher;
use crate::record::UseRecord;

/// `early` changed in key `k` since it was recorded; how `late`, which follows it, is used, and what
/// became of it.
struct Late {
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
            ..reference(source, Keys::all())
        };
        let references =
            vec![from(&early, self.prefixes[0], "c"), from(&late, self.prefixes[1], self.container)];
        let runs = [("c".to_owned(), Run { started_at: Some(at(2)), restarts: 0 })].into();
        let recorded = [(early.clone(), had(&config_map(A))), (late.clone(), had(&self.had))].into();
        let now =
            |version, data| SourceState::Present(source(version, Some(50), config_map(data), &["k", "l"]));
        let states = [(early.clone(), now("2", B)), (late, now(self.version, A))].into();
        let findings = judge(&pod(references, runs, Ok(record(recorded))), &states, None, Lag::default());
        findings.into_iter().find(|finding| finding.source == early).unwrap().reason
    }
}

#[test]
fn a_key_that_a_later_env_from_overrides_is_no_use() {
    let late = || Late { prefixes: ["", ""], container: "c", version: "1", had: config_map(A) };
    let binary = Content::config_map([], [("k".to_owned(), vec![1])]);
    for (name, late, reason) in [
        ("the same variable", late(), Reason::Overridden),
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
