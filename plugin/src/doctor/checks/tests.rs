use jiff::SignedDuration;
use serde_json::json;

use super::super::certificate::Certificate;
use super::super::deployed::Deployed;
use super::super::facts::{Endpoint, Place, Pods};
use super::super::finding::Level;
use super::super::rights::Right;
use super::super::view;
use super::webhook::SOON;
use super::*;
use crate::color::Paint;
use crate::golden::golden;
use crate::installation::proof::Proof;

/// Of a cluster in which all is well.
fn healthy() -> Facts {
    let webhook = serde_json::from_value(json!({
        "name": "record.kubectl-reload.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {
            "caBundle": "YQ==",
            "service": {"namespace": "kubectl-reload", "name": "kubectl-reload", "path": "/mutate"},
        },
        "failurePolicy": "Ignore",
        "timeoutSeconds": 2,
        "reinvocationPolicy": "IfNeeded",
        "namespaceSelector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kubectl-reload", "kube-system"]},
        ]},
        "matchConditions": [{"name": "uses-configuration", "expression": "true"}],
    }));
    let now: jiff::Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    Facts {
        place: Place {
            namespace: None,
            install_namespace: "kubectl-reload".to_owned(),
            registration: "zz-kubectl-reload".to_owned(),
        },
        plugin: "0.1.2".to_owned(),
        now,
        server: Ok("v1.36.3".to_owned()),
        rights: Ok(vec![right(true, true), right(true, false)]),
        webhook: Ok(Some(webhook.unwrap())),
        deployed: Ok(Some(Deployed {
            name: "kubectl-reload".to_owned(),
            desired: 2,
            ready: 2,
            version: Some("0.1.0".to_owned()),
            certificates: Some("kubectl-reload-certificates".to_owned()),
            image: None,
            account: None,
            secrets: true,
        })),
        hash_key: Ok(Some(Some("0011aabb".to_owned()))),
        certificate: Ok(Some(Ok(Certificate {
            expires: now + SignedDuration::from_hours(24 * 30),
            trusted: Ok(()),
        }))),
        endpoint: Endpoint::Answers,
        admission: Some(Proof::Recorded("default".to_owned())),
        namespaces: Ok(vec![namespace("kubectl-reload"), namespace("kube-system"), namespace("shop")]),
        pods: Ok(Pods { all: 10, recorded: 7 }),
    }
}

fn right(allowed: bool, vital: bool) -> Right {
    Right {
        verb: "list",
        group: "apps",
        resource: "deployments",
        name: None,
        namespace: Some("shop".to_owned()),
        without: "nothing works",
        vital,
        allowed,
    }
}

fn namespace(name: &str) -> Namespace {
    let labels = json!({"kubernetes.io/metadata.name": name});
    serde_json::from_value(json!({"name": name, "labels": labels})).unwrap()
}

fn webhook(facts: &mut Facts) -> &mut MutatingWebhook {
    facts.webhook.as_mut().unwrap().as_mut().unwrap()
}

fn deployed(facts: &mut Facts) -> &mut Deployed {
    facts.deployed.as_mut().unwrap().as_mut().unwrap()
}

fn found(facts: &mut Facts) -> &mut Certificate {
    facts.certificate.as_mut().unwrap().as_mut().unwrap().as_mut().unwrap()
}

#[test]
fn a_cluster_in_which_all_is_well_is_green_throughout() {
    let findings = check(&healthy());
    assert!(findings.iter().all(|finding| finding.level == Level::Green), "{findings:?}");
    assert!(findings.iter().all(|finding| finding.remedy.is_none()), "{findings:?}");
    golden!("healthy", view::text(&findings, Paint::PLAIN));
}

/// A finding, under the name of its case.
fn text(name: &str, Finding { check, level, message, remedy }: &Finding) -> String {
    let remedy = remedy.iter().map(|remedy| format!("  -> {remedy}\n"));
    format!("{name}:\n  {level:?}, {check}: {message}\n{}", remedy.collect::<String>())
}

/// What is wrong, of which check and how bad.
type Case = (&'static str, fn(&mut Facts), &'static str, Level);

