//! Golden outputs of every view, in `snapshots/`.

use reload_core::source::SourceId;

use super::*;
use crate::document::Form;
use crate::status::document::Document;
use crate::status::order::Order;
use crate::workload::{Kind, WorkloadName};

const NOW: &str = "2030-01-01T12:00:00Z";

fn cause(source: SourceId, reason: &str, changed: &[&str], since: Option<&str>) -> Cause {
    Cause {
        source,
        reason: reason.to_owned(),
        changed: changed.iter().map(|key| (*key).to_owned()).collect(),
        added: Vec::new(),
        removed: Vec::new(),
        would_not_start: reason.starts_with("missing"),
        since: since.map(|since| since.parse().unwrap()),
        resource_version: Some("7".to_owned()),
    }
}

fn report(
    (namespace, kind, name): (&str, Kind, &str),
    (verdict, certainty): (Verdict, Certainty),
    (affected, pods): (usize, usize),
    causes: Vec<Cause>,
) -> WorkloadReport {
    let workload = WorkloadName { namespace: namespace.to_owned(), kind, name: name.to_owned() };
    let drifts = std::collections::BTreeSet::new();
    let (problem, newest_pod) = (None, None);
    WorkloadReport { workload, verdict, certainty, pods, affected, causes, drifts, problem, newest_pod }
}

/// One workload of each sort, with names as bad as the API server lets them be.
fn reports() -> Vec<WorkloadReport> {
    use Certainty::{Inferred, Recorded};
    let flags = SourceId::config_map("web-flags");
    let keys = ["A", "B", "C", "D", "E"];
    let mut stuck = report(
        ("shop", Kind::DaemonSet, "agent"),
        (Verdict::Drifted, Recorded),
        (1, 3),
        vec![cause(flags.clone(), "changed", &["A"], Some("2030-01-01T11:58:00Z"))],
    );
    stuck.problem = Some("rollout stuck: it made no progress within its deadline".to_owned());
    vec![
        report(
            ("shop", Kind::Deployment, "web"),
            (Verdict::Drifted, Recorded),
            (3, 3),
            vec![
                cause(flags.clone(), "changed", &keys, Some("2030-01-01T11:58:00Z")),
                cause(SourceId::secret("login"), "missing: a restart would not start", &[], None),
            ],
        ),
        stuck,
        report(
            ("shop", Kind::StatefulSet, "db"),
            (Verdict::Rolling, Recorded),
            (1, 2),
            vec![cause(
                flags.clone(),
                "changed: files updated, process not restarted",
                &["B"],
                Some("2030-01-01T11:59:30Z"),
            )],
        ),
        report(
            ("shop", Kind::Deployment, "old"),
            (Verdict::Drifted, Inferred),
            (2, 2),
            vec![cause(flags, "written since the start", &[], Some("2029-12-30T12:00:00Z"))],
        ),
        report(
            ("shop", Kind::Pod, "bare"),
            (Verdict::Unknown, Inferred),
            (1, 1),
            vec![cause(SourceId::secret("\u{1b}[2Jlogin"), "may not list secrets", &[], None)],
        ),
        report(
            ("store", Kind::Other("CloneSet.apps.kruise.io".to_owned()), "well"),
            (Verdict::Current, Recorded),
            (4, 4),
            Vec::new(),
        ),
        report(("store", Kind::Job, "left-out"), (Verdict::Ignored, Recorded), (1, 1), Vec::new()),
    ]
}

fn view() -> View<'static> {
    View {
        namespace: None,
        all: false,
        wide: false,
        by: By::Workload,
        width: None,
        paint: Paint::PLAIN,
        now: NOW.parse().unwrap(),
    }
}

#[test]
fn every_view_is_as_it_was() {
    let mut sorted = reports();
    Order::Since.sort(&mut sorted);
    let in_shop: Vec<WorkloadReport> =
        reports().into_iter().filter(|report| report.workload.namespace == "shop").collect();
    let one = View { namespace: Some("shop"), ..view() };
    for (name, text) in [
        ("table", view().text(&reports())),
        ("all", View { all: true, ..view() }.text(&reports())),
        ("wide", View { wide: true, width: Some(80), ..view() }.text(&reports())),
        ("narrow", View { width: Some(80), ..view() }.text(&reports())),
        ("colored", View { paint: Paint::COLORED, all: true, ..view() }.text(&reports())),
        ("by source", View { by: By::Source, all: true, ..view() }.text(&reports())),
        ("by since", view().text(&sorted)),
        ("one namespace", one.text(&in_shop)),
        ("one namespace by source", View { by: By::Source, ..one }.text(&in_shop)),
        ("nothing", view().text(&[])),
        ("nothing in a namespace", one.text(&[])),
        ("json", Form::Json.write(&Document::of(&reports()[..2])).unwrap()),
        ("yaml", Form::Yaml.write(&Document::of(&reports()[..2])).unwrap()),
    ] {
        let colored = name == "colored";
        assert!(colored || !text.contains('\u{1b}'), "{name}: {text:?}");
        let settings = insta::Settings::clone_current();
        settings.bind(|| insta::assert_snapshot!(name.replace(' ', "-"), text.replace('\u{1b}', "ESC")));
    }
}

#[test]
fn orders_put_first_what_they_say() {
    let first = |order: Order| {
        let mut reports = reports();
        order.sort(&mut reports);
        reports[0].workload.to_string()
    };
    assert_eq!(first(Order::Verdict), "deployment/web");
    assert_eq!(first(Order::Since), "deployment/old");
    assert_eq!(first(Order::Pods), "cloneset.apps.kruise.io/well");
    assert_eq!(first(Order::Name), "deployment/old");
}
