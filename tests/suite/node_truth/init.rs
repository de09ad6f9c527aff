//! Init containers and sidecars.

use reload_tests::Workload;
use reload_tests::node::witness::container;
use serde_json::{Value, json};

use super::place::{ENV_LAG, ENV_RULE, Place};
use super::scenario::{Runs, Scenario, scenario, too_close};

/// A main container that starts later than this after its record is not taken for the pod's first
/// start.
const FIRST_START: i64 = 60 + 2;

pub(crate) fn scenarios() -> Vec<Scenario> {
    use Runs::{Current, Old};
    vec![
        scenario("long init, changed and back around the start", Old, "Unknown inferred", |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                p.begin(behind(p, init(&[]))).await?;
                p.passed(FIRST_START).await?;
                p.paint("blue").await?;
                p.prepare().await?;
                p.paint("red").await
            })
        }),
        scenario("short init, changed and back around the start", Old, "Unknown inferred", |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                p.begin(behind(p, init(&[]))).await?;
                p.namespace().runs(&p.workload(), "prepare").await?;
                p.paint("blue").await?;
                p.passed(2).await?;
                p.prepare().await?;
                p.paint("red").await
            })
        }),
        scenario("init, changed well before the start", Current, "Current inferred", |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                p.begin(behind(p, init(&[]))).await?;
                p.namespace().runs(&p.workload(), "prepare").await?;
                p.paint("blue").await?;
                p.passed(ENV_LAG).await?;
                p.prepare().await
            })
        }),
        too_close("init, changed right before the start", Runs::Either, ENV_RULE, |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                p.begin(behind(p, init(&[]))).await?;
                p.namespace().runs(&p.workload(), "prepare").await?;
                p.paint("blue").await?;
                p.prepare().await
            })
        }),
        scenario(
            "init, changed since it was done",
            Old,
            "Drifted recorded configmap changed: ~colour",
            |p| {
                Box::pin(async {
                    p.put(p.painted("red")).await?;
                    let mut prepare = init(&["COLOUR"]);
                    prepare["env"] = colour(p);
                    p.begin(with(p.app().sees(&[]), prepare)).await?;
                    p.prepare().await?;
                    p.paint("blue").await
                })
            },
        ),
        scenario("init and main, changed between", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                let mut prepare = init(&["COLOUR"]);
                prepare["env"] = colour(p);
                p.begin(behind(p, prepare)).await?;
                p.namespace().runs(&p.workload(), "prepare").await?;
                p.namespace().started(p.name()).await?;
                p.paint("blue").await?;
                p.passed(ENV_LAG).await?;
                p.prepare().await
            })
        }),
        scenario("sidecar, changed", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                p.start(with(p.app().sees(&[]), sidecar(p))).await?;
                p.paint("blue").await
            })
        }),
        scenario("sidecar, restarted well after a change", Current, "Current inferred", |p| {
            Box::pin(async {
                p.start(with(p.app().sees(&[]), sidecar(p))).await?;
                p.paint("blue").await?;
                p.passed(ENV_LAG).await?;
                p.namespace().crash_of(&p.workload(), "sidecar").await
            })
        }),
        scenario("sidecar alone restarted after a change", Old, "Drifted recorded configmap changed", |p| {
            Box::pin(async {
                p.start(behind(p, sidecar(p))).await?;
                p.paint("blue").await?;
                p.passed(ENV_LAG).await?;
                p.namespace().crash_of(&p.workload(), "sidecar").await
            })
        }),
    ]
}

/// An init container that takes until it is told to finish.
fn init(sees: &[&str]) -> Value {
    container("prepare", sees)
}

/// A sidecar with the colour as a variable.
fn sidecar(place: &Place<'_>) -> Value {
    let mut sidecar = container("sidecar", &["COLOUR"]);
    sidecar["restartPolicy"] = json!("Always");
    sidecar["env"] = colour(place);
    sidecar
}

fn colour(place: &Place<'_>) -> Value {
    let from = json!({"configMapKeyRef": {"name": place.name(), "key": "colour"}});
    json!([{"name": "COLOUR", "valueFrom": from}])
}

/// The workload with the colour as a variable, behind an init container.
fn behind(place: &Place<'_>, init: Value) -> Workload {
    with(place.env(), init)
}

fn with(workload: Workload, init: Value) -> Workload {
    workload.with("/spec/template/spec", "initContainers", json!([init]))
}