#[test]
fn each_fault_has_one_finding_with_a_remedy() {
    use Level::{Red, Yellow};
    let cases: [Case; 30] = [
        ("unreachable", |f| f.server = Err("does not answer".to_owned()), "server", Red),
        ("old server", |f| f.server = Ok("v1.32.9-gke.1".to_owned()), "server", Red),
        ("odd server", |f| f.server = Ok("tip".to_owned()), "server", Yellow),
        ("vital right", |f| f.rights = Ok(vec![right(false, true)]), "rights", Red),
        ("right", |f| f.rights = Ok(vec![right(true, true), right(false, false)]), "rights", Yellow),
        ("no review", |f| f.rights = Err("no".to_owned()), "rights", Yellow),
        (
            "not installed",
            |f| {
                f.webhook = Ok(None);
                f.deployed = Ok(None)
            },
            "installation",
            Yellow,
        ),
        (
            "a pod tried in vain",
            |f| {
                let (namespace, why) = ("shop".to_owned(), "came back without a record".to_owned());
                f.admission = Some(Proof::Unrecorded { namespace, why });
            },
            "admission",
            Red,
        ),
        ("no registration", |f| f.webhook = Ok(None), "registration", Red),
        ("unread registration", |f| f.webhook = Err("no".to_owned()), "registration", Yellow),
        ("fails closed", |f| webhook(f).failure_policy = Some("Fail".to_owned()), "registration", Red),
        ("policy by default", |f| webhook(f).failure_policy = None, "registration", Red),
        ("no bundle", |f| webhook(f).client_config.ca_bundle = None, "registration", Red),
        ("slow", |f| webhook(f).timeout_seconds = Some(10), "registration", Yellow),
        ("never again", |f| webhook(f).reinvocation_policy = None, "registration", Yellow),
        ("all pods", |f| webhook(f).match_conditions = None, "registration", Yellow),
        ("early", |f| f.place.registration = "a".to_owned(), "registration", Yellow),
        ("no Deployment", |f| f.deployed = Ok(None), "replicas", Red),
        ("unread Deployment", |f| f.deployed = Err("no".to_owned()), "replicas", Yellow),
        ("none ready", |f| deployed(f).ready = 0, "replicas", Red),
        ("one ready", |f| deployed(f).ready = 1, "replicas", Yellow),
        (
            "one wanted",
            |f| {
                deployed(f).ready = 1;
                deployed(f).desired = 1
            },
            "replicas",
            Yellow,
        ),
        ("silent", |f| f.endpoint = Endpoint::Silent("503".to_owned()), "endpoint", Yellow),
        ("expired", |f| found(f).expires = f.now, "certificate", Red),
        (
            "expires soon",
            |f| found(f).expires = f.now + SOON - SignedDuration::from_secs(1),
            "certificate",
            Yellow,
        ),
        ("untrusted", |f| found(f).trusted = Err("UnknownIssuer".to_owned()), "certificate", Red),
        ("no certificate", |f| f.certificate = Ok(Some(Err("garbled".to_owned()))), "certificate", Red),
        ("no hash key", |f| f.hash_key = Ok(None), "hash key", Yellow),
        ("bad hash key", |f| f.hash_key = Ok(Some(None)), "hash key", Red),
        ("unread hash key", |f| f.hash_key = Err("may not".to_owned()), "hash key", Yellow),
    ];
    let mut told = String::new();
    for (name, spoil, check_name, level) in cases {
        let mut facts = healthy();
        spoil(&mut facts);
        let findings = check(&facts);
        let faults: Vec<&Finding> = findings.iter().filter(|finding| finding.level != Level::Green).collect();
        let [fault] = faults.as_slice() else { panic!("{name}: {faults:?}") };
        assert_eq!((fault.check, fault.level), (check_name, level), "{name}: {fault:?}");
        assert!(fault.remedy.is_some(), "{name}: {fault:?}");
        told += &text(name, fault);
    }
    golden!("faults", told);
}

