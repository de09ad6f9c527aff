//! Variables: changed, touched, reverted, made again, overridden, gone.

use reload_tests::Source;
use reload_tests::manifest::{config_map, secret};
use serde_json::json;

use super::scenario::{Runs, Scenario, scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    use Runs::{Current, Old};
    vec![
        scenario("env, never touched", Current, "Current recorded", |p| Box::pin(p.start(p.env()))),
        scenario("env, changed", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("blue").await
            })
        }),
        scenario("env, labelled", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.patch(json!({"metadata": {"labels": {"touched": "yes"}}})).await
            })
        }),
        scenario("env, written with the same content", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("red").await?;
                let mut labelled = p.painted("red");
                labelled["metadata"]["labels"] = json!({"touched": "yes"});
                p.put(labelled).await
            })
        }),
        scenario("env, changed and back", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("blue").await?;
                p.paint("red").await
            })
        }),
        scenario("env, recreated alike", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.recreate(p.painted("red")).await
            })
        }),
        scenario("env, recreated otherwise", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.recreate(p.painted("blue")).await
            })
        }),
        scenario("env, an unused key changed", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.write(json!({"size": "2", "more": "x"})).await
            })
        }),
        scenario("env, key removed", Old, "Drifted recorded configmap missing", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.write(json!({"colour": null})).await
            })
        }),
        scenario("env, deleted", Old, "Drifted recorded configmap missing", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.delete().await
            })
        }),
        scenario("env, rolled right after a change", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.paint("blue").await?;
                // Within a second of it the kubelet may still hand out what was there before.
                p.passed(2).await?;
                p.roll().await
            })
        }),
        scenario("env of a Secret, changed", Old, "Drifted recorded secret changed: ~colour", |p| {
            Box::pin(async {
                p.put(secret(p.name(), &[("colour", "red")])).await?;
                let login = Source::secret(p.name());
                p.deploy(p.app().env("COLOUR", login, "colour").sees(&["COLOUR"])).await?;
                p.put(secret(p.name(), &[("colour", "blue")])).await
            })
        }),
        scenario("env of a Secret, recreated alike", Current, "Current recorded", |p| {
            Box::pin(async {
                p.put(secret(p.name(), &[("colour", "red")])).await?;
                let login = Source::secret(p.name());
                p.deploy(p.app().env("COLOUR", login, "colour").sees(&["COLOUR"])).await?;
                p.namespace().kubectl().run(&["delete", "secret", p.name()]).await?;
                p.put(secret(p.name(), &[("colour", "red")])).await
            })
        }),
        scenario("envFrom, changed", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                p.start(p.app().env_from(p.map()).sees(&["colour", "size"])).await?;
                p.paint("blue").await
            })
        }),
        scenario("envFrom, key added", Old, "Drifted recorded configmap changed: +shape", |p| {
            Box::pin(async {
                p.start(p.app().env_from(p.map()).sees(&["colour", "shape"])).await?;
                p.write(json!({"shape": "round"})).await
            })
        }),
        scenario("envFrom, key removed", Old, "Drifted recorded configmap changed: -size", |p| {
            Box::pin(async {
                p.start(p.app().env_from(p.map()).sees(&["colour", "size"])).await?;
                p.write(json!({"size": null})).await
            })
        }),
        scenario("envFrom, overridden by a later one", Current, "Current recorded", |p| {
            Box::pin(async {
                let late = format!("{}-late", p.name());
                p.put(config_map(&late, &[("colour", "green")])).await?;
                let app = p.app().env_from(p.map()).env_from(Source::config_map(&late));
                p.start(app.sees(&["colour", "size"])).await?;
                p.paint("blue").await
            })
        }),
        scenario("envFrom, overridden by nothing", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                let none = format!("{}-none", p.name());
                let absent = Source::config_map(&none).optional();
                p.start(p.app().env_from(p.map()).env("colour", absent, "colour").sees(&["colour"])).await?;
                p.paint("blue").await
            })
        }),
        scenario("envFrom with a prefix, changed", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                let from = json!([{"prefix": "THE_", "configMapRef": {"name": p.name()}}]);
                let app = p.app().with("/spec/template/spec/containers/0", "envFrom", from);
                p.start(app.sees(&["THE_colour"])).await?;
                p.paint("blue").await
            })
        }),
        scenario("envFrom, overridden by env", Current, "Current recorded", |p| {
            Box::pin(async {
                let app = p.app().env_from(p.map());
                let env = json!([{"name": "colour", "value": "green"}]);
                let app = app.with("/spec/template/spec/containers/0", "env", env);
                p.start(app.sees(&["colour", "size"])).await?;
                p.paint("blue").await
            })
        }),
    ]
}
