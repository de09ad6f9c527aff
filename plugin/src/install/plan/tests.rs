use serde_json::json;

use super::*;
use crate::golden::{HOSTILE, golden};
use crate::installation::rendering::render;
use crate::installation::values::Values;

fn role(rules: &Value) -> Object {
    let json = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x"}, "rules": rules});
    Object::new(json).unwrap()
}

#[test]
fn rights_that_the_new_rules_do_not_give_are_lost() {
    let both = json!({"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get"]});
    let one = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]});
    let named =
        json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a"]});
    let any = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]});
    for (live, wanted, lost, gained) in [
        (json!([both]), json!([one]), json!([both]), false),
        (json!([one]), json!([both]), json!([]), true),
        (json!([one, named]), json!([named, one]), json!([]), false),
        (json!([named]), json!([any]), json!([]), true),
        (json!([any]), json!([named]), json!([any]), false),
        (json!([named]), json!([one]), json!([named]), true),
        (json!(null), json!([one]), json!([]), true),
    ] {
        let rights = Rights::between(Some(&role(&live)), &role(&wanted));
        assert_eq!((json!(rights.lost), rights.gained), (lost, gained), "{live} {wanted}");
    }
    let made = Rights::between(None, &role(&json!([one])));
    assert!(made.lost.is_empty() && !made.gained);
}

#[test]
fn while_pods_from_before_run_they_keep_their_rights_beside_the_new_ones() {
    let [old, new] = ["a", "b"].map(|resource| json!({"resources": [resource]}));
    let step = |live: Value, wanted: Value| {
        let (live, object) = (role(&live), role(&wanted));
        let rights = Rights::between(Some(&live), &object);
        Step { object, change: Change::Unchanged, tried: true, rights }
    };
    let step_rules = |step: &Step| step.meanwhile().map(|object| object.json["rules"].clone());
    let other = step(json!([old]), json!([new]));
    assert_eq!((other.narrows(), step_rules(&other)), (true, Some(json!([new, old]))));
    let narrower = step(json!([old, new]), json!([new]));
    assert_eq!((narrower.narrows(), step_rules(&narrower)), (true, None));
    let wider = step(json!([new]), json!([new, old]));
    assert_eq!((wider.narrows(), step_rules(&wider)), (false, None));
}

/// From nothing, or from what is there; `tried` is whether the server has tried it.
fn step(before: Option<Value>, after: Value, tried: bool) -> Step {
    let live = before.map(|json| Object::new(json).unwrap());
    let change = Change::between(live.as_ref(), &after).unwrap();
    let object = Object::new(after).unwrap();
    let rights = Rights::between(live.as_ref(), &object);
    Step { object, change, tried, rights }
}

fn deployment(version: &str, replicas: u32, arguments: &[&str]) -> Value {
    let image = format!("registry.example.com/webhook:{version}");
    let container = json!({"name": "webhook", "image": image, "args": arguments});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "kubectl-reload", "namespace": "tools", "uid": version, "resourceVersion": version,
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": version, "note": "kept"},
            "managedFields": [{"manager": version}],
        },
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
        "status": {"observedGeneration": replicas},
    })
}

fn registration(bundle: &str, timeout: u32) -> Value {
    let config = json!({"caBundle": bundle, "service": {"name": "kubectl-reload", "namespace": "tools"}});
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "zz-kubectl-reload"},
        "webhooks": [{"clientConfig": config, "timeoutSeconds": timeout}],
    })
}

/// A step of each sort, and what is part of this version no more.
fn upgrade() -> Plan {
    let rule = |resource: &str| json!([{"apiGroups": [""], "resources": [resource], "verbs": ["get"]}]);
    let (before, after) = (["--secrets=true", "--port=1"], ["--secrets=false", HOSTILE, "--port=1"]);
    let account = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "tools"},
        })
    };
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "new", "namespace": "tools"},
    });
    let mut bound = registration("LS0tLS1CRUdJTg==", 2);
    bound["metadata"]["labels"] = json!({"app": "kubectl-reload"});
    let steps = vec![
        step(Some(account("old")), account("old"), true),
        step(None, account("new"), true),
        step(None, binding, false),
        step(Some(role(&rule("secrets")).json), role(&rule("configmaps")).json, true),
        step(Some(deployment("0.1.0", 2, &before)), deployment("0.2.0", 3, &after), true),
        step(Some(registration("LS0tLS1CRUdJTg==", 10)), bound, true),
    ];
    let mut former = role(&json!([]));
    former.id.name += HOSTILE;
    Plan { steps, former: vec![former] }
}

#[test]
fn every_view_is_as_it_was() {
    let mut manifest = render("tools", &Values::default()).unwrap();
    manifest.sort_by_key(rank);
    let steps = manifest.into_iter().map(|object| step(None, object.json, true)).collect();
    let install = Plan { steps, former: Vec::new() };
    for (name, text) in [
        ("install", install.text(DryRun::None, Paint::PLAIN)),
        ("install dry run", install.text(DryRun::Client, Paint::PLAIN)),
        ("upgrade", upgrade().text(DryRun::None, Paint::PLAIN)),
        ("upgrade dry run", upgrade().text(DryRun::Client, Paint::PLAIN)),
        ("upgrade server dry run", upgrade().text(DryRun::Server, Paint::PLAIN)),
        ("colored", upgrade().text(DryRun::None, Paint::COLORED)),
    ] {
        golden!(name, text);
    }
}
