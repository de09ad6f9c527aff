use serde_json::json;

use super::*;
use crate::manifest;

fn read(objects: &[Value], given: bool) -> Result<Vec<Wanted>, String> {
    let manifests = manifest::of_tests(&json!({"kind": "List", "items": objects}).to_string());
    sources(manifests, "shop", given).map_err(|error| error.to_string())
}

fn text<'a>(wanted: &'a Wanted, key: &str) -> &'a str {
    str::from_utf8(&wanted.data.data[key]).unwrap()
}

#[test]
fn sources_are_taken_as_the_api_server_would() {
    let objects = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "other"},
            "data": {"x": "1"}, "binaryData": {"y": "AAE="}, "immutable": true}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b"},
            "data": {"x": "MQ==", "z": "Mw=="}, "stringData": {"x": "2", "y": "é"}, "type": "Opaque"}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": 5}),
        json!({"apiVersion": "example.com/v1", "kind": "Secret", "metadata": {"name": "c"}}),
        json!({"no": "kind"}),
    ];
    let wanted = read(&objects, false).unwrap();
    assert_eq!(wanted.len(), 2);
    let [a, b] = wanted.as_slice() else { panic!("two") };
    assert_eq!((a.namespace.as_str(), a.immutable, text(a, "x")), ("other", Some(true), "1"));
    assert_eq!(a.data.binary["y"].as_slice(), [0, 1]);
    assert_eq!((b.namespace.as_str(), b.id.clone()), ("shop", SourceId::secret("b")));
    assert_eq!((text(b, "x"), text(b, "y"), text(b, "z")), ("2", "é", "3"), "stringData counts more");
}

#[test]
fn what_apply_would_refuse_is_refused_without_a_value() {
    let source = |kind: &str, fields: Value| {
        let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}});
        object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        object
    };
    for (object, text) in [
        (source("ConfigMap", json!({"data": {"port": 8080}})), "data.port"),
        (source("ConfigMap", json!({"data": ["hunter2"]})), "(data)"),
        (source("ConfigMap", json!({"data": {"a": null}})), "write texts, in quotes"),
        (source("Secret", json!({"data": {"p": "hunter2!"}})), "write base64"),
        (source("Secret", json!({"stringData": {"p": true}})), "stringData.p"),
        (source("Secret", json!({"immutable": "yes"})), "write true or false"),
        (json!({"apiVersion": "v1", "kind": "Secret"}), "has no name"),
        (source("ConfigMap", json!({"metadata": {"name": "A_b"}})), "has no name that"),
        (
            source("ConfigMap", json!({"metadata": {"name": "a", "namespace": "b/services/c/proxy/d?e="}})),
            "(metadata.namespace)",
        ),
    ] {
        let error = read(std::slice::from_ref(&object), false).err().unwrap_or_else(|| panic!("{object}"));
        assert!(error.contains(text), "{text}: {error}");
        assert!(!error.contains("hunter2") && !error.contains("8080"), "{error}");
    }
    let one = source("Secret", json!({}));
    assert!(read(&[one.clone(), one.clone()], false).err().unwrap().contains("twice"));
    let other = source("Secret", json!({"metadata": {"name": "a", "namespace": "other"}}));
    assert!(read(&[one.clone(), other.clone()], true).err().unwrap().contains("-n names another"));
    assert_eq!(read(&[one, other], false).unwrap().len(), 2);
}
