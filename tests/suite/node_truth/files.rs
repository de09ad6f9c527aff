//! Mounted files: directories, which follow a change later, and subPath files, which never do.

use reload_tests::manifest::secret;
use reload_tests::{Source, Workload};
use serde_json::json;

use super::place::Place;
use super::scenario::{Runs, Scenario, scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    use Runs::{Current, Old};
    vec![
        scenario("directory, changed and back, followed", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.paint("blue").await?;
                p.followed("blue").await?;
                p.paint("red").await
            })
        }),
        scenario("directory, changed, followed", Old, FOLLOWED, |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.paint("blue").await?;
                p.followed("blue").await
            })
        }),
        scenario("directory, reread, followed", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.directory().annotation("kubectl-reload.dev/live", "reread")).await?;
                p.paint("blue").await?;
                p.followed("blue").await
            })
        }),
        scenario("directory, changed, not followed", Old, FOLLOWED, |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.paint("blue").await
            })
        }),
        scenario("directory, never touched", Current, "Current recorded", |p| {
            Box::pin(p.start(p.directory()))
        }),
        scenario("directory, labelled", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.patch(json!({"metadata": {"labels": {"touched": "yes"}}})).await
            })
        }),
        scenario("directory, key added and removed", Old, "Drifted recorded configmap changed", |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.write(json!({"size": null, "shape": "round"})).await
            })
        }),
        scenario("directory, deleted", Old, "Drifted recorded configmap missing", |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.delete().await
            })
        }),
        scenario("directory, rolled right after a change", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.directory()).await?;
                p.paint("blue").await?;
                // Within a second of it the kubelet may still hand out what was there before.
                p.passed(2).await?;
                p.roll().await
            })
        }),
        scenario("directory of a Secret, recreated otherwise", Old, "Drifted recorded secret changed", |p| {
            Box::pin(async {
                p.put(secret(p.name(), &[("colour", "red")])).await?;
                let login = Source::secret(p.name());
                p.deploy(p.app().directory("/etc/settings", login).sees(&["/etc/settings"])).await?;
                p.namespace().kubectl().run(&["delete", "secret", p.name()]).await?;
                p.put(secret(p.name(), &[("colour", "blue")])).await
            })
        }),
        scenario("subPath, changed", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                p.start(p.sub_path()).await?;
                p.paint("blue").await
            })
        }),
        scenario("subPath, recreated alike", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.sub_path()).await?;
                p.recreate(p.painted("red")).await
            })
        }),
        scenario("subPath, another file of the volume changed", Current, "Current recorded", |p| {
            Box::pin(async {
                p.start(p.sub_path()).await?;
                p.write(json!({"size": "2"})).await
            })
        }),
        scenario("subPathExpr, changed", Old, "Drifted recorded configmap changed: ~colour", |p| {
            Box::pin(async {
                let mounts =
                    json!([{"name": "configmap", "mountPath": "/etc/colour", "subPathExpr": "colour"}]);
                let volumes = json!([{"name": "configmap", "configMap": {"name": p.name()}}]);
                let app = p.app().with("/spec/template/spec", "volumes", volumes);
                let app = app.with("/spec/template/spec/containers/0", "volumeMounts", mounts);
                p.start(app.sees(&["/etc/colour"])).await?;
                p.paint("blue").await
            })
        }),
        scenario("volume that nothing mounts, changed", Current, "Current recorded", |p| {
            Box::pin(async {
                let volumes = json!([{"name": "configmap", "configMap": {"name": p.name()}}]);
                let always = json!([{"name": "ALWAYS", "value": "yes"}]);
                let app = p.app().with("/spec/template/spec", "volumes", volumes);
                let app = app.with("/spec/template/spec/containers/0", "env", always);
                p.start(app.sees(&["ALWAYS"])).await?;
                p.paint("blue").await
            })
        }),
        scenario("subPath and directory at once", Old, "Drifted recorded configmap changed", |p| {
            Box::pin(async {
                let app = p.app().directory("/etc/settings", p.map()).file("/etc/colour", p.map(), "colour");
                p.start(app.sees(&["/etc/settings", "/etc/colour"])).await?;
                p.paint("blue").await
            })
        }),
        scenario("projected, changed", Old, "Drifted recorded configmap changed", |p| {
            Box::pin(async {
                p.put(secret(p.name(), &[("user", "ada"), ("password", "x")])).await?;
                p.start(projected(p)).await?;
                p.paint("blue").await
            })
        }),
        scenario("projected, its Secret changed", Old, "Drifted recorded secret changed", |p| {
            Box::pin(async {
                p.put(secret(p.name(), &[("user", "ada"), ("password", "x")])).await?;
                p.start(projected(p)).await?;
                p.put(secret(p.name(), &[("user", "eve"), ("password", "x")])).await
            })
        }),
        scenario("projected, unused keys changed", Current, "Current recorded", |p| {
            Box::pin(async {
                p.put(secret(p.name(), &[("user", "ada"), ("password", "x")])).await?;
                p.start(projected(p)).await?;
                p.write(json!({"size": "2"})).await?;
                p.put(secret(p.name(), &[("user", "ada"), ("password", "y")])).await
            })
        }),
    ]
}

const FOLLOWED: &str = "Drifted recorded configmap changed: files updated, process not restarted: ~colour";

/// One key of a ConfigMap and one of a Secret, in one directory.
fn projected(place: &Place<'_>) -> Workload {
    let name = place.name();
    let sources = json!([
        {"configMap": {"name": name, "items": [{"key": "colour", "path": "c"}]}},
        {"secret": {"name": name, "items": [{"key": "user", "path": "u"}]}},
    ]);
    let app = place.app().mount("/etc/both", "both", json!({"projected": {"sources": sources}}));
    app.sees(&["/etc/both"])
}
