//! Golden outputs, in `snapshots/`.

use serde_json::json;

use super::super::records::kept_by;
use super::*;
use crate::golden::{HOSTILE, golden};
use crate::installation::rendering::render;
use crate::installation::values::Values;
use crate::table::printable;

fn pods(count: usize) -> Vec<RecordedPod> {
    let pod = |number| RecordedPod {
        namespace: "shop".to_owned(),
        name: format!("web-{number}"),
        uid: format!("uid-{number}"),
    };
    (0..count).map(pod).collect()
}

/// All that is installed, with records of so many pods and what else is in its namespace.
fn removal(records: usize, leftovers: Leftovers) -> Removal {
    let (namespaces, mut objects): (Vec<Object>, Vec<Object>) =
        render("tools", &Values::default()).unwrap().into_iter().partition(|object| object.is(NAMESPACE));
    objects.sort_by_key(|object| KINDS.iter().position(|kind| kind == object.id.kind));
    Removal {
        objects,
        secrets: vec![OwnSecret { name: HashKey::SECRET_NAME, uid: "u".to_owned() }],
        unseen: None,
        namespace: namespaces.into_iter().next(),
        leftovers,
        pods: pods(records),
    }
}

fn forbidden(what: &str) -> ApiError {
    ApiError::Forbidden { what: what.to_owned(), check: format!("kubectl auth can-i {what}") }
}

fn screen(lines: Vec<String>) -> String {
    lines.iter().map(|line| printable(line) + "\n").collect()
}

#[test]
fn every_view_is_as_it_was() {
    let nothing = Leftovers::default;
    let foreign: Vec<String> = (0..7).map(|number| format!("configmaps/mine-{number}{HOSTILE}")).collect();
    let foreign = || Leftovers { foreign: foreign.clone(), ..nothing() };
    let unknown = Leftovers { unknown: vec![forbidden("list widgets").to_string()], ..nothing() };
    let stranger = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": format!("other{HOSTILE}"), "namespace": "tools"},
    });
    let live = vec![Object::new(stranger).unwrap()];
    let found = Found { namespace: Standing::Ours, live, unseen: vec![forbidden("list roles")] };
    let unseen = Removal { unseen: Some(forbidden("get secrets")), ..removal(0, foreign()) };
    let goes = |removal: Removal| screen(removal.lines("to be deleted"));
    let kept: Vec<String> = [1, 2].map(|pods| kept_by(pods, &forbidden("patch pods"))).into();
    for (name, text) in [
        ("goes", goes(removal(0, nothing()))),
        ("goes with a record", goes(Removal { objects: Vec::new(), ..removal(1, nothing()) })),
        ("goes with records", goes(Removal { objects: Vec::new(), ..removal(2, nothing()) })),
        ("goes without the namespace", goes(Removal { objects: Vec::new(), ..removal(0, foreign()) })),
        ("stays", screen(unseen.stays(&found))),
        ("stays unknown", screen(removal(0, unknown).stays(&found))),
        ("records kept", screen(kept)),
    ] {
        golden!(name, text);
    }
}
