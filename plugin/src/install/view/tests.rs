//! Golden outputs, in `snapshots/`, of whatever version this is.

use serde_json::json;

use super::*;
use crate::golden::{HOSTILE, golden};
use crate::installation::found::Standing;
use crate::installation::object::Object;
use crate::table::printable;

/// An installation whose webhook says that it is of this version.
fn found(version: Option<&str>) -> Found {
    let deployment = |version| {
        let labels = json!({"app.kubernetes.io/name": NAME, "app.kubernetes.io/version": version});
        let metadata = json!({"name": NAME, "namespace": "tools", "labels": labels});
        Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata})).unwrap()
    };
    let live = version.map(deployment).into_iter().collect();
    Found { namespace: Standing::Ours, live, unseen: Vec::new() }
}

#[test]
fn every_view_is_as_it_was() {
    let (own, other) = (View { namespace: NAME }, View { namespace: "tools" });
    let hostile = format!("9.9.9{HOSTILE}");
    let error = anyhow::anyhow!("0 of 2 pods up to date and available (pod w: ErrImagePull: none{HOSTILE})");
    let questions = [
        own.question(&found(None), false),
        other.question(&found(Some("v0.0.1")), false),
        other.question(&found(Some(VERSION)), false),
        other.question(&found(Some(&hostile)), true),
    ];
    let ends = [
        own.summary(false, Some("default")),
        other.summary(true, Some("default")),
        own.summary(false, None),
        other.summary(true, None),
        own.not_ready(&error, false),
        other.not_ready(&error, true),
        other.not_recording(&anyhow::anyhow!("no pod could be tried (no): it may record all the same")),
    ];
    for (name, lines) in [("questions", questions.as_slice()), ("ends", &ends)] {
        let lines = lines.iter().map(|line| printable(line).replace(VERSION, "VERSION") + "\n");
        golden!(name, lines.collect());
    }
}
