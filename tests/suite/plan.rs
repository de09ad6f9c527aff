//! `kubectl reload plan`: what it says comes true when the file is applied.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reload_tests::manifest::{config_map, secret};
use reload_tests::{Cluster, Namespace, Output, Source, Workload, eventually, with_namespace};
use serde_json::{Value, json};

const WHILE: Duration = Duration::from_secs(60);

/// The file of a test, with something in it that is no source.
fn file(sources: &[Value]) -> String {
    let other = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}});
    let documents = sources.iter().chain([&other]).map(Value::to_string);
    documents.collect::<Vec<_>>().join("\n---\n")
}

async fn plan(ns: &Namespace<'_>, sources: &[Value], flags: &[&str]) -> Result<Output> {
    ns.cluster().binaries().plugin()?;
    let arguments = [&["reload", "plan", "-f", "-"], flags].concat();
    ns.kubectl_with_webhook().output_with_input(&arguments, &file(sources)).await
}

/// Per workload what a plan says of it: `Drifted recorded frozen configmap/a +x ~y -z`, with every
/// effect.
fn told(document: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let keys = |effect: &Value, field: &str, sign: &str| -> String {
        let keys = effect[field].as_array().into_iter().flatten();
        keys.map(|key| format!(" {sign}{}", text(key))).collect()
    };
    let line = |workload: &Value| {
        let after = &workload["after"];
        let mut line = format!("{} {}", text(&after["verdict"]), text(&after["certainty"]));
        for effect in workload["effects"].as_array().into_iter().flatten() {
            line += &format!(" {} {}", text(&effect["use"]), text(&effect["source"]));
            line += &keys(effect, "added", "+");
            line += &keys(effect, "changed", "~");
            line += &keys(effect, "removed", "-");
        }
        (format!("{}/{}", text(&workload["kind"]).to_lowercase(), text(&workload["name"])), line)
    };
    document["workloads"].as_array().into_iter().flatten().map(line).collect()
}

/// Plans, applies, and compares the status with what was planned.
async fn comes_true(ns: &Namespace<'_>, sources: &[Value]) -> Result<BTreeMap<String, String>> {
    let before = ns.reload(&["status", "-o", "json", "--all"]).await?.success()?.json()?;
    let document = plan(ns, sources, &["-o", "json"]).await?.success()?.json()?;
    assert_eq!((&document["kind"], &document["ignoredObjects"]), (&json!("Plan"), &json!(1)));
    ns.apply(sources.iter().cloned()).await?;
    let planned = told(&document);
    let status = ns.status().await?;
    for workload in before["workloads"].as_array().context("no workloads")? {
        let kind = workload["kind"].as_str().unwrap_or_default().to_lowercase();
        let name = format!("{kind}/{}", workload["name"].as_str().unwrap_or_default());
        let now = status.verdict(&name)?;
        let expected = match planned.get(&name) {
            Some(planned) => planned.clone(),
            None => format!("{} {}", workload["verdict"], workload["certainty"]).replace('"', ""),
        };
        ensure!(expected.starts_with(&now), "{name} was planned {expected} and is {now}");
    }
    Ok(planned)
}

fn settings(colour: &str, size: &str) -> Value {
    config_map("settings", &[("colour", colour), ("size", size)])
}

