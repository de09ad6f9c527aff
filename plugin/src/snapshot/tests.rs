use clap::Parser;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::ListParams;
use kube::{Api, Client};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::api;
use crate::findings::find_held;
use crate::scope::Selector;
use crate::survey::JudgementArgs;

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {
        "namespace": namespace, "name": name, "uid": format!("uid-{name}"), "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": name},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "hunter2", "kubectl-reload.dev/ignore": "true",
        },
    }})
}

fn pod(namespace: &str, name: &str, phase: &str) -> Value {
    let mut pod = object("v1", "Pod", namespace, name);
    pod["spec"] = json!({"containers": [{"name": "app"}]});
    pod["status"] = json!({"phase": phase, "startTime": "2026-01-01T00:00:05Z", "message": "x".repeat(30)});
    pod
}

fn source(kind: &str, namespace: &str, name: &str, value: &str) -> Value {
    let mut source = object("v1", kind, namespace, name);
    source["data"] = json!({"a": value});
    source
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn snapshot(text: &str) -> Result<Arc<Snapshot>, SnapshotError> {
    Snapshot::of(manifest::of_tests(text)).map(Arc::new)
}

/// Namespace `whole` in full; of `part` nothing that tells that it is all.
fn client() -> (Arc<Snapshot>, Client) {
    let all = list(&[
        pod("whole", "web", "Running"),
        pod("whole", "done", "Succeeded"),
        pod("part", "web", "Running"),
        source("ConfigMap", "whole", IN_EVERY_NAMESPACE, "ca"),
        source("ConfigMap", "whole", "settings", "1"),
        source("ConfigMap", "part", "settings", "1"),
        source("Secret", "whole", "login", "MQ=="),
        source("Secret", "part", "masked", "PHJlZGFjdGVkPg=="),
        object("v1", "Node", "", "ignored"),
    ]);
    let snapshot = snapshot(&all).unwrap();
    let client = snapshot.client();
    (snapshot, client)
}

fn code<T>(result: kube::Result<T>) -> u16 {
    match result {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn objects_are_got_and_listed_as_from_an_api_server() {
    let (_, client) = client();
    let pods = Api::<Pod>::all(client.clone());
    let names = async |parameters: ListParams| -> Vec<String> {
        let found = pods.list(&parameters).await.unwrap().items;
        found.iter().map(|pod| pod.metadata.name.clone().unwrap()).collect()
    };
    assert_eq!(names(ListParams::default()).await, ["web", "done", "web"]);
    let live = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
    assert_eq!(names(live.clone()).await, ["web", "web"]);
    assert_eq!(names(ListParams::default().labels("app in (done, x)")).await, ["done"]);
    assert_eq!(code(pods.list(&ListParams::default().labels("a b")).await), 400);
    assert_eq!(code(pods.list(&ListParams::default().fields("spec.nodeName=a")).await), 400);

    let part = Api::<Pod>::namespaced(client.clone(), "part");
    assert_eq!(part.list(&live).await.unwrap().items.len(), 1);
    assert_eq!(part.get("web").await.unwrap().metadata.uid.as_deref(), Some("uid-web"));
    let none = Api::<Pod>::namespaced(client.clone(), "none");
    assert!(none.list(&live).await.unwrap().items.is_empty());
    assert_eq!(code(part.get("none").await), 404);

    let secrets = Api::<Secret>::namespaced(client.clone(), "whole");
    let metadata = secrets.list_metadata(&ListParams::default()).await.unwrap().items;
    let annotations = metadata[0].metadata.annotations.clone().unwrap_or_default();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["kubectl-reload.dev/ignore"], "values were kept");
    assert_eq!(code(Api::<Pod>::namespaced(client, "part").delete("web", &Default::default()).await), 405);
}

#[tokio::test]
async fn what_is_not_held_is_absent_only_where_everything_was_listed() {
    let (snapshot, client) = client();
    let map =
        async |namespace, name| code(Api::<ConfigMap>::namespaced(client.clone(), namespace).get(name).await);
    let secret =
        async |namespace, name| code(Api::<Secret>::namespaced(client.clone(), namespace).get(name).await);
    let not_held = api::NOT_HELD.as_u16();
    for (name, code, expected) in [
        ("a ConfigMap that is there", map("part", "settings").await, 200),
        ("one that is not", map("whole", "none").await, 404),
        ("one of a namespace that is not whole", map("part", "none").await, not_held),
        ("one of a namespace that is not there", map("none", "none").await, not_held),
        ("a Secret that is not", secret("whole", "none").await, 404),
        ("one of a namespace that is not whole", secret("part", "none").await, not_held),
        ("one whose values are masked", secret("part", "masked").await, not_held),
    ] {
        assert_eq!(code, expected, "{name}");
    }
    let lists = async |kind: &str| {
        let path = format!("/apis/apps/v1/{kind}");
        code(client.request::<Value>(http::Request::get(path).body(Vec::new()).unwrap()).await)
    };
    assert_eq!((lists("replicasets").await, lists("gadgets").await), (not_held, 404));
    let doubted = |namespace, kind| snapshot.doubt_absence(namespace, kind).is_some();
    assert!(doubted("part", SourceKind::ConfigMap) && doubted("part", SourceKind::Secret));
    assert!(!doubted("whole", SourceKind::ConfigMap) && !doubted("whole", SourceKind::Secret));
}

#[test]
fn lists_of_their_own_do_not_tell_that_no_secret_is_left_out() {
    let maps = list(&[pod("a", "web", "Running"), source("ConfigMap", "a", IN_EVERY_NAMESPACE, "ca")]);
    let secrets = list(&[source("Secret", "a", "login", "MQ==")]);
    let snapshot = snapshot(&(maps + &secrets)).unwrap();
    assert!(snapshot.doubt_absence("a", SourceKind::ConfigMap).is_none());
    let why = snapshot.doubt_absence("a", SourceKind::Secret).unwrap();
    assert_eq!(why, "the file may not hold all secrets of namespace a");
    assert_eq!(snapshot.doubt_list(&SECRETS, Some("a")), None, "what is there is listed");
}

#[tokio::test]
async fn an_immutable_source_is_seen_without_managed_fields() {
    let mut fixed = source("ConfigMap", "a", "fixed", "1");
    fixed["immutable"] = json!(true);
    let snapshot = snapshot(&list(&[pod("a", "web", "Running"), fixed])).unwrap();
    assert!(snapshot.lacks_managed_fields());
    let maps = Api::<ConfigMap>::namespaced(snapshot.client(), "a");
    let metadata = maps.list_metadata(&ListParams::default()).await.unwrap().items.remove(0).metadata;
    let managed = serde_json::to_value(metadata.managed_fields).unwrap();
    assert_eq!(managed[0]["fieldsV1"], json!({"f:immutable": {}}));
}

#[test]
fn it_was_taken_when_the_last_thing_in_it_happened() {
    let mut late = pod("a", "late", "Running");
    late["status"]["containerStatuses"] =
        json!([{"state": {"running": {"startedAt": "2026-01-02T00:00:00Z"}}}]);
    late["metadata"]["annotations"]["x"] = json!("2027-01-01T00:00:00Z");
    let taken = |items: &[Value]| snapshot(&list(items)).unwrap().taken_at().to_string();
    assert_eq!(taken(&[pod("a", "web", "Running"), late.clone()]), "2026-01-02T00:00:00Z");
    late["status"]["startTime"] = json!("9999-01-01T00:00:00Z");
    assert!(taken(&[late]) < Timestamp::now().to_string(), "times to come do not count");
}

#[test]
fn what_no_cluster_wrote_is_refused_and_says_why() {
    let web = || pod("a", "web", "Running");
    let without = |field: &str| {
        let mut pod = web();
        pod["metadata"].as_object_mut().unwrap().remove(field);
        pod
    };
    let with = |field: &str, value: Value| {
        let mut pod = web();
        pod["metadata"][field] = value;
        pod
    };
    let error =
        |items: &[Value]| snapshot(&list(items)).err().map(|error| error.to_string()).unwrap_or_default();
    for (name, items, text) in [
        ("no uid", vec![without("uid")], "Pod web in namespace a in file lacks"),
        ("no version", vec![without("resourceVersion")], "no metadata.resourceVersion"),
        ("no namespace", vec![without("namespace")], "no valid metadata.namespace"),
        ("no name", vec![without("name")], "object 1 in file lacks"),
        ("a name that no cluster gives", vec![with("name", json!("\u{1b}[2J"))], "no valid metadata.name"),
        ("a name that is a path", vec![with("name", json!("../x"))], "no valid metadata.name"),
        ("no time", vec![with("creationTimestamp", json!("hunter2"))], "wrong types"),
        ("labels of wrong types", vec![with("labels", json!(["hunter2"]))], "wrong types"),
        ("no metadata", vec![json!({"apiVersion": "v1", "kind": "Pod"})], "no metadata"),
        (
            "metadata of a wrong type",
            vec![json!({"apiVersion": "v1", "kind": "Pod", "metadata": 5})],
            "wrong types",
        ),
        ("no kind", vec![web(), json!({"metadata": {}})], "object 2 of file has no kind"),
        ("no pods", vec![source("Secret", "a", "login", "MQ==")], "the files hold no pods"),
        ("two versions", vec![web(), with("resourceVersion", json!("8"))], "twice, in different versions"),
    ] {
        let error = error(&items);
        assert!(error.contains(text), "{name}: {error:?}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert_eq!(error(&[web(), web()]), "", "the same twice is once");
    assert_eq!(error(&[web(), json!({"kind": "Gadget", "metadata": 5})]), "", "others are passed over");
}

/// Paths in the objects of a list, and what may be put there.
fn damage() -> impl Strategy<Value = Vec<(String, Value)>> {
    let object = (0..5usize).prop_map(|position| format!("/items/{position}"));
    let field = select(vec![
        "",
        "/apiVersion",
        "/kind",
        "/metadata",
        "/metadata/name",
        "/metadata/namespace",
        "/metadata/uid",
        "/metadata/labels",
        "/metadata/annotations",
        "/metadata/ownerReferences",
        "/metadata/managedFields",
        "/metadata/managedFields/0/fieldsV1",
        "/metadata/managedFields/0/time",
        "/metadata/creationTimestamp",
        "/spec",
        "/spec/containers",
        "/spec/containers/0/envFrom",
        "/status",
        "/status/phase",
        "/status/containerStatuses",
        "/status/containerStatuses/0/state",
        "/data",
        "/data/a",
        "/immutable",
    ]);
    let value = select(vec![
        Value::Null,
        json!(5),
        json!(-1.5),
        json!(true),
        json!(""),
        json!("2026-13-45T99:99:99Z"),
        json!("9999-12-31T23:59:59Z"),
        json!("\u{1b}[2J"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"a": []}),
        json!([{"f:data": 5}]),
        json!("***"),
        json!("other"),
    ]);
    let path = (object, field).prop_map(|(object, field)| object + field);
    proptest::collection::vec((path, value), 1..4)
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    judgement: JudgementArgs,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_damaged_it_is_judged_or_refused(damage in damage()) {
        let mut web = pod("a", "web", "Running");
        web["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
        web["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "uid-set", "controller": true,
        }]);
        web["status"]["containerStatuses"] = json!([{
            "name": "app", "restartCount": 0, "ready": true, "image": "", "imageID": "",
            "state": {"running": {"startedAt": "2026-01-02T00:00:00Z"}},
        }]);
        let mut settings = source("ConfigMap", "a", "settings", "1");
        settings["metadata"]["managedFields"] = json!([{
            "manager": "x", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:data": {"f:a": {}}},
        }]);
        settings["immutable"] = json!(true);
        let ca = source("ConfigMap", "a", IN_EVERY_NAMESPACE, "ca");
        let set = object("apps/v1", "ReplicaSet", "a", "set");
        let mut all = json!({"items": [web, settings, ca, set, source("Secret", "a", "login", "MQ==")]});
        for (path, value) in damage {
            if let Some(place) = all.pointer_mut(&path) {
                *place = value;
            }
        }
        let items = all["items"].as_array().cloned().unwrap_or_default();
        if items.iter().any(|item| !item.is_object()) {
            return Ok(());
        }
        let Ok(snapshot) = snapshot(&list(&items)) else { return Ok(()) };
        let Flags { judgement } = Flags::parse_from(["status"]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(find_held(&snapshot, None, Selector::default(), &[], &judgement));
        if let Ok(found) = found {
            prop_assert!(found.reports.len() <= 1);
        }
    }
}
