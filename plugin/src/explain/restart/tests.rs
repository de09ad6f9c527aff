//! What is said of a restart, as a golden output.

use reload_core::annotation::RESTARTED_FOR;
use reload_core::source::SourceId;
use serde_json::{Value, json};

use super::*;
use crate::golden::golden;
use crate::inventory::PodMetadata;
use crate::report::Reached;
use crate::report::of_tests::{cause, report};
use crate::workload::Kind;

fn stateful_set(spec: Value, annotations: Value) -> Rollable {
    let mut spec = spec;
    spec["replicas"] = json!(3);
    spec["selector"] = json!({});
    spec["template"] = json!({});
    let object = json!({
        "metadata": {"generation": 2, "annotations": annotations},
        "spec": spec,
        "status": {
            "observedGeneration": 2, "replicas": 3, "readyReplicas": 2, "updatedReplicas": 2,
            "currentRevision": "a", "updateRevision": "b",
        },
    });
    Rollable::StatefulSet(Box::new(serde_json::from_value(object).unwrap()))
}

fn deployment(spec: Value, status: Value) -> Rollable {
    let mut spec = spec;
    spec["selector"] = json!({});
    spec["template"] = json!({});
    let object = json!({"metadata": {"generation": 2}, "spec": spec, "status": status});
    Rollable::Deployment(Box::new(serde_json::from_value(object).unwrap()))
}

fn of(kind: Kind, judged: (Verdict, Certainty), pods: usize) -> WorkloadReport {
    let settings = cause(SourceId::config_map("settings"), "changed", &["A"], None);
    let mut report = report(("shop", kind, "db"), judged, (pods, pods), vec![settings]);
    report.newest_pod = Some("2030-01-01T12:00:00Z".parse().unwrap());
    report
}

/// A StatefulSet of three pods, the last of which is what a restart would reach.
fn parted(reached: (Verdict, Certainty)) -> WorkloadReport {
    let partition = || json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}});
    let partition = stateful_set(partition(), json!({})).partition().unwrap();
    let whole = of(Kind::StatefulSet, (Verdict::Drifted, Certainty::Recorded), 3);
    let report = of(Kind::StatefulSet, reached, 1);
    WorkloadReport {
        reached: Some(Box::new(Reached { partition, report, others: Default::default() })),
        ..whole
    }
}

#[test]
fn what_a_restart_would_do_is_as_it_was() {
    use Certainty::{Inferred, Recorded};
    use Verdict::{Current, Drifted, Rolling, Unknown};
    let plain = || stateful_set(json!({}), json!({}));
    let updated = |strategy: Value| stateful_set(json!({"updateStrategy": strategy}), json!({}));
    let parting = |partition: i32| updated(json!({"rollingUpdate": {"partition": partition}}));
    let memory = r#"{"at": "2030-01-01T11:59:00Z", "sources": {"configmap/settings": "7"}}"#;
    let stuck = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    let stuck = json!({"observedGeneration": 2, "conditions": stuck});
    let set = |judged| of(Kind::StatefulSet, judged, 3);
    let helping = [
        ("drifted", set((Drifted, Recorded)), plain()),
        ("one pod", of(Kind::Deployment, (Drifted, Recorded), 1), deployment(json!({}), json!({}))),
        ("possibly drifted", set((Drifted, Inferred)), plain()),
        ("unknown", set((Unknown, Inferred)), plain()),
        ("a partition keeps some", parted((Drifted, Recorded)), parting(2)),
        ("unknown, and a partition keeps some", set((Unknown, Inferred)), parting(1)),
    ];
    let in_vain = [
        ("current", set((Current, Recorded)), plain()),
        ("current, and a partition keeps some", set((Current, Recorded)), parting(1)),
        ("rolling", set((Rolling, Recorded)), plain()),
        ("on delete", set((Drifted, Recorded)), updated(json!({"type": "OnDelete"}))),
        ("paused", set((Drifted, Recorded)), deployment(json!({"paused": true}), json!({}))),
        ("stuck", set((Drifted, Recorded)), deployment(json!({}), stuck)),
        ("a partition keeps all that drifted", parted((Current, Recorded)), parting(2)),
        ("unknown, and a partition keeps all", set((Unknown, Inferred)), parting(3)),
        ("in vain", set((Drifted, Recorded)), stateful_set(json!({}), json!({RESTARTED_FOR: memory}))),
    ];
    let mut words = String::new();
    for (helps, cases) in [(true, &helping[..]), (false, &in_vain)] {
        for (name, report, rollable) in cases {
            let pods = pods(report);
            let restart = in_the_way(report, rollable)
                .map_or_else(|| rolled(report, pods.iter(), rollable), Restart::in_vain);
            assert_eq!(restart.helps, helps, "{name}: {}", restart.words);
            words += &format!("{name}:\n  {}\n", restart.words);
        }
    }
    golden!("words", words);
}

/// Its pods, by their ordinals.
fn pods(report: &WorkloadReport) -> Vec<SurveyedPod> {
    let pod = |ordinal: usize| {
        let metadata = PodMetadata::named(&format!("db-{ordinal}"), Timestamp::UNIX_EPOCH);
        SurveyedPod::unjudged(report.workload.clone(), metadata.into(), report.verdict, report.certainty)
    };
    (0..report.pods).map(pod).collect()
}
