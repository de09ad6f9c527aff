//! `kubectl reload status -f`: what `kubectl get` wrote is judged as the cluster itself, and what files
//! do not tell is never taken for granted.

#[path = "offline/many.rs"]
mod many;
#[path = "offline/owners.rs"]
mod owners;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reload_tests::manifest::{config_map, secret};
use reload_tests::{Cluster, Namespace, Output, Source, Workload, eventually, with_namespace};
use serde_json::{Value, json};

const KINDS: &str = "pods,configmaps,secrets,replicasets,controllerrevisions,deployments,statefulsets,\
                     daemonsets,jobs,namespaces";

/// From two minutes on, ages are told in minutes: the outputs of a slow machine are alike then at the latest.
const WHILE: Duration = Duration::from_secs(200);

fn write(cluster: &Cluster, name: &str, content: &str) -> Result<String> {
    let path = cluster.folder().join(name);
    std::fs::write(&path, content)?;
    Ok(path.display().to_string())
}

/// What `kubectl get` writes of the namespace.
async fn get(ns: &Namespace<'_>, kinds: &str, flags: &[&str]) -> Result<String> {
    ns.kubectl().run(&[&["get", kinds], flags].concat()).await
}

/// `kubectl reload status` where no cluster can be reached.
async fn offline(ns: &Namespace<'_>, arguments: &[&str]) -> Result<Output> {
    let kubectl = ns.cluster().kubectl().kubeconfig(Path::new("/no/such/file"));
    let kubectl = kubectl.env("KUBECTL_RELOAD_NAMESPACE", &ns.webhook_options().install_namespace);
    kubectl.reload(&[&["status"], arguments].concat()).await
}

/// Workloads of many sorts, some of which drift by what is done afterwards.
async fn drift(ns: &Namespace<'_>) -> Result<()> {
    let settings = Source::config_map("settings");
    let fixed = |value: &str| {
        let mut fixed = config_map("fixed", &[("a", value)]);
        fixed["immutable"] = json!(true);
        fixed
    };
    ns.apply([
        config_map("settings", &[("colour", "hidden-red"), ("size", "1")]),
        config_map("needed", &[("a", "1")]),
        config_map("plain", &[("a", "1")]),
        secret("login", &[("password", "hidden-old"), ("user", "u")]),
        fixed("1"),
    ])
    .await?;
    ns.deploy([Workload::deployment("unrecorded").env("C", settings, "colour")]).await?;
    let _webhook = ns.webhook().await?;
    ns.deploy([
        Workload::deployment("web").replicas(2).env("C", settings, "colour"),
        Workload::deployment("unused").env("S", settings, "size"),
        Workload::deployment("files").directory("/etc/settings", settings),
        Workload::deployment("missing").env_from(Source::config_map("needed")),
        Workload::deployment("optional").env_from(Source::config_map("later").optional()),
        Workload::deployment("fixed").env_from(Source::config_map("fixed")),
        Workload::stateful_set("db").env("P", Source::secret("login"), "password"),
        Workload::daemon_set("agent").file("/etc/user", Source::secret("login"), "user"),
        Workload::deployment("plain").env_from(Source::config_map("plain")),
        Workload::deployment("ignored").env_from(settings).annotation("kubectl-reload.dev/ignore", "true"),
    ])
    .await?;
    ns.apply([
        config_map("settings", &[("colour", "hidden-blue"), ("size", "1")]),
        secret("login", &[("password", "hidden-new"), ("user", "u")]),
        config_map("later", &[("b", "1")]),
    ])
    .await?;
    ns.kubectl().run(&["delete", "configmap", "needed", "fixed"]).await?;
    ns.apply([fixed("2")]).await
}

