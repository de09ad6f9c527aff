//! Containers that start again in place: before a change, within its lag, and well after.

use serde_json::json;

use super::place::{ENV_LAG, ENV_RULE, FILES_LAG, FILES_RULE};
use super::scenario::{Runs, Scenario, scenario, too_close};

pub(crate) fn scenarios() -> Vec<Scenario> {
    use Runs::{Current, Either, Old};
    vec![
        scenario("directory, restarted well after a change", Current, "Current inferred", |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.paint("blue").await?;
                p.passed(FILES_LAG).await?;
                p.crash().await
            })
        }),
        scenario("subPath, restarted well after a change", Current, "Current inferred", |p| {
            Box::pin(async {
                p.start(p.sub_path()).await?;
                p.paint("blue").await?;
                p.passed(FILES_LAG).await?;
                p.crash().await
            })
        }),
        too_close("directory, restarted once it followed", Current, FILES_RULE, |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.paint("blue").await?;
                p.followed("blue").await?;
                p.crash().await
            })
        }),
        scenario("directory, changed and back around a restart", Old, "Unknown inferred", |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.paint("blue").await?;
                p.followed("blue").await?;
                p.crash().await?;
                p.paint("red").await
            })
        }),
        too_close("directory, restarted right after a change", Either, FILES_RULE, |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.paint("blue").await?;
                p.crash().await
            })
        }),
        too_close("subPath, restarted right after a change", Either, FILES_RULE, |p| {
            Box::pin(async {
                p.start(p.sub_path()).await?;
                p.paint("blue").await?;
                p.crash().await
            })
        }),
        scenario("env, restarted before a change", Old, "Drifted inferred configmap changed: ~colour", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.crash().await?;
                p.paint("blue").await
            })
        }),
        too_close("env, restarted right after a change", Either, ENV_RULE, |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("blue").await?;
                p.crash().await
            })
        }),
        scenario("env, restarted well after a change", Current, "Current inferred", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("blue").await?;
                p.passed(ENV_LAG).await?;
                p.crash().await
            })
        }),
        scenario(
            "env, restarted well after, changed again",
            Old,
            "Drifted inferred configmap changed",
            |p| {
                Box::pin(async {
                    p.start(p.env()).await?;
                    p.paint("blue").await?;
                    p.passed(ENV_LAG).await?;
                    p.crash().await?;
                    p.paint("green").await
                })
            },
        ),
        scenario("env, changed and back around a restart", Old, "Unknown inferred", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("blue").await?;
                p.passed(2).await?;
                p.crash().await?;
                p.paint("red").await
            })
        }),
        scenario("env, restarted before a change and back", Current, "Unknown inferred", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.crash().await?;
                p.paint("blue").await?;
                p.paint("red").await
            })
        }),
        scenario("envFrom, key came and went around a restart", Old, "Unknown inferred", |p| {
            Box::pin(async {
                p.start(p.app().env_from(p.map()).sees(&["colour", "shape"])).await?;
                p.write(json!({"shape": "round"})).await?;
                p.passed(2).await?;
                p.crash().await?;
                p.write(json!({"shape": null})).await
            })
        }),
        scenario("env, restarted well after a change and back", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("blue").await?;
                p.paint("red").await?;
                p.passed(ENV_LAG).await?;
                p.crash().await
            })
        }),
        scenario(
            "envFrom, restarted well after a key went",
            Current,
            "Unknown inferred configmap no time",
            |p| {
                Box::pin(async {
                    p.start(p.app().env_from(p.map()).sees(&["colour", "size"])).await?;
                    p.write(json!({"size": null})).await?;
                    p.passed(ENV_LAG).await?;
                    p.crash().await
                })
            },
        ),
    ]
}