#[tokio::test]
async fn what_a_plan_says_comes_true() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "planned", async |ns| {
        let _webhook = ns.webhook().await?;
        let login = |password: &str| secret("login", &[("password", password), ("user", "u")]);
        ns.apply([settings("hidden-a", "1"), login("hidden-a")]).await?;
        let source = Source::config_map("settings");
        let live = json!({"kubectl-reload.dev/live": "reread"});
        ns.deploy([
            Workload::deployment("env").replicas(2).env("C", source, "colour"),
            Workload::deployment("size").env("S", source, "size"),
            Workload::deployment("directory").directory("/etc/settings", source),
            Workload::deployment("rereads")
                .directory("/etc/settings", source)
                .with("/spec/template/metadata", "annotations", live),
            Workload::stateful_set("file").file("/etc/colour", source, "colour"),
            Workload::deployment("secret").env_from(Source::secret("login")),
            Workload::deployment("user").env("U", Source::secret("login"), "user"),
            Workload::deployment("optional").env_from(Source::config_map("later").optional()),
        ])
        .await?;
        let waiting = Workload::deployment("waiting").env_from(Source::config_map("awaited"));
        ns.apply([waiting.with("/spec/template/spec", "nodeSelector", json!({"no": "node"}))]).await?;
        eventually("a pod waits", WHILE, async || {
            ensure!(ns.pods("deployment/waiting").await?.len() == 1, "no pod yet");
            Ok(())
        })
        .await?;

        let unchanged = plan(&ns, &[settings("hidden-a", "1"), login("hidden-a")], &[]).await?.success()?;
        assert_eq!(
            unchanged.stdout,
            "2 sources: 2 unchanged; 1 other object is not looked at.\nNo workload would be on old configuration.\n"
        );

        let next = [
            settings("hidden-b", "1"),
            login("hidden-b"),
            config_map("later", &[("extra", "1")]),
            config_map("awaited", &[("a", "1")]),
        ];
        let shown = plan(&ns, &next, &["--exit-code"]).await?;
        assert_eq!(shown.code, 1, "{shown}");
        for text in ["WOULD BE", "configmap/later", "New", "5 workloads would be: 5 on old configuration"] {
            ensure!(shown.stdout.contains(text), "{text:?} is not in {shown}");
        }
        ensure!(!shown.to_string().contains("hidden-"), "{shown}");
        let planned = comes_true(&ns, &next).await?;
        let expected = [
            ("deployment/directory", "Drifted recorded live configmap/settings ~colour"),
            ("deployment/env", "Drifted recorded frozen configmap/settings ~colour"),
            ("deployment/optional", "Drifted recorded frozen configmap/later +extra"),
            ("deployment/rereads", "Current recorded live configmap/settings ~colour"),
            ("deployment/secret", "Drifted recorded frozen secret/login ~password"),
            ("deployment/waiting", "Current inferred frozen configmap/awaited +a"),
            ("statefulset/file", "Drifted recorded frozen configmap/settings ~colour"),
        ];
        let expected: BTreeMap<String, String> =
            expected.map(|(name, line)| (name.to_owned(), line.to_owned())).into();
        assert_eq!(planned, expected);

        // What the pods run on comes back: no drift.
        let back = [settings("hidden-a", "1"), login("hidden-a")];
        let shown = plan(&ns, &back, &["--exit-code", "--inferred"]).await?.success()?;
        ensure!(shown.stdout.contains("what its pods run on comes back"), "{shown}");
        let planned = comes_true(&ns, &back).await?;
        assert_eq!(planned["deployment/env"], "Current recorded frozen configmap/settings ~colour");
        assert_eq!(ns.status().await?.verdict("deployment/directory")?, "Current recorded");

        // A key that hardly anybody uses.
        let planned = comes_true(&ns, &[settings("hidden-a", "2")]).await?;
        let names: Vec<&str> = planned.keys().map(String::as_str).collect();
        assert_eq!(names, ["deployment/directory", "deployment/rereads", "deployment/size"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn keys_go_and_stay_as_a_plan_says() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "taken-back", async |ns| {
        let _webhook = ns.webhook().await?;
        let base64 = |name: &str, keys: &[&str]| {
            let data: BTreeMap<&str, &str> = keys.iter().map(|key| (*key, "MQ==")).collect();
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
        };
        ns.apply([
            config_map("applied", &[("a", "1"), ("b", "1")]),
            secret("text", &[("a", "1"), ("b", "1")]),
            base64("bytes", &["a", "b"]),
        ])
        .await?;
        let served = file(&[config_map("served", &[("a", "1"), ("b", "1")])]);
        let served = served.split("\n---\n").next().unwrap_or_default();
        let server_side = ["apply", "--server-side", "-f", "-"];
        ns.kubectl().output_with_input(&server_side, served).await?.success()?;
        for name in ["configmap/applied", "configmap/served"] {
            let patch = json!({"data": {"others": "1"}}).to_string();
            ns.kubectl().run(&["patch", name, "--type=merge", "-p", &patch]).await?;
        }
        let uses =
            |name, source: Source<'_>| Workload::deployment(name).env("A", source, "a").env("B", source, "b");
        ns.deploy([
            uses("applied", Source::config_map("applied")),
            uses("text", Source::secret("text")),
            uses("bytes", Source::secret("bytes")),
        ])
        .await?;
        let sources = [
            config_map("applied", &[("a", "1")]),
            config_map("served", &[("a", "1")]),
            secret("text", &[("a", "1")]),
            base64("bytes", &["a"]),
        ];
        let document = plan(&ns, &sources, &["-o", "json"]).await?.success()?.json()?;
        let of = |name: &str, field: &str| {
            let all = document["sources"].as_array().into_iter().flatten();
            let found = all.into_iter().find(|source| source["source"] == name).cloned().unwrap_or_default();
            found[field].clone()
        };
        for (name, removed, kept) in [
            ("configmap/applied", json!(["b"]), json!(["others"])),
            ("configmap/served", json!(["b"]), json!(["others"])),
            ("secret/text", json!([]), json!(["b"])),
            ("secret/bytes", json!(["b"]), json!([])),
        ] {
            assert_eq!((of(name, "removed"), of(name, "kept")), (removed, kept), "{document:#}");
        }
        let shown = plan(&ns, &sources, &[]).await?.success()?;
        ensure!(shown.stdout.contains("missing: a restart would not start"), "{shown}");
        ensure!(shown.stdout.contains("not in the file, and stays: others"), "{shown}");
        let client_side = [sources[0].clone(), sources[2].clone(), sources[3].clone()];
        let planned = comes_true(&ns, &client_side).await?;
        assert_eq!(planned["deployment/applied"], "Drifted recorded frozen configmap/applied -b");
        assert_eq!(planned["deployment/bytes"], "Drifted recorded frozen secret/bytes -b");
        ensure!(!planned.contains_key("deployment/text"), "{planned:?}");
        let served = served.replace("\"b\":\"1\"", "").replace("\"a\":\"1\",", "\"a\":\"1\"");
        ns.kubectl().output_with_input(&server_side, &served).await?.success()?;
        for (name, keys) in [("applied", ["a", "others"]), ("served", ["a", "others"])] {
            let data = ns.kubectl().json(&["configmap", name]).await?["data"].clone();
            let names: Vec<&String> = data.as_object().context("no data")?.keys().collect();
            assert_eq!(names, keys, "{name}");
        }
        let text = ns.kubectl().json(&["secret", "text"]).await?;
        ensure!(text["data"]["b"] == "MQ==", "{text}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_would_be_refused_or_cannot_be_seen_is_said() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "refused", async |ns| {
        let _webhook = ns.webhook().await?;
        let fixed = |value: &str| {
            let mut fixed = config_map("fixed", &[("a", value)]);
            fixed["immutable"] = json!(true);
            fixed
        };
        ns.apply([fixed("1"), secret("login", &[("a", "1")]), settings("a", "1")]).await?;
        ns.deploy([
            Workload::deployment("fixed").env_from(Source::config_map("fixed")),
            Workload::deployment("secret").env_from(Source::secret("login")),
            Workload::deployment("web").env_from(Source::config_map("settings")),
        ])
        .await?;
        let shown = plan(&ns, &[fixed("2")], &["--exit-code"]).await?;
        assert_eq!(shown.code, 2, "what would be refused is no success");
        ensure!(shown.stdout.contains("Refused") && shown.stdout.contains("it is immutable"), "{shown}");
        ensure!(shown.stdout.contains("1 source: 1 refused by the API server"), "{shown}");
        ensure!(ns.apply([fixed("2")]).await.is_err(), "the API server took it");

        let resources = "--resource=pods,configmaps,replicasets,deployments";
        ns.kubectl().run(&["create", "role", "some", "--verb=get,list", resources]).await?;
        ns.kubectl().run(&["create", "rolebinding", "some", "--role=some", "--user=some"]).await?;
        let sources = [secret("login", &[("a", "2")]), settings("b", "1")];
        let some = plan(&ns, &sources, &["--as", "some", "-o", "json"]).await?.success()?.json()?;
        assert_eq!(some["sources"][0]["action"], "unknown");
        ensure!(some["sources"][0]["reason"].to_string().contains("may not get secrets/login"), "{some}");
        assert_eq!(told(&some)["deployment/web"], "Drifted recorded frozen configmap/settings ~colour");

        assert_eq!(plan(&ns, &sources, &["--as", "some", "--exit-code"]).await?.code, 1);
        assert_eq!(plan(&ns, &sources[..1], &["--as", "some", "--exit-code"]).await?.code, 2);

        let mut elsewhere = settings("a", "1");
        elsewhere["metadata"]["namespace"] = json!("elsewhere");
        let refused = plan(&ns, &[elsewhere], &[]).await?;
        ensure!(refused.code == 2 && refused.stderr.contains("-n names another"), "{refused}");
        let typed =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"port": 80}});
        let refused = plan(&ns, &[typed], &[]).await?;
        ensure!(refused.code == 2 && refused.stderr.contains("data.port"), "{refused}");
        let nothing = plan(&ns, &[], &[]).await?.success()?;
        assert_eq!(
            nothing.stdout,
            "The file holds no ConfigMaps or Secrets; 1 other object is not looked at.\n"
        );
        let none = ns.reload(&["plan"]).await?;
        ensure!(none.code == 2 && none.stderr.contains("--filename"), "{none}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pods_without_a_record_are_possibly_drifted() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "unplanned", async |ns| {
        ns.apply([settings("a", "1")]).await?;
        let source = Source::config_map("settings");
        ns.deploy([
            Workload::deployment("web").env("C", source, "colour"),
            Workload::deployment("size").env("S", source, "size"),
        ])
        .await?;
        eventually("it is inferred to be current", WHILE, async || {
            ns.kubectl().run(&["delete", "pod", "--all"]).await?;
            for name in ["deployment/web", "deployment/size"] {
                ns.rolled_out(name).await?;
                let verdict = ns.status().await?.verdict(name)?;
                ensure!(verdict == "Current inferred", "{verdict}");
            }
            Ok(())
        })
        .await?;
        let next = [settings("b", "1")];
        let shown = plan(&ns, &next, &["--exit-code"]).await?.success()?;
        ensure!(shown.stdout.contains("Possibly") && !shown.stdout.contains("deployment/size"), "{shown}");
        assert_eq!(plan(&ns, &next, &["--exit-code", "--inferred"]).await?.code, 1);
        let document = plan(&ns, &next, &["-o", "json"]).await?.success()?.json()?;
        let web = "Drifted inferred frozen configmap/settings ~colour".to_owned();
        assert_eq!(told(&document), BTreeMap::from([("deployment/web".to_owned(), web)]));
        ns.apply(next).await?;
        assert_eq!(ns.status().await?.verdict("deployment/web")?, "Drifted inferred");
        Ok(())
    })
    .await
}
