use serde_json::{Value, json};

use super::*;

fn deployment(status: Value) -> Progress {
    let object = json!({
        "metadata": {"generation": 2},
        "spec": {"replicas": 3, "selector": {}, "template": {}},
        "status": status,
    });
    Rollable::Deployment(Box::new(serde_json::from_value(object).unwrap())).progress()
}

#[test]
fn a_deployment_is_complete_when_all_pods_are_new_and_available() {
    let stuck = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    let underway = |done| Progress::Underway { done, wanted: 3 };
    let cases = [
        (
            "not seen yet",
            json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
            underway(0),
        ),
        (
            "halfway",
            json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 2, "availableReplicas": 3}),
            underway(2),
        ),
        (
            "old pods are still there",
            json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 3}),
            underway(2),
        ),
        (
            "new ones are not available",
            json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 1}),
            underway(1),
        ),
        (
            "complete",
            json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
            Progress::Complete,
        ),
        (
            "stuck",
            json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "conditions": stuck}),
            Progress::Stuck(STUCK.to_owned()),
        ),
    ];
    for (name, status, expected) in cases {
        assert_eq!(deployment(status), expected, "{name}");
    }
}

#[test]
fn what_would_not_roll_says_so() {
    let set = |strategy: Value| {
        let spec = json!({"selector": {}, "template": {}, "serviceName": "s", "updateStrategy": strategy});
        Rollable::StatefulSet(Box::new(
            serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap(),
        ))
    };
    assert_eq!(set(json!({"type": "RollingUpdate"})).held(), None);
    assert!(set(json!({"type": "OnDelete"})).held().unwrap().contains("OnDelete"));
    let spec = json!({"paused": true, "selector": {}, "template": {}});
    let paused = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
    assert!(Rollable::Deployment(Box::new(paused)).held().unwrap().contains("rollout resume"));
}

#[test]
fn a_stateful_set_that_makes_no_new_pod_is_stuck_after_a_while() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let object = json!({
        "metadata": {"generation": 2, "managedFields": [
            {"manager": "reload-sync", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "labels", "time": "2026-01-01T00:20:00Z", "fieldsV1": {"f:metadata": {}}},
            {"manager": "kube-controller-manager", "subresource": "status", "time": "2026-01-01T00:30:00Z",
             "fieldsV1": {"f:status": {}}},
        ]},
        "spec": {"replicas": 2, "selector": {}, "template": {}, "serviceName": "s"},
        "status": {"observedGeneration": 2, "replicas": 2, "readyReplicas": 1, "updatedReplicas": 0,
                   "currentRevision": "a", "updateRevision": "b"},
    });
    let set = Rollable::StatefulSet(Box::new(serde_json::from_value(object).unwrap()));
    let stuck = |now: &str, pod: Option<&str>| match set.progress_at(at(now), pod.map(at)) {
        Progress::Stuck(why) => Some(why),
        _ => None,
    };
    assert_eq!(stuck("2026-01-01T00:10:00Z", None), None);
    let why = stuck("2026-01-01T00:10:01Z", None).unwrap();
    assert!(why.contains("no new pod") && why.contains("kubectl describe"), "{why}");
    assert_eq!(stuck("2026-01-01T00:30:00Z", Some("2026-01-01T00:25:00Z")), None);
    assert!(stuck("2026-01-01T01:00:00Z", Some("2026-01-01T00:25:00Z")).unwrap().contains("newest pod"));
}

/// Of a workload whose last new pod was made at nine: what is said of it at noon, ten minutes after and an
/// hour after.
fn said_at_noon_and_later(rollable: &Rollable) -> [bool; 3] {
    let at = |text: &str| format!("2026-01-01T{text}:00Z").parse::<Timestamp>().unwrap();
    ["12:00", "12:10", "13:00"]
        .map(|now| matches!(rollable.progress_at(at(now), Some(at("09:00"))), Progress::Stuck(_)))
}

#[test]
fn a_rollout_that_has_just_begun_is_not_stuck_however_old_its_pods_are() {
    let writes = json!([{"manager": "m", "time": "2026-01-01T12:00:00Z", "fieldsV1": {"f:spec": {}}}]);
    let counts = json!({"replicas": 2, "readyReplicas": 2, "updatedReplicas": 0, "numberAvailable": 0,
        "desiredNumberScheduled": 2, "currentRevision": "a", "updateRevision": "b"});
    let object = |observed: i64, writes: &Value| {
        let mut object = json!({
            "metadata": {"generation": 2, "managedFields": writes},
            "spec": {"replicas": 2, "selector": {}, "template": {}, "serviceName": "s"},
            "status": counts,
        });
        object["status"]["observedGeneration"] = json!(observed);
        object
    };
    let set = |object: Value| {
        Rollable::StatefulSet(Box::new(serde_json::from_value::<StatefulSet>(object).unwrap()))
    };
    let agent = |object: Value| Rollable::DaemonSet(Box::new(serde_json::from_value(object).unwrap()));
    let shop = |observed: i64| {
        let mut object = object(observed, &writes);
        object["spec"]["progressDeadlineSeconds"] = json!(7200);
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T09:00:00Z");
        Rollable::Deployment(Box::new(serde_json::from_value(object).unwrap()))
    };
    for (name, rollable, expected) in [
        ("not seen yet", set(object(1, &writes)), [false, false, true]),
        ("back at the revision of an old pod", set(object(2, &writes)), [false, false, true]),
        ("a DaemonSet", agent(object(1, &writes)), [false, false, true]),
        ("changed nobody knows when, and not seen yet", set(object(1, &json!([]))), [false; 3]),
        ("changed long ago", set(object(2, &json!([]))), [true; 3]),
        ("a Deployment has a deadline of its own", shop(2), [false; 3]),
        ("a Deployment whose controller is slow", shop(1), [false; 3]),
    ] {
        assert_eq!(said_at_noon_and_later(&rollable), expected, "{name}");
    }
}

#[test]
fn a_rollout_that_restarts_its_pods_is_as_old_as_the_restart() {
    let object = json!({
        "metadata": {"generation": 2},
        "spec": {"replicas": 2, "restartAt": "2026-01-01T12:00:00Z"},
        "status": {"observedGeneration": "2", "phase": "Progressing", "replicas": 2, "updatedReplicas": 2,
            "availableReplicas": 1, "currentPodHash": "h"},
    });
    let rollout = Rollable::Argo(Box::new(serde_json::from_value(object).unwrap()));
    assert_eq!(said_at_noon_and_later(&rollout), [false, false, true]);
}
