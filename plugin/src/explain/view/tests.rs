//! Golden outputs, in `snapshots/`, of pods that are judged as they would be in a cluster.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reload_core::digest::Hasher;
use reload_core::hash_key::HashKey;
use reload_core::options::{Carrier, Options};
use reload_core::record::{Owner, PodIdentity, ReadSource, Record, SourceRecord, UseRecord};
use reload_core::reference::{references, selection};
use reload_core::source::{Source, SourceId};
use reload_core::verdict::{Lag, Pod, Run, SourceState, Unrecorded, judge, worst};
use serde_json::{Value, json};

use super::super::restart::Restart;
use super::*;
use crate::document::Form;
use crate::golden::{HOSTILE, golden};
use crate::inventory::PodMetadata;
use crate::pods::Unjudged;
use crate::report::roll_up;
use crate::survey::SurveyedPod;
use crate::workload::{Kind, WorkloadName};

/// What no output may hold: the values of the sources, plain and as Secrets have them.
const VALUES: [&str; 4] = ["hidden", "c2VzYW1l", "b3Blbg==", "sesame"];

/// A day has 86,400 of them.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_893_499_200 + second).unwrap()
}

/// A ConfigMap, or a Secret where it is `login`; all its data written at once.
fn source(id: &SourceId, version: &str, written: i64, data: &Value) -> Source {
    let keys = data.as_object().unwrap().keys();
    let fields: BTreeMap<String, Value> = keys.map(|key| (format!("f:{key}"), json!({}))).collect();
    let manager = format!("kubectl-edit{HOSTILE}");
    let written = json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": at(written),
                         "fieldsType": "FieldsV1", "fieldsV1": {"f:data": fields}});
    let metadata = json!({
        "name": id.name, "uid": format!("uid-of-{}", id.name), "resourceVersion": version,
        "creationTimestamp": at(-86_400), "managedFields": [written],
    });
    Source::parse(id.kind, &serde_json::to_vec(&json!({"metadata": metadata, "data": data})).unwrap())
        .unwrap()
}

/// What there was when the first pods were made.
fn before() -> BTreeMap<SourceId, Source> {
    of([
        (SourceId::config_map("flags"), "11", json!({"A": "hidden", "GONE": "hidden", "SAME": "hidden"})),
        (SourceId::config_map("files"), "12", json!({"app.conf": "hidden"})),
        (SourceId::secret("login"), "13", json!({"password": "c2VzYW1l"})),
    ])
}

/// What there is now.
fn after() -> BTreeMap<SourceId, Source> {
    of([
        (SourceId::config_map("flags"), "21", json!({"A": "hidden too", "NEW": "hidden", "SAME": "hidden"})),
        (SourceId::config_map("files"), "22", json!({"app.conf": "hidden too"})),
        (SourceId::secret("login"), "23", json!({"password": "b3Blbg=="})),
    ])
}

fn of(sources: [(SourceId, &str, Value); 3]) -> BTreeMap<SourceId, Source> {
    let read = |(id, version, data): (SourceId, &str, Value)| {
        let written = if version < "20" { -3600 } else { 600 };
        let source = source(&id, version, written, &data);
        (id, source)
    };
    sources.into_iter().map(read).collect()
}

fn hash_key() -> HashKey {
    HashKey::from_bytes(&[7; HashKey::LENGTH]).unwrap()
}

/// A record of a pod that uses these.
fn record(
    identity: &PodIdentity,
    by: By,
    at: Timestamp,
    references: &[reload_core::reference::Reference],
) -> Record {
    let there = if by == By::Adopt { after() } else { before() };
    let key = hash_key();
    let read = |(id, modes): (SourceId, _)| {
        let source = &there[&id];
        let used = |mode, keys: &_| {
            let hasher = Hasher::new(&id, &identity.namespace, Some(&key))?;
            Some(UseRecord::of(source.content.as_ref()?, &hasher, mode, keys))
        };
        let read = SourceRecord::Read(ReadSource::of(source, modes, true, used));
        (id, read)
    };
    Record {
        at,
        by,
        namespace: identity.namespace.clone(),
        owner: Owner::Pod(identity.name.clone()),
        hash_key: Some(key.id()),
        sources: selection(references).into_iter().map(read).collect(),
    }
}

