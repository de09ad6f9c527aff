use serde_json::{Value, json};

use super::super::Progress;
use super::*;

fn set(spec: Value, status: Value) -> StatefulSet {
    let mut object = json!({
        "metadata": {"generation": 1},
        "spec": {"replicas": 2, "selector": {}, "template": {}, "serviceName": "s"},
        "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updateRevision": "b"},
    });
    for (part, fields) in [("spec", spec), ("status", status)] {
        for (name, value) in fields.as_object().unwrap() {
            object[part][name] = value.clone();
        }
    }
    serde_json::from_value(object).unwrap()
}

fn partition(number: i32) -> Value {
    json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}})
}

#[test]
fn a_stateful_set_is_complete_when_its_revisions_agree_and_pods_are_ready() {
    let progress = |spec: Value, current: &str, updated: i32, ready: i32| {
        let status = json!({"currentRevision": current, "updatedReplicas": updated, "readyReplicas": ready});
        Rollable::StatefulSet(Box::new(set(spec, status))).progress()
    };
    assert_eq!(progress(json!({}), "a", 1, 2), Progress::Underway { done: 1, wanted: 2 });
    assert_eq!(progress(json!({}), "b", 0, 2), Progress::Complete);
    assert_eq!(progress(json!({}), "b", 2, 1), Progress::Underway { done: 1, wanted: 2 });
    assert_eq!(progress(partition(1), "a", 0, 2), Progress::Underway { done: 1, wanted: 2 });
    assert_eq!(progress(partition(1), "a", 1, 2), Progress::Complete, "the other keeps its revision");
    assert_eq!(progress(partition(1), "a", 1, 1), Progress::Underway { done: 1, wanted: 2 });
    assert_eq!(progress(partition(9), "a", 0, 2), Progress::Complete);
}

#[test]
fn a_partition_reaches_the_pods_from_its_number_on_wherever_ordinals_start() {
    let of = |spec: Value| Partition::of(&set(spec, json!({})));
    let reached = |partition: Partition| ["db-0", "db-1", "db-2", "db-12"].map(|pod| partition.reaches(pod));
    assert_eq!(of(partition(2)).map(reached), Some([false, false, true, true]));
    let mut later = partition(2);
    later["ordinals"] = json!({"start": 10});
    assert_eq!(of(later).map(reached), Some([false, false, false, true]));
    assert!(of(partition(2)).is_some_and(|partition| !partition.reaches("db") && !partition.reaches("db-x")));
    assert!(of(partition(2)).is_some_and(|partition| partition.to_string().contains("below partition 2 ")));
    assert_eq!(of(partition(0)), None);
    assert_eq!(of(json!({})), None);
}

#[test]
fn a_pod_that_has_not_been_ready_for_a_minute_is_broken() {
    let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let pod = |name: &str, ready: Option<(&str, &str)>, phase: &str| -> Pod {
        let conditions = ready
            .map(|(status, since)| json!([{"type": "Ready", "status": status, "lastTransitionTime": since}]));
        let metadata = json!({"name": name, "creationTimestamp": "2026-01-01T10:00:00Z"});
        let status = json!({"phase": phase, "conditions": conditions});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
    };
    let long = Some(("False", "2026-01-01T11:57:00Z"));
    let broken = |pods: &[Pod]| BrokenPod::among(pods, now).map(|pod| pod.name);
    for (name, pods, expected) in [
        ("it is ready", vec![pod("db-0", Some(("True", "2026-01-01T11:57:00Z")), "Running")], None),
        ("it starts", vec![pod("db-0", Some(("False", "2026-01-01T11:59:30Z")), "Running")], None),
        ("for minutes", vec![pod("db-0", long, "Running")], Some("db-0")),
        ("it has no place to run", vec![pod("db-0", None, "Pending")], Some("db-0")),
        ("it has ended, and is replaced by itself", vec![pod("db-0", long, "Failed")], None),
        ("several", vec![pod("db-10", long, "Running"), pod("db-9", long, "Running")], Some("db-9")),
    ] {
        assert_eq!(broken(&pods).as_deref(), expected, "{name}");
    }
    let words = BrokenPod::among(&[pod("db-0", long, "Running")], now).unwrap().to_string();
    assert!(words.starts_with("its pod db-0 has not been ready for 3m, and a StatefulSet"), "{words}");
}
