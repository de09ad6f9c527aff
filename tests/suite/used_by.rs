//! `kubectl reload used-by`: every workload and pod that uses a source, those without pods too.

use std::time::Duration;

use anyhow::{Result, ensure};
use reload_tests::manifest::{config_map, secret};
use reload_tests::{Cluster, Source, Workload, eventually, with_namespace};
use serde_json::{Value, json};

/// A pod template whose container `app` takes all keys of ConfigMap `settings`.
fn template(app: &str) -> Value {
    let container = json!({
        "name": "app", "image": "none", "envFrom": [{"configMapRef": {"name": "settings"}}],
    });
    json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [container]}})
}

fn job(suspend: bool) -> Value {
    let mut template = template("once");
    template["spec"]["restartPolicy"] = json!("Never");
    json!({"template": template, "suspend": suspend})
}

fn object(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// What is needed of the CustomResourceDefinition of Argo Rollouts.
fn rollouts() -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({
        "name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
    });
    let names = json!({"kind": "Rollout", "plural": "rollouts", "singular": "rollout"});
    let spec = json!({"group": "argoproj.io", "scope": "Namespaced", "names": names, "versions": [version]});
    object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "rollouts.argoproj.io", spec)
}

#[tokio::test]
async fn every_workload_that_uses_a_source_is_found_with_pods_or_without() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "users", async |ns| {
        ns.apply([config_map("settings", &[("a", "1")]), secret("login", &[("p", "1")])]).await?;
        let source = Source::config_map("settings");
        let mut alone = template("alone");
        alone["metadata"]["annotations"]["kubectl-reload.dev/extra"] = json!("secret/login");
        let selector = json!({"matchLabels": {"app": "alone"}});
        ns.deploy([
            Workload::deployment("web").replicas(2).env("A", source, "a").file("/f", source, "a"),
            Workload::deployment("zero").replicas(0).directory("/d", source),
            Workload::stateful_set("db").env("A", source, "b").env_from(Source::secret("login")),
            Workload::daemon_set("agent").directory("/d", source.optional()),
            Workload::deployment("unrelated").env_from(Source::secret("login")),
        ])
        .await?;
        let mut pod = template("bare")["spec"].clone();
        pod["restartPolicy"] = json!("Never");
        ns.apply([
            object(
                "apps/v1",
                "ReplicaSet",
                "set",
                json!({"replicas": 1, "selector": selector, "template": alone}),
            ),
            object("batch/v1", "Job", "later", job(true)),
            object(
                "batch/v1",
                "CronJob",
                "nightly",
                json!({
                    "schedule": "0 0 1 1 *", "jobTemplate": {"spec": job(false)},
                }),
            ),
            object("v1", "Pod", "bare", pod),
        ])
        .await?;
        let used = async |arguments: &[&str]| ns.reload(&[&["used-by"], arguments].concat()).await?.success();
        let found = eventually("all pods are there", Duration::from_secs(60), async || {
            let document = used(&["configmap/settings", "-o", "json"]).await?.json()?;
            let users = document["sources"][0]["users"].as_array().cloned().unwrap_or_default();
            let line = |user: &Value| {
                let pods = user["pods"].as_array().map_or(0, Vec::len);
                let uses = user["uses"].as_array().into_iter().flatten();
                let uses = uses.map(|used| format!(" {} {}", used["how"], used["keys"])).collect::<String>();
                format!("{} {} {pods}{uses}", user["kind"], user["name"]).replace('"', "")
            };
            let lines: Vec<String> = users.iter().map(line).collect();
            ensure!(lines.iter().any(|line| line.starts_with("ReplicaSet set 1")), "{lines:?}");
            assert_eq!(document["kind"], "UsedBy");
            assert_eq!(document["incomplete"], json!([]));
            Ok(lines)
        })
        .await?;
        assert_eq!(
            found,
            [
                "Deployment web 2 env [a] file [a]",
                "Deployment zero 0 directory null",
                "StatefulSet db 1 env [b]",
                "DaemonSet agent 3 directory null",
                "ReplicaSet set 1 envFrom null",
                "Job later 0 envFrom null",
                "CronJob nightly 0 envFrom null",
                "Pod bare 1 envFrom null",
            ]
        );
        let names = used(&["cm/settings", "secret/login", "-o", "name"]).await?;
        ensure!(names.stdout.contains("cronjob/nightly\n"), "{names}");
        let login = used(&["secret/login"]).await?;
        for text in
            ["deployment/unrelated", "statefulset/db", "replicaset/set", "extra", "3 workloads use it"]
        {
            ensure!(login.stdout.contains(text), "{text:?} is not in {login}");
        }
        ensure!(!login.stdout.contains("POD NAMES"), "{login}");
        let wide = used(&["secret/login", "-o", "wide"]).await?;
        ensure!(wide.stdout.contains("db-0"), "{wide}");
        let all =
            cluster.kubectl().reload(&["used-by", "secret/login", "-A", "-o", "yaml"]).await?.success()?;
        let document: Value = serde_saphyr::from_str(&all.stdout)?;
        // Other namespaces have a Secret of that name too.
        let sources = document["sources"].as_array().into_iter().flatten();
        let mut here = sources.filter(|source| source["namespace"] == "users");
        ensure!(here.next().is_some_and(|source| source["exists"] == true), "{all}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_source_that_does_not_exist_has_users_all_the_same() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "gone", async |ns| {
        ns.apply([Workload::deployment("web").env_from(Source::config_map("lost"))]).await?;
        let lost = ns.reload(&["used-by", "configmap/lost", "secret/never"]).await?.success()?;
        for text in [
            "deployment/web",
            "configmap/lost does not exist in namespace gone, and 1 workload uses it: new pods do not start",
            "secret/never does not exist in namespace gone, and nothing uses it",
        ] {
            ensure!(lost.stdout.contains(text), "{text:?} is not in {lost}");
        }
        let none = ns.reload(&["used-by"]).await?;
        ensure!(none.code == 2 && none.stderr.contains("SOURCE"), "{none}");
        let wrong = ns.reload(&["used-by", "web"]).await?;
        ensure!(wrong.code == 2 && wrong.stderr.contains("configmap/NAME"), "{wrong}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn argo_rollouts_are_found_where_they_are_known() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "argo", async |ns| {
        ns.kubectl().apply(&[config_map("settings", &[("a", "1")])]).await?;
        // The rights that people commonly have know nothing of others' kinds.
        ns.kubectl()
            .run(&["create", "rolebinding", "viewers", "--clusterrole=view", "--user=viewer"])
            .await?;
        let viewed = ["used-by", "configmap/settings", "--as", "viewer", "-o", "json"];
        let without = ns.reload(&viewed).await?.success()?.json()?;
        assert_eq!(without["incomplete"], json!([]), "without Argo, nothing is missing");
        ns.kubectl().apply(&[rollouts()]).await?;
        let rollout =
            object("argoproj.io/v1alpha1", "Rollout", "canary", json!({"template": template("canary")}));
        eventually("Rollouts can be made", Duration::from_secs(60), async || {
            ns.apply([rollout.clone()]).await
        })
        .await?;
        let used = ns.reload(&["used-by", "configmap/settings", "-o", "name"]).await?.success()?;
        assert_eq!(used.stdout, "rollout.argoproj.io/canary\n");
        let with = ns.reload(&viewed).await?.success()?.json()?;
        ensure!(with["incomplete"].to_string().contains("may not list rollouts"), "{with}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_may_not_be_looked_at_is_told_and_the_rest_is_answered() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "partial", async |ns| {
        ns.apply([secret("login", &[("p", "1")])]).await?;
        ns.deploy([Workload::deployment("web").env_from(Source::secret("login"))]).await?;
        let role = ["create", "role", "some", "--verb=list", "--resource=deployments,pods,replicasets"];
        ns.kubectl().run(&role).await?;
        ns.kubectl().run(&["create", "rolebinding", "some", "--role=some", "--user=some"]).await?;
        let used = ["used-by", "secret/login", "--as", "some", "-o", "json"];
        let used = ns.reload(&used).await?.success()?;
        ensure!(used.stderr.contains("may not list cronjobs"), "{used}");
        let document = used.json()?;
        assert_eq!(document["sources"][0]["exists"], Value::Null);
        assert_eq!(document["sources"][0]["users"][0]["name"], "web");
        ensure!(document["incomplete"].to_string().contains("statefulsets"), "{document}");
        let none = ns.reload(&["used-by", "secret/login", "--as", "nobody"]).await?;
        ensure!(none.code == 2 && none.stderr.contains("may not list pods"), "{none}");
        Ok(())
    })
    .await
}
