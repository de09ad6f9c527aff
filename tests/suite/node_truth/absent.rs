//! Sources and keys that are not there yet, or no more.

use reload_tests::Workload;
use reload_tests::manifest::config_map;
use serde_json::json;

use super::place::{ENV_LAG, ENV_RULE, Place};
use super::scenario::{Runs, Scenario, scenario, too_close};

pub(crate) fn scenarios() -> Vec<Scenario> {
    use Runs::{Current, Old};
    vec![
        scenario("optional source, still absent", Current, "Current recorded", |p| {
            Box::pin(p.deploy(optional(p)))
        }),
        scenario("optional source, appeared", Old, "Drifted recorded configmap appeared: +colour", |p| {
            Box::pin(async {
                p.deploy(optional(p)).await?;
                p.put(p.painted("red")).await
            })
        }),
        scenario("optional source, appeared without the key", Current, "Current recorded", |p| {
            Box::pin(async {
                p.deploy(optional(p)).await?;
                p.put(config_map(p.name(), &[("size", "1")])).await
            })
        }),
        scenario("optional source, deleted", Old, "Drifted recorded configmap changed: -colour", |p| {
            Box::pin(async {
                p.start(optional(p)).await?;
                p.delete().await
            })
        }),
        scenario("optional source, deleted, restarted", Current, "Unknown inferred configmap no time", |p| {
            Box::pin(async {
                p.start(optional(p)).await?;
                p.delete().await?;
                p.passed(ENV_LAG).await?;
                p.crash().await
            })
        }),
        scenario("optional source, appeared well before a restart", Current, "Current inferred", |p| {
            Box::pin(async {
                p.deploy(optional(p)).await?;
                p.put(p.painted("red")).await?;
                p.passed(ENV_LAG).await?;
                p.crash().await
            })
        }),
        scenario("optional source, appeared and went around a restart", Old, "Unknown inferred", |p| {
            Box::pin(async {
                p.deploy(optional(p)).await?;
                p.put(p.painted("red")).await?;
                p.passed(2).await?;
                p.crash().await?;
                p.delete().await
            })
        }),
        scenario("optional directory, appeared", Old, "Drifted recorded configmap appeared", |p| {
            Box::pin(async {
                let app = p.app().directory("/etc/settings", p.map().optional()).sees(&["/etc/settings"]);
                p.deploy(app).await?;
                p.put(p.painted("red")).await
            })
        }),
        scenario("optional key, appeared", Old, "Drifted recorded configmap changed: +colour", |p| {
            Box::pin(async {
                p.put(config_map(p.name(), &[("size", "1")])).await?;
                p.deploy(optional(p)).await?;
                p.paint("red").await
            })
        }),
        scenario("optional key, removed", Old, "Drifted recorded configmap changed: -colour", |p| {
            Box::pin(async {
                p.start(optional(p)).await?;
                p.write(json!({"colour": null})).await
            })
        }),
        scenario("required source, late", Current, "Current inferred", |p| {
            Box::pin(async {
                p.begin(p.env()).await?;
                p.kubelet_says("not found").await?;
                p.put(p.painted("red")).await?;
                p.runs().await
            })
        }),
        scenario("required directory, late", Current, "Current inferred", |p| {
            Box::pin(async {
                p.begin(p.directory()).await?;
                p.kubelet_says("not found").await?;
                p.put(p.painted("red")).await?;
                p.runs().await
            })
        }),
        scenario("required source, late, then changed", Old, "Drifted inferred", |p| {
            Box::pin(async {
                p.begin(p.env()).await?;
                p.kubelet_says("not found").await?;
                p.put(p.painted("red")).await?;
                p.runs().await?;
                p.passed(ENV_LAG).await?;
                p.paint("blue").await
            })
        }),
        scenario("required source, late, then recreated otherwise", Old, "Drifted", |p| {
            Box::pin(async {
                p.begin(p.env()).await?;
                p.kubelet_says("not found").await?;
                p.put(p.painted("red")).await?;
                p.runs().await?;
                p.passed(3).await?;
                p.recreate(p.painted("blue")).await
            })
        }),
        too_close("required key, late", Current, ENV_RULE, |p| {
            Box::pin(async {
                p.put(config_map(p.name(), &[("size", "1")])).await?;
                p.begin(p.env()).await?;
                p.kubelet_says("couldn't find key").await?;
                p.paint("red").await?;
                p.runs().await
            })
        })
        .or("Current inferred"),
    ]
}

/// The colour as a variable, if there is one.
fn optional(place: &Place<'_>) -> Workload {
    let always = json!([{"name": "ALWAYS", "value": "yes"}]);
    let app = place.app().with("/spec/template/spec/containers/0", "env", always);
    app.env("COLOUR", place.map().optional(), "colour").sees(&["COLOUR", "ALWAYS"])
}