/// A pod of `deployment/web` that was made at that second, judged by what there is.
fn pod(name: &str, created: i64, recorded: Option<By>, now: &BTreeMap<SourceId, SourceState>) -> SurveyedPod {
    let spec = json!({
        "containers": [
            {
                "name": "app",
                "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}],
                "envFrom": [{"configMapRef": {"name": "flags", "optional": true}}],
            },
            {"name": "side", "volumeMounts": [{"name": "files", "mountPath": "/files"}]},
        ],
        "volumes": [{"name": "files", "configMap": {"name": "files"}}],
    });
    let references = references(&serde_json::from_value(spec).unwrap(), &Default::default());
    let created_at = at(created);
    let identity = PodMetadata::named(name, created_at).identity();
    let run = |restarts| Run { started_at: Some(at(created + 2)), restarts };
    let recorded_at = |by| if by == By::Adopt { at(7200) } else { created_at };
    let record = recorded.map(|by| record(&identity, by, recorded_at(by), &references));
    let judged = Pod {
        namespace: identity.namespace.clone(),
        references: references.into_iter().collect(),
        runs: [("app".to_owned(), run(0)), ("side".to_owned(), run(1))].into_iter().collect(),
        record: record.ok_or(Unrecorded::None),
        rereads: false,
        doubts: BTreeMap::new(),
    };
    let findings = judge(&judged, now, Some(&hash_key()), Lag::default());
    let (verdict, certainty) = worst(&findings);
    SurveyedPod { verdict, certainty, findings, grounds: Some(Box::new(judged)), ..unlooked(name, created) }
}

/// A pod that nothing was looked at of.
fn unlooked(name: &str, created: i64) -> SurveyedPod {
    let (namespace, workload) = ("shop".to_owned(), "web".to_owned());
    let workload = WorkloadName { namespace, kind: Kind::Deployment, name: workload };
    let metadata = PodMetadata::named(name, at(created)).into();
    SurveyedPod::unjudged(workload, metadata, Verdict::Ignored, Certainty::Recorded)
}

fn present() -> BTreeMap<SourceId, SourceState> {
    after().into_iter().map(|(id, source)| (id, SourceState::Present(source))).collect()
}

/// The same pods before, since and without a record.
fn drifted() -> Vec<SurveyedPod> {
    let pod = |name, created, recorded| pod(name, created, recorded, &present());
    let admission = Some(By::Admission);
    vec![
        pod("web-late", 30, admission),
        pod("web-a", 0, admission),
        pod("web-c", 20, admission),
        pod("web-b", 10, admission),
        pod("web-new", 3600, Some(By::Adopt)),
        pod("web-unrecorded", -60, None),
    ]
}

/// Pods of which little is known, for other reasons each.
fn unclear() -> Vec<SurveyedPod> {
    let mut now = present();
    let why = format!("may not get secrets/login in namespace shop{HOSTILE}");
    now.insert(SourceId::secret("login"), SourceState::NotReadable(why));
    now.insert(SourceId::config_map("files"), SourceState::Absent);
    let annotation = ("kubectl-reload.dev/ignore".to_owned(), HOSTILE.to_owned());
    let problem = Options::parse(Carrier::Pod, "pod web-odd", [(&annotation.0, &annotation.1)]).unwrap_err();
    let odd = SurveyedPod {
        verdict: Verdict::Unknown,
        certainty: Certainty::Inferred,
        problem: Some(Unjudged::from(problem)),
        ..unlooked(&format!("web-odd{HOSTILE}"), 10)
    };
    let mut idle = pod("web-idle", 20, None, &BTreeMap::new());
    idle.findings.clear();
    (idle.verdict, idle.certainty) = worst(&idle.findings);
    vec![pod("web-needs", 0, Some(By::Admission), &now), odd, unlooked("web-left-out", 15), idle]
}

fn explained(pods: &[SurveyedPod], problem: Option<&str>) -> Explained {
    let mut reports = roll_up(pods);
    reports[0].problem = problem.map(str::to_owned).or(reports[0].problem.take());
    let restart = Restart { helps: true, words: format!("What a restart would do.{HOSTILE}") };
    Explained::of(&reports[0], &pods.iter().collect::<Vec<_>>(), restart)
}

#[test]
fn every_view_is_as_it_was_and_shows_no_value() {
    let document = |pods: &[SurveyedPod]| Document::of(vec![explained(pods, None)]);
    let stuck = explained(&drifted()[..1], Some("rollout stuck: it made no progress within its deadline"));
    let several = Document::of(vec![stuck, explained(&unclear()[2..3], None)]);
    for (name, text) in [
        ("drifted", text(&document(&drifted()), Paint::PLAIN)),
        ("unclear", text(&document(&unclear()), Paint::PLAIN)),
        ("several workloads", text(&several, Paint::PLAIN)),
        ("colored", text(&document(&unclear()), Paint::COLORED)),
        ("json", Form::Json.write(&document(&drifted()[4..])).unwrap()),
        ("unclear json", Form::Json.write(&document(&unclear())).unwrap()),
        ("yaml", Form::Yaml.write(&document(&unclear())).unwrap()),
    ] {
        assert!(!VALUES.iter().any(|value| text.contains(value)), "{name}: {text}");
        golden!(name, text);
    }
}
