//! Pods one by one, pods by their fields, and pods of CronJobs.

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Source, Workload, eventually, with_namespace};
use serde_json::json;

use super::WHILE;

#[tokio::test]
async fn pods_are_shown_one_by_one_and_chosen_by_their_fields() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "pods", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        ns.deploy([Workload::deployment("web").replicas(2).env_from(Source::config_map("settings"))]).await?;
        ns.kubectl().run(&["patch", "configmap", "settings", "-p", "{\"data\":{\"a\":\"2\"}}"]).await?;
        let pods = ns.pods("deployment/web").await?;
        let [old, deleted] = &pods[..] else { anyhow::bail!("{} pods", pods.len()) };
        ns.kubectl().run(&["delete", "pod", &deleted.name_any()]).await?;
        ns.rolled_out("deployment/web").await?;
        // Whether it is replaced yet, the rollout does not tell.
        let new = eventually("there is a new pod", WHILE, async || {
            let after = ns.pods("deployment/web").await?;
            let uids = [old.uid(), deleted.uid()];
            after.into_iter().find(|pod| !uids.contains(&pod.uid())).context("no new pod")
        });
        let new = new.await?.name_any();
        ns.rolled_out("deployment/web").await?;
        let old = old.name_any();

        let shown = ns.reload(&["status", "--pods"]).await?.success()?;
        let line = |name: &str| shown.stdout.lines().find(|line| line.starts_with(name));
        let row = line(&old).context("no row")?;
        for text in ["deployment/web", "Drifted", "configmap/settings", "a changed"] {
            ensure!(row.contains(text), "{text:?} is not in {shown}");
        }
        ensure!(
            line(&new).is_none() && shown.stdout.contains("1 workload: 1 on old configuration"),
            "{shown}"
        );
        let names = ns.reload(&["status", "--pods", "-o", "name"]).await?.success()?;
        assert_eq!(names.stdout, format!("pod/{old}\n"));
        let document = ns.reload(&["status", "--pods", "-o", "json"]).await?.success()?.json()?;
        let listed = document["pods"].as_array().context("no pods")?;
        let mut verdicts: Vec<_> = listed.iter().map(|pod| (&pod["name"], &pod["verdict"])).collect();
        verdicts.sort_by_key(|(_, verdict)| verdict.to_string());
        assert_eq!(verdicts, [(&json!(new), &json!("Current")), (&json!(old), &json!("Drifted"))]);
        assert_eq!(listed[0]["workload"], json!({"kind": "Deployment", "name": "web"}));

        for (field, of_all) in
            [(format!("metadata.name={old}"), "1/1"), (format!("metadata.name!={old}"), "")]
        {
            let one = ns.reload(&["status", "--all", "--field-selector", &field]).await?.success()?;
            let row = one.stdout.lines().find(|line| line.starts_with("deployment/web")).context("no row")?;
            let verdict = if of_all.is_empty() { "Current" } else { "Drifted" };
            ensure!(row.contains(verdict) && row.contains(of_all), "{field}: {one}");
        }
        // Any pod may be named by itself, whatever owns it.
        for (name, code, row) in [(&old, 1, "1/1"), (&new, 0, "Current")] {
            let name = format!("pod/{name}");
            let one = ns.reload(&["status", &name, "--all", "--exit-code"]).await?;
            let shown = one.stdout.lines().find(|line| line.starts_with("deployment/web"));
            ensure!(one.code == code && shown.is_some_and(|shown| shown.contains(row)), "{name}: {one}");
        }
        let sync = ns.reload(&["sync", &format!("pod/{old}")]).await?;
        ensure!(sync.code == 2 && sync.stderr.contains("is one of deployment/web"), "{sync}");
        for kind in [&["deployments", "-l", "app=web"] as &[&str], &["deploy.apps"]] {
            let of_kind = ns.reload(&[&["status"], kind].concat()).await?.success()?;
            ensure!(of_kind.stdout.contains("deployment/web"), "{of_kind}");
        }
        for other in ["deployment.example.com", "deploymnt.apps/web"] {
            let other = ns.reload(&["status", other]).await?;
            ensure!(other.code == 2 && other.stderr.contains("or it is written otherwise"), "{other}");
        }
        let nowhere = ns.reload(&["status", "--field-selector", "spec.nodeName=nowhere"]).await?.success()?;
        assert_eq!(nowhere.stdout, "No pods found in namespace pods.\n");
        let wrong = ns.reload(&["status", "--field-selector", "spec.colour=red"]).await?;
        ensure!(wrong.code == 2 && wrong.stderr.contains("spec.colour"), "{wrong}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pods_of_a_cron_job_are_its_own() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "cron", async |ns| {
        let _webhook = ns.webhook().await?;
        ns.apply([config_map("settings", &[("a", "1")])]).await?;
        let container =
            json!({"name": "app", "image": "none", "envFrom": [{"configMapRef": {"name": "settings"}}]});
        // No node fits, so that its pod does not end.
        let pod = json!({"containers": [container], "restartPolicy": "Never", "nodeSelector": {"is": "nowhere"}});
        let job = json!({"template": {"metadata": {"labels": {"app": "tick"}}, "spec": pod}});
        let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"},
            "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}}});
        ns.apply([cron]).await?;
        let none = ns.reload(&["status", "cronjob/tick"]).await?.success()?;
        assert_eq!(none.stdout, "No pods found in namespace cron.\n");

        let uid = ns.kubectl().json(&["cronjob", "tick"]).await?["metadata"]["uid"].clone();
        let owner = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick", "uid": uid, "controller": true}]);
        ns.apply([json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "tick-1", "ownerReferences": owner}, "spec": job})])
            .await?;
        eventually("its pod is there", WHILE, async || {
            ensure!(ns.pods("cronjob/tick").await?.len() == 1, "not yet");
            Ok(())
        })
        .await?;
        for target in [&["cronjob/tick"] as &[&str], &["cj", "tick"], &[]] {
            let names = ns.reload(&[&["status", "--all"], target].concat()).await?.success()?;
            ensure!(names.stdout.contains("cronjob/tick"), "{target:?}: {names}");
        }
        let missing = ns.reload(&["status", "cronjob/other"]).await?;
        ensure!(missing.code == 2 && missing.stderr.contains("kubectl get cronjob -n cron"), "{missing}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_source_of_a_megabyte_is_compared_and_never_shown() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "megabyte", async |ns| {
        let _webhook = ns.webhook().await?;
        let values = ["x".repeat(1_000_000), format!("{}y", "x".repeat(999_999))];
        let create = async |verb: &str, value: &str| {
            let file = cluster.folder().join("megabyte.json");
            std::fs::write(&file, config_map("settings", &[("big", value), ("small", "1")]).to_string())?;
            // Not by apply, which would copy it into an annotation that holds less.
            ns.kubectl().run(&[verb, "-f", file.to_str().context("no UTF-8")?]).await
        };
        create("create", &values[0]).await?;
        let source = Source::config_map("settings");
        ns.deploy([Workload::deployment("web").env("S", source, "small").directory("/etc/all", source)])
            .await?;
        create("replace", &values[1]).await?;
        let status = ns.status().await?;
        assert_eq!(status.verdict("deployment/web")?, "Drifted recorded");
        assert_eq!(
            status.causes("deployment/web")?,
            ["configmap/settings changed: files updated, process not restarted: ~big"]
        );
        for arguments in [
            &["status", "-o", "yaml", "-v=9"] as &[&str],
            &["explain", "deployment/web", "-v=9"],
            &["sync", "-v=9"],
        ] {
            let output = ns.reload(arguments).await?.success()?;
            ensure!(!output.stdout.contains("xxxx") && !output.stderr.contains("xxxx"), "{arguments:?}");
        }
        ensure!(ns.status().await?.drifted().is_empty());
        Ok(())
    })
    .await
}
