//! Golden outputs of every view, in `snapshots/`.

use reload_core::source::SourceId;

use super::*;
use crate::document::Form;
use crate::golden::golden;
use crate::report::of_tests::{cause, report};
use crate::status::document::Document;
use crate::status::metrics;
use crate::status::order::Order;
use crate::workload::Kind;

const NOW: &str = "2030-01-01T12:00:00Z";

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

/// A pod of each of the first four, and one whose annotations are not understood.
fn pods() -> Vec<PodReport> {
    let pod = |report: WorkloadReport| PodReport {
        namespace: report.workload.namespace.clone(),
        name: format!("{}-x", report.workload.name),
        workload: report.workload,
        verdict: report.verdict,
        certainty: report.certainty,
        causes: report.causes,
        problem: report.problem,
    };
    let mut pods: Vec<PodReport> = reports().into_iter().take(4).map(pod).collect();
    let unclear =
        report(("shop", Kind::Job, "j"), (Verdict::Unknown, Certainty::Inferred), (1, 1), Vec::new());
    pods.push(PodReport { problem: Some("\u{1b}[2J is neither true nor false".to_owned()), ..pod(unclear) });
    let well = report(("shop", Kind::Job, "k"), (Verdict::Current, Certainty::Recorded), (1, 1), Vec::new());
    pods.push(pod(well));
    pods
}

/// No API server has such a namespace, but a file may.
fn with_a_hostile_namespace() -> Vec<WorkloadReport> {
    let namespace = "a\"} 1\n\\\u{1b}[2Jb";
    let judged = (Verdict::Drifted, Certainty::Recorded);
    let mut reports = reports();
    reports.push(report((namespace, Kind::Deployment, "web"), judged, (1, 1), Vec::new()));
    reports
}

fn view() -> View<'static> {
    View {
        namespace: None,
        all: false,
        wide: false,
        by: By::Workload,
        sort_by: Order::Name,
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
        ("table", view().text(&reports(), None)),
        ("all", View { all: true, ..view() }.text(&reports(), None)),
        ("wide", View { wide: true, width: Some(80), ..view() }.text(&reports(), None)),
        ("narrow", View { width: Some(80), ..view() }.text(&reports(), None)),
        ("colored", View { paint: Paint::COLORED, all: true, ..view() }.text(&reports(), None)),
        (
            "by source, the oldest first",
            View { by: By::Source, sort_by: Order::Since, ..view() }.text(&sorted, None),
        ),
        ("by source", View { by: By::Source, all: true, ..view() }.text(&reports(), None)),
        ("by since", view().text(&sorted, None)),
        ("one namespace", one.text(&in_shop, None)),
        ("one namespace by source", View { by: By::Source, ..one }.text(&in_shop, None)),
        ("pods", view().text(&reports(), Some(&pods()))),
        ("all pods", View { all: true, wide: true, ..one }.text(&in_shop, Some(&pods()))),
        ("pods json", Form::Json.write(&Document::of(&reports()[..1], Some(&pods()[..1]))).unwrap()),
        ("unclear pods json", Form::Json.write(&Document::of(&[], Some(&pods()[4..]))).unwrap()),
        ("nothing", view().text(&[], None)),
        ("nothing in a namespace", one.text(&[], None)),
        ("json", Form::Json.write(&Document::of(&reports()[..2], None)).unwrap()),
        ("openmetrics", metrics::text(&with_a_hostile_namespace(), None, view().now).unwrap()),
        ("pods openmetrics", metrics::text(&reports()[..2], Some(&pods()), view().now).unwrap()),
        ("openmetrics of nothing", metrics::text(&[], None, view().now).unwrap()),
        ("yaml", Form::Yaml.write(&Document::of(&reports()[..2], None)).unwrap()),
    ] {
        golden!(name, text);
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
