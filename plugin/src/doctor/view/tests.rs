//! Golden outputs, in `snapshots/`.

use super::*;
use crate::document::Form;
use crate::golden::{HOSTILE, golden};

/// One of each level.
fn every() -> Vec<Finding> {
    vec![
        Finding::green("server", "v1.36.3"),
        Finding::yellow("rights", format!("may not list secrets in namespace {HOSTILE}"), "grant it"),
        Finding::red("replicas", "none of 2 is ready", format!("kubectl get pods -n {HOSTILE}")),
        Finding::yellow("admission", "no pod could be tried", "if it is the webhook, mend it"),
        Finding::green("hash key", "0011aabb in namespace kubectl-reload"),
    ]
}

#[test]
fn every_view_is_as_it_was() {
    let of = |level| every().into_iter().filter(|finding| finding.level <= level).collect::<Vec<_>>();
    let (green, yellow) = (of(Level::Green), of(Level::Yellow));
    let red: Vec<Finding> = every().into_iter().filter(|finding| finding.level == Level::Red).collect();
    for (name, text) in [
        ("every level", text(&every(), Paint::PLAIN)),
        ("colored", text(&every(), Paint::COLORED)),
        ("green", text(&green, Paint::PLAIN)),
        ("yellow", text(&yellow, Paint::PLAIN)),
        ("red", text(&red, Paint::PLAIN)),
        ("json", Form::Json.write(&Document::of(&every())).unwrap()),
        ("yaml", Form::Yaml.write(&Document::of(&green)).unwrap()),
    ] {
        golden!(name, text);
    }
}