#[test]
fn faults_that_are_no_fault_of_the_webhook_are_only_told() {
    let cases: [Case; 12] = [
        (
            "no pod may be tried",
            |f| f.admission = Some(Proof::Untried(vec!["may not create pods".to_owned()])),
            "admission",
            Level::Yellow,
        ),
        (
            "no pod can be made",
            |f| f.admission = Some(Proof::Failed(vec!["failed calling webhook".to_owned()])),
            "admission",
            Level::Yellow,
        ),
        ("certificates elsewhere", |f| f.certificate = Ok(None), "certificate", Level::Yellow),
        ("certificates of no Secret", |f| deployed(f).certificates = None, "certificate", Level::Yellow),
        ("unread certificates", |f| f.certificate = Err("no".to_owned()), "certificate", Level::Yellow),
        ("skew", |f| deployed(f).version = Some("0.3.0".to_owned()), "version", Level::Yellow),
        (
            "another major version",
            |f| deployed(f).version = Some("1.1.0".to_owned()),
            "version",
            Level::Yellow,
        ),
        (
            "the next minor version",
            |f| deployed(f).version = Some("0.2.9".to_owned()),
            "version",
            Level::Green,
        ),
        ("no version", |f| deployed(f).version = None, "version", Level::Yellow),
        ("one record", |f| f.pods = Ok(Pods { all: 1, recorded: 1 }), "pods", Level::Green),
        ("no records", |f| f.pods = Ok(Pods { all: 3, recorded: 0 }), "pods", Level::Yellow),
        ("not asked", |f| f.endpoint = Endpoint::NotAsked("a URL".to_owned()), "endpoint", Level::Green),
    ];
    let mut told = String::new();
    for (name, spoil, check_name, level) in cases {
        let mut facts = healthy();
        spoil(&mut facts);
        let findings = check(&facts);
        let fault = findings.iter().find(|finding| finding.check == check_name).unwrap();
        assert_eq!(fault.level, level, "{name}: {fault:?}");
        told += &text(name, fault);
    }
    golden!("no faults of the webhook", told);
}

/// The chart names it after the release.
#[test]
fn the_secret_of_the_certificates_is_the_one_that_the_webhook_was_told_of() {
    let deployment = json!({
        "metadata": {"name": "records"},
        "spec": {"selector": {}, "template": {"spec": {"containers": [{
            "name": "webhook",
            "args": ["--namespace=tools", "--certificates=records-certificates"],
        }]}}},
    });
    let mut facts = healthy();
    assert_eq!(facts.certificates(), Some("kubectl-reload-certificates"));
    facts.deployed = Ok(Some(Deployed::of(&serde_json::from_value(deployment).unwrap())));
    facts.certificate = Ok(None);
    let findings = check(&facts);
    let told = findings.iter().find(|finding| finding.check == "certificate").unwrap();
    assert_eq!(told.message, "not known: there is no Secret records-certificates");
}

#[test]
fn namespaces_are_left_out_by_the_selector_or_by_themselves() {
    let mut facts = healthy();
    let mut ignored = json!({"name": "ignored", "labels": {"kubernetes.io/metadata.name": "ignored"}});
    ignored["annotations"]["kubectl-reload.dev/ignore"] = json!("true");
    let names = |count: usize| (0..count).map(|number| namespace(&format!("n{number}")));
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}});
    for (namespaces, selector, expected) in [
        (
            vec![namespace("shop"), serde_json::from_value(ignored.clone()).unwrap()],
            None,
            "left out: ignored",
        ),
        (vec![namespace("shop"), namespace("other")], Some(&selector), "left out: other"),
        (names(12).collect(), Some(&selector), "n9 and 2 more"),
        (vec![namespace("shop")], Some(&selector), "none is left out"),
    ] {
        facts.namespaces = Ok(namespaces);
        let selector = selector.map(|selector| serde_json::from_value(selector.clone()).unwrap());
        webhook(&mut facts).namespace_selector = selector;
        let findings = check(&facts);
        let told = findings.iter().find(|finding| finding.check == "namespaces").unwrap();
        assert!(told.message.contains(expected), "{told:?}");
    }
}
