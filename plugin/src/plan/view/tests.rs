//! Golden outputs, in `snapshots/`.

use reload_core::reference::Class;

use super::*;
use crate::document::Form;
use crate::golden::golden;
use crate::plan::document::Document;
use crate::plan::wanted::sources;
use crate::workload::{Kind, WorkloadName};

fn changes(changed: &[&str], added: &[&str], removed: &[&str]) -> Changes {
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    Changes { changed: keys(changed), added: keys(added), removed: keys(removed) }
}

fn source(name: &str, action: Action, changes: Changes) -> PlannedSource {
    let manifest = serde_json::json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}});
    let wanted = sources(crate::manifest::of_tests(&manifest.to_string()), "shop", false);
    let mut planned = PlannedSource::of(wanted.unwrap().remove(0), Ok(None));
    (planned.action, planned.changes) = (action, changes);
    planned
}

fn effect(source: &str, class: Class, (verdict, certainty): (Verdict, Certainty), reason: &str) -> Effect {
    Effect {
        source: SourceId::config_map(source),
        class,
        verdict,
        certainty,
        reason: reason.to_owned(),
        changes: changes(&["A"], &[], &[]),
        would_not_start: reason.starts_with("missing"),
    }
}

fn workload(kind: Kind, name: &str, after: (Verdict, Certainty), effects: Vec<Effect>) -> PlannedWorkload {
    let workload = WorkloadName { namespace: "shop".to_owned(), kind, name: name.to_owned() };
    let before = (Verdict::Current, Certainty::Recorded);
    PlannedWorkload { workload, pods: 3, affected: 2, before, after, effects }
}

/// One of each sort.
fn plan() -> Plan {
    use Certainty::{Inferred, Recorded};
    use Verdict::{Current, Drifted, Unknown};
    let mut kept = source("flags", Action::Change, changes(&["A"], &["B"], &["C"]));
    kept.kept.insert("ca.crt".to_owned());
    let mut refused = source("fixed", Action::Refused, changes(&["A"], &[], &[]));
    refused.reason = Some("it is immutable: give the new content a new name, or delete it first".to_owned());
    let mut unknown = source("unseen", Action::Unknown, Changes::default());
    unknown.reason = Some("may not get configmaps/unseen".to_owned());
    let workloads = vec![
        workload(
            Kind::Deployment,
            "web",
            (Drifted, Recorded),
            vec![
                effect("flags", Class::Frozen, (Drifted, Recorded), "changed"),
                effect(
                    "flags",
                    Class::Live,
                    (Drifted, Recorded),
                    "changed: files updated, process not restarted",
                ),
            ],
        ),
        workload(
            Kind::StatefulSet,
            "db\u{1b}[2J",
            (Drifted, Recorded),
            vec![effect("flags", Class::Frozen, (Drifted, Recorded), "missing: a restart would not start")],
        ),
        workload(
            Kind::Deployment,
            "old",
            (Drifted, Inferred),
            vec![effect("flags", Class::Frozen, (Drifted, Inferred), "changed")],
        ),
        workload(
            Kind::Deployment,
            "back",
            (Current, Recorded),
            vec![effect("flags", Class::Frozen, (Current, Recorded), "what its pods run on comes back")],
        ),
        workload(
            Kind::Job,
            "late",
            (Unknown, Inferred),
            vec![effect("new", Class::Frozen, (Unknown, Inferred), "written about when it started")],
        ),
    ];
    let sources = vec![
        kept,
        source("new", Action::Create, changes(&[], &["A"], &[])),
        source("same", Action::None, Changes::default()),
        refused,
        unknown,
    ];
    Plan { sources, workloads, ignored: 7 }
}

#[test]
fn every_view_is_as_it_was() {
    let view = |namespace| View { namespace, width: None, paint: Paint::PLAIN };
    let nothing = Plan { sources: Vec::new(), workloads: Vec::new(), ignored: 1 };
    let same = Plan {
        sources: vec![source("same", Action::None, Changes::default())],
        workloads: Vec::new(),
        ignored: 0,
    };
    for (name, text) in [
        ("one namespace", view(Some("shop")).text(&plan())),
        ("namespaces", view(None).text(&plan())),
        ("colored", View { paint: Paint::COLORED, ..view(Some("shop")) }.text(&plan())),
        ("narrow", View { width: Some(80), ..view(Some("shop")) }.text(&plan())),
        ("nothing", view(None).text(&nothing)),
        ("unchanged", view(Some("shop")).text(&same)),
        ("json", Form::Json.write(&Document::of(&plan())).unwrap()),
        ("yaml", Form::Yaml.write(&Document::of(&plan())).unwrap()),
    ] {
        golden!(name, text);
    }
}
