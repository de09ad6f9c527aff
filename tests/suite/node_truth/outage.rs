//! Pods without a record of their own: the webhook was down when they were made.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kube::ResourceExt;
use reload_tests::webhook::RECORD;
use serde_json::json;

use super::place::{ENV_LAG, ENV_RULE, FILES_LAG, Place};
use super::scenario::{Runs, Scenario, scenario, too_close};

pub(crate) fn scenarios() -> Vec<Scenario> {
    use Runs::{Current, Old};
    let all = vec![
        scenario("unrecorded directory, written well before", Current, "Current inferred", |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                p.passed(FILES_LAG).await?;
                p.deploy(p.directory()).await
            })
        }),
        scenario("unrecorded, written well before", Current, "Current inferred", |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                p.passed(ENV_LAG).await?;
                p.deploy(p.env()).await
            })
        }),
        too_close("unrecorded, written about when it started", Current, ENV_RULE, |p| {
            Box::pin(p.start(p.env()))
        }),
        scenario("unrecorded, changed", Old, "Drifted inferred configmap written since the start", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.passed(3).await?;
                p.paint("blue").await
            })
        }),
        scenario(
            "unrecorded directory, changed",
            Old,
            "Drifted inferred configmap written since the start",
            |p| {
                Box::pin(async {
                    p.start(p.directory()).await?;
                    p.passed(3).await?;
                    p.paint("blue").await
                })
            },
        ),
        scenario("unrecorded, written with the same content", Current, "Drifted inferred", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.passed(3).await?;
                let mut labelled = p.painted("red");
                labelled["metadata"]["labels"] = json!({"touched": "yes"});
                p.put(labelled).await
            })
        }),
        scenario("unrecorded, labelled by another", Current, "Current inferred", |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                p.passed(ENV_LAG).await?;
                p.deploy(p.env()).await?;
                p.patch(json!({"metadata": {"labels": {"touched": "yes"}}})).await
            })
        }),
        scenario("unrecorded, restarted well after a change", Current, "Current inferred", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("blue").await?;
                p.passed(ENV_LAG).await?;
                p.crash().await
            })
        }),
        scenario(
            "unrecorded, recreated otherwise",
            Old,
            "Drifted inferred configmap written since the start",
            |p| {
                Box::pin(async {
                    p.start(p.env()).await?;
                    p.passed(3).await?;
                    p.recreate(p.painted("blue")).await
                })
            },
        ),
        scenario(
            "unrecorded, managed fields cleared",
            Old,
            "Unknown inferred configmap no time of writing",
            |p| {
                Box::pin(async {
                    p.start(p.env()).await?;
                    p.paint("blue").await?;
                    p.patch(json!({"metadata": {"managedFields": [{}]}})).await
                })
            },
        ),
        scenario("unrecorded, deleted", Old, "Drifted inferred configmap missing", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.delete().await
            })
        }),
        scenario("foreign record", Old, "Drifted inferred configmap written since the start", |p| {
            Box::pin(async {
                let record = record_of_blue(p).await?;
                p.start(p.env().annotation(RECORD, &record)).await?;
                p.passed(3).await?;
                // Whoever believed the record would find nothing changed.
                p.paint("blue").await
            })
        }),
        scenario("unrecorded, immutable, rolled well after", Old, "Unknown inferred", |p| {
            Box::pin(async {
                let mut red = p.painted("red");
                red["immutable"] = json!(true);
                p.put(red).await?;
                p.deploy(p.env()).await?;
                let mut blue = p.painted("blue");
                blue["immutable"] = json!(true);
                p.recreate(blue).await?;
                p.passed(ENV_LAG).await?;
                p.roll().await
            })
        }),
    ];
    all.into_iter().map(Scenario::unrecorded).collect()
}

/// The record of a pod elsewhere that has a blue source of the same name.
async fn record_of_blue(place: &Place<'_>) -> Result<String> {
    let elsewhere = place.recorded();
    elsewhere.apply([place.painted("blue")]).await?;
    elsewhere.deploy([place.env()]).await?;
    let pod = elsewhere.only_pod(&place.workload()).await?;
    let annotations: &BTreeMap<String, String> = pod.annotations();
    annotations.get(RECORD).cloned().context("it has no record")
}
