//! Immutable sources that were made again: a node may go on serving the old content by name.

use serde_json::{Value, json};

use super::place::{ENV_LAG, Place};
use super::scenario::{Runs, Scenario, scenario};

const REPLACED: &str = "Unknown inferred configmap immutable and replaced";

pub(crate) fn scenarios() -> Vec<Scenario> {
    use Runs::{Current, Either, Old};
    vec![
        scenario("immutable, never touched", Current, "Current recorded", |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await
            })
        }),
        scenario("immutable, recreated otherwise", Old, REPLACED, |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await?;
                p.recreate(immutable(p, "blue")).await
            })
        }),
        scenario("immutable, recreated alike", Current, REPLACED, |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await?;
                p.recreate(immutable(p, "red")).await
            })
        }),
        scenario("immutable, recreated, rolling update", Either, REPLACED, |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await?;
                p.recreate(immutable(p, "blue")).await?;
                p.passed(ENV_LAG).await?;
                p.roll().await
            })
        }),
        scenario("immutable, recreated, two rolling updates", Either, REPLACED, |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await?;
                p.recreate(immutable(p, "blue")).await?;
                p.passed(ENV_LAG).await?;
                p.roll().await?;
                p.roll().await
            })
        }),
        scenario("immutable, recreated, restarted in place", Either, REPLACED, |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await?;
                p.recreate(immutable(p, "blue")).await?;
                p.passed(ENV_LAG).await?;
                p.crash().await
            })
        }),
        scenario("immutable, recreated mutable", Old, REPLACED, |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await?;
                p.recreate(p.painted("blue")).await
            })
        }),
        scenario("immutable, recreated mutable, rolling update", Either, REPLACED, |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await?;
                p.recreate(p.painted("blue")).await?;
                p.passed(ENV_LAG).await?;
                p.roll().await
            })
        }),
        scenario("immutable, recreated mutable, two rolling updates", Either, REPLACED, |p| {
            Box::pin(async {
                p.put(immutable(p, "red")).await?;
                p.deploy(p.env()).await?;
                p.recreate(p.painted("blue")).await?;
                p.passed(ENV_LAG).await?;
                p.roll().await?;
                p.roll().await
            })
        }),
        scenario("made immutable, recreated, rolling update", Either, REPLACED, |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.patch(json!({"immutable": true})).await?;
                p.passed(ENV_LAG).await?;
                p.recreate(immutable(p, "blue")).await?;
                p.passed(ENV_LAG).await?;
                p.roll().await
            })
        }),
    ]
}

fn immutable(place: &Place<'_>, colour: &str) -> Value {
    let mut source = place.painted(colour);
    source["immutable"] = json!(true);
    source
}
