//! Golden outputs, in `snapshots/`.

use k8s_openapi::api::core::v1::PodSpec;
use reload_core::reference::references;
use reload_core::source::SourceId;
use serde_json::{Value, json};

use super::*;
use crate::api::ApiError;
use crate::document::Form;
use crate::golden::{HOSTILE, golden};
use crate::used_by::existing::Existing;
use crate::used_by::templates::{Template, Templates};
use crate::workload::{Kind, WorkloadName};

/// Containers that use ConfigMap `settings` in every way, and Secret `login`.
fn much() -> Value {
    let key = |variable: &str, key: &str| {
        let reference = json!({"name": "settings", "key": key});
        json!({"name": variable, "valueFrom": {"configMapKeyRef": reference}})
    };
    let from = json!({"configMapRef": {"name": "settings", "optional": true}});
    let mount = |name: &str, sub_path: &str| json!({"name": name, "mountPath": "/v", "subPath": sub_path});
    json!({
        "containers": [
            {"name": "app", "env": [key("X", "x"), key("Y", &format!("y{HOSTILE}"))], "envFrom": [from]},
            {"name": "side", "volumeMounts": [mount("settings", "x"), {"name": "settings", "mountPath": "/w"}]},
            {"name": "log", "volumeMounts": [{"name": "login", "mountPath": "/l"}]},
        ],
        "volumes": [
            {"name": "settings", "configMap": {"name": "settings"}},
            {"name": "login", "secret": {"secretName": "login"}},
        ],
    })
}

/// A container that takes in all of ConfigMap `settings`.
fn little() -> Value {
    let from = json!({"configMapRef": {"name": "settings"}});
    json!({"containers": [{"name": "app", "envFrom": [from]}]})
}

fn template((namespace, kind, name): (&str, Kind, &str), pod: Option<&str>, spec: Value) -> Template {
    let spec: PodSpec = serde_json::from_value(spec).unwrap();
    Template {
        workload: WorkloadName { namespace: namespace.to_owned(), kind, name: name.to_owned() },
        pod: pod.map(str::to_owned),
        references: references(&spec, &[SourceId::secret("token")].into()),
    }
}

/// A workload with pods, some without, and a pod without a workload.
fn templates() -> Templates {
    let web = ("shop", Kind::Deployment, "web");
    let bare = format!("bare{HOSTILE}");
    let all = vec![
        template(web.clone(), None, much()),
        template(web.clone(), Some("web-1"), much()),
        template(web, Some("web-2"), much()),
        template(("shop", Kind::CronJob, "nightly"), None, little()),
        template(("shop", Kind::Pod, &bare), Some(&bare), little()),
        template(("store", Kind::StatefulSet, "db"), None, little()),
    ];
    Templates { all, incomplete: Vec::new() }
}

fn settings() -> SourceId {
    SourceId::config_map("settings")
}

/// What exists where; two may not be seen.
fn existing() -> Existing {
    let forbidden = || ApiError::Forbidden { what: "list secrets".to_owned(), check: "kubectl".to_owned() };
    let found = |namespaces: &[&str]| Ok(namespaces.iter().map(|name| (*name).to_owned()).collect());
    let found = [
        (settings(), found(&["idle", "shop"])),
        (SourceId::secret("login"), found(&[])),
        (SourceId::secret("token"), Err(forbidden())),
        (SourceId::secret("unseen"), Err(forbidden())),
        (SourceId::config_map("none"), found(&[])),
    ];
    Existing(found.into())
}

/// What is told of these, where `incomplete` could not be looked at.
fn told(asked: &[SourceId], namespace: Option<&str>, incomplete: &[&str]) -> Document {
    let (mut templates, mut existing) = (templates(), existing());
    if let Some(namespace) = namespace {
        templates.all.retain(|template| template.workload.namespace == namespace);
        existing.0.values_mut().flatten().for_each(|found| found.retain(|place| place == namespace));
    }
    templates.incomplete = incomplete.iter().map(|why| (*why).to_owned()).collect();
    Document::of(asked, namespace, &templates, &existing)
}

fn asked() -> [SourceId; 5] {
    let secret = SourceId::secret;
    [settings(), secret("login"), secret("token"), secret("unseen"), SourceId::config_map("none")]
}

#[test]
fn every_view_is_as_it_was() {
    let narrow = View { with_namespace: false, wide: false };
    let all = View { with_namespace: true, ..narrow };
    let of = |asked: &[SourceId], namespace| told(asked, namespace, &[]);
    let incomplete = |namespace| told(&asked(), namespace, &["may not list cronjobs: grant the right"]);
    let hostile = SourceId::config_map(format!("settings{HOSTILE}"));
    for (name, text) in [
        ("one source", narrow.text(&of(&[settings()], Some("shop")))),
        ("several sources", narrow.text(&of(&asked(), Some("shop")))),
        ("wide", View { wide: true, ..narrow }.text(&of(&asked()[..2], Some("shop")))),
        ("without pods", narrow.text(&of(&[settings()], Some("store")))),
        ("nobody", narrow.text(&of(&[settings()], Some("idle")))),
        ("namespaces", all.text(&of(&asked(), None))),
        ("incomplete", narrow.text(&incomplete(Some("shop")))),
        ("incomplete namespaces", all.text(&incomplete(None))),
        ("hostile", narrow.text(&of(&[hostile], Some(HOSTILE)))),
        ("names", names(&of(&asked(), None))),
        ("json", Form::Json.write(&of(&asked()[..2], None)).unwrap()),
        ("yaml", Form::Yaml.write(&incomplete(Some("store"))).unwrap()),
    ] {
        golden!(name, text);
    }
}