#[tokio::test]
async fn files_give_the_verdicts_that_the_cluster_gives() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "offline", async |ns| {
        drift(&ns).await?;
        let install = ns.webhook_options().install_namespace;
        let key = ["get", "secret", "kubectl-reload-hash-key", "-n", &install, "-o", "yaml"];
        let key = cluster.kubectl().run(&key).await?;
        let key = write(cluster, "offline-key.yaml", &key)?;
        for (form, name) in [("json", "offline.json"), ("yaml", "offline.yaml")] {
            let held = get(&ns, KINDS, &["-o", form, "--show-managed-fields"]).await?;
            let held = write(cluster, name, &held)?;
            let forms: [&[&str]; 8] = [
                &["-o", "json"],
                &["-o", "yaml", "--all"],
                &["-o", "name"],
                &[],
                &["--all", "-o", "wide", "--sort-by", "since"],
                &["--by", "source"],
                &["-l", "app in (web,db),app!=files", "-o", "wide"],
                &["deployment/web", "statefulset/db"],
            ];
            // One form tells whether YAML is read as JSON is.
            let forms = if form == "json" { forms.as_slice() } else { &forms[..1] };
            for flags in forms {
                // Ages move on by themselves.
                eventually(format!("{flags:?} are alike"), WHILE, async || {
                    let online = ns.reload(&[&["status"], *flags].concat()).await?.success()?;
                    let arguments = [*flags, &["-n", "offline", "-f", &held, "-f", &key]].concat();
                    let offline = offline(&ns, &arguments).await?.success()?;
                    ensure!(online.stdout == offline.stdout, "{online}\n{offline}");
                    ensure!(offline.stderr.is_empty(), "{offline}");
                    Ok(())
                })
                .await?;
            }
            let all = offline(&ns, &["-f", &held, "-f", &key, "--exit-code", "-v", "4"]).await?;
            ensure!(all.code == 1 && all.stdout.starts_with("NAMESPACE"), "{all}");
            ensure!(all.stdout.contains("offline     deployment/web"), "{all}");
            ensure!(!format!("{all}").contains("hidden-"), "{all}");
        }
        let status = ns.status().await?;
        assert_eq!(status.verdict("deployment/fixed")?, "Unknown inferred", "the suite looks at too little");
        assert_eq!(status.verdict("deployment/missing")?, "Drifted recorded");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_files_do_not_tell_is_unknown_and_said() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "sparse", async |ns| {
        drift(&ns).await?;
        let verdict = |document: &Value, name: &str| -> String {
            let workloads = document["workloads"].as_array().into_iter().flatten();
            let found = workloads.into_iter().find(|workload| workload["name"] == name);
            let found = found.cloned().unwrap_or_default();
            format!("{} {} {}", found["verdict"], found["certainty"], found["causes"][0]["reason"])
        };

        // As kubectl writes it by default: nobody knows when anything was written.
        let untimed = write(cluster, "untimed.json", &get(&ns, KINDS, &["-o", "json"]).await?)?;
        let shown = offline(&ns, &["-f", &untimed]).await?.success()?;
        ensure!(shown.stdout.contains("write them with kubectl get --show-managed-fields"), "{shown}");
        ensure!(shown.stderr.contains("for want of the hash key: cannot get secrets"), "{shown}");
        let document = offline(&ns, &["-f", &untimed, "-o", "json"]).await?.success()?.json()?;
        assert_eq!(verdict(&document, "web"), "\"Drifted\" \"recorded\" \"changed\"");
        assert_eq!(verdict(&document, "unrecorded"), "\"Unknown\" \"inferred\" \"no time of writing\"");
        assert_eq!(verdict(&document, "plain"), "\"Current\" \"recorded\" null");
        let fixed = verdict(&document, "fixed");
        ensure!(fixed.contains("Unknown") && fixed.contains("immutable and replaced"), "{fixed}");

        // Neither Secrets nor the ConfigMap that tells that all of a namespace are there.
        let mut sparse: Value =
            serde_json::from_str(&get(&ns, KINDS, &["-o", "json", "--show-managed-fields"]).await?)?;
        let items = sparse["items"].as_array_mut().context("no items")?;
        items.retain(|item| {
            item["kind"] != "Secret"
                && item["kind"] != "ReplicaSet"
                && item["metadata"]["name"] != "kube-root-ca.crt"
        });
        let sparse = write(cluster, "sparse.json", &sparse.to_string())?;
        let shown = offline(&ns, &["-f", &sparse, "-o", "json"]).await?.success()?;
        let document = shown.json()?;
        ensure!(shown.stderr.contains("Deployments are shown as ReplicaSets"), "{shown}");
        ensure!(shown.stderr.contains("the file holds no secrets"), "{shown}");
        assert_eq!(verdict(&document, "db"), "\"Unknown\" \"inferred\" \"the file holds no secrets\"");
        let named = |begin: &str| {
            let workloads = document["workloads"].as_array().into_iter().flatten();
            let names = workloads.filter_map(|workload| workload["name"].as_str());
            names.into_iter().find(|name| name.starts_with(begin)).unwrap_or_default().to_owned()
        };
        let missing = verdict(&document, &named("missing-"));
        let part = "\"Unknown\" \"inferred\" \"the file may not hold all configmaps of namespace sparse\"";
        assert_eq!(missing, part);
        assert_eq!(verdict(&document, &named("web-")), "\"Drifted\" \"recorded\" \"changed\"");
        let wrong = offline(&ns, &["-f", &sparse, "deployment/web"]).await?;
        ensure!(wrong.code == 2 && wrong.stderr.contains("the file holds no replicasets"), "{wrong}");

        // Values that were masked are no change.
        let held = get(&ns, KINDS, &["-o", "yaml", "--show-managed-fields"]).await?;
        let lines = held.lines().map(|line| match line.trim_start().starts_with("password: ") {
            true => "    password: KioqUkVEQUNURUQqKio=".to_owned(),
            false => line.to_owned() + "\r",
        });
        let masked = write(cluster, "masked.yaml", &lines.collect::<Vec<_>>().join("\n"))?;
        let document = offline(&ns, &["-f", &masked, "-o", "json"]).await?.success()?.json()?;
        assert_eq!(
            verdict(&document, "db"),
            "\"Unknown\" \"inferred\" \"the file holds it with masked values\""
        );
        assert_eq!(verdict(&document, "web"), "\"Drifted\" \"recorded\" \"changed\"");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn bad_files_get_a_clear_error() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let status = async |arguments: &[&str]| {
        let kubectl = cluster.kubectl().kubeconfig(Path::new("/no/such/file"));
        kubectl.reload(&[&["status"], arguments].concat()).await
    };
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }, "spec": {"containers": []}});
    let mut strange = pod.clone();
    strange["spec"]["containers"] = json!("hunter2");
    let bomb = {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
        }
        bomb
    };
    let large = format!("{{\"items\": [\"{}\"]}}", "x".repeat(100 << 20));
    let unidentified =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}});
    for (name, content, text) in [
        ("text", "hunter2", "holds something else than Kubernetes objects"),
        ("garbled", "{\"kind\": \"hunter2", "see line 1, column"),
        ("nothing", "", "holds no object"),
        ("bomb", bomb.as_str(), "repeats too much by aliases"),
        ("large", large.as_str(), "makes more than 100 MB"),
        ("manifest", &unidentified.to_string(), "kubectl reload plan -f"),
        ("unnamed", "{\"kind\": \"Pod\", \"apiVersion\": \"v1\"}", "lacks what a cluster gives"),
        ("others", "{\"kind\": \"Gadget\"}", "hold no pods"),
        ("unkind", "{\"items\": []}", "has no kind"),
        ("strange", &strange.to_string(), "cannot get pod a in namespace n"),
    ] {
        let path = write(cluster, &format!("bad-{name}"), content)?;
        let output = status(&["-f", &path]).await?;
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{name}: {output}");
        ensure!(output.stderr.contains(text), "{name}: {output}");
        ensure!(!output.stderr.contains("hunter2"), "{name}: {output}");
    }
    let none = status(&["-f", "/no/such/file"]).await?;
    ensure!(none.code == 2 && none.stderr.contains("cannot read /no/such/file"), "{none}");
    let good = write(cluster, "good.json", &pod.to_string())?;
    let watch = status(&["-f", &good, "--watch"]).await?;
    ensure!(watch.code == 2 && watch.stderr.contains("cannot be used with"), "{watch}");
    let unknown = status(&["-f", &good, "deployment/web"]).await?;
    ensure!(unknown.code == 2, "{unknown}");
    let pods = status(&["-f", &good, "pod/b"]).await?;
    ensure!(pods.code == 2 && pods.stderr.contains("no pod of pod/b is in the files"), "{pods}");
    let selector = status(&["-f", &good, "-l", "a b"]).await?;
    ensure!(selector.code == 2 && selector.stderr.contains("is no selector"), "{selector}");
    let input = cluster.kubectl().kubeconfig(Path::new("/no/such/file"));
    let input = input.output_with_input(&["reload", "status", "-f", "-", "--all"], &pod.to_string()).await?;
    ensure!(input.code == 0 && input.stdout.contains("pod/a"), "{input}");
    let elsewhere = status(&["-f", &good, "-n", "elsewhere"]).await?.success()?;
    assert_eq!(elsewhere.stdout, "No pods found in namespace elsewhere.\n");
    Ok(())
}
