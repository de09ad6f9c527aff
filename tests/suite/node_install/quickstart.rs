//! The quickstart, line by line, from a clean clone on a new cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reload_tests::binaries::image;
use reload_tests::manifest::config_map;
use reload_tests::{
    Cluster, Helm, Namespace, Node, NodeOptions, Source, Workload, eventually, with_namespace,
};
use tokio::time::timeout;

use super::{LIMIT, recording};

/// The other ways to install that the page has, each with how it is taken away again.
const OTHERS: [(&str, &str); 2] = [
    (
        "helm install kubectl-reload deploy/chart --namespace kubectl-reload --create-namespace",
        "helm uninstall kubectl-reload --namespace kubectl-reload",
    ),
    ("kubectl apply -f deploy/install.yaml", "kubectl delete -f deploy/install.yaml"),
];

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn the_quickstart_does_what_it_says_from_a_clean_clone() -> Result<()> {
    let node = Node::start(NodeOptions::default()).await?;
    node.import(&image().await?).await?;
    with_namespace(node.cluster(), "shop", async |ns| {
        let user = User::new(&ns).await?;
        let page = std::fs::read_to_string(user.clone.join("docs/quickstart.md"))?;
        settings(&ns, "info").await?;
        // What was written well before a container started, that it has read.
        let settled = Timestamp::now() + SignedDuration::from_secs(12);
        eventually("the settings are old", LIMIT, async || {
            ensure!(Timestamp::now() > settled, "it is not {settled} yet");
            Ok(())
        })
        .await?;
        let level = Source::config_map("web-settings");
        ns.deploy([Workload::deployment("web").env("LOG_LEVEL", level, "LOG_LEVEL").sees(&["LOG_LEVEL"])])
            .await?;

        let is_other = |line: &str| OTHERS.iter().any(|(install, _)| *install == line);
        let (others, lines): (Vec<&str>, Vec<&str>) =
            page.lines().filter_map(|line| line.strip_prefix("$ ")).partition(|line| is_other(line));
        assert_eq!(others.len(), OTHERS.len(), "the page has other ways to install: {others:?}");
        for line in lines {
            match line {
                "kubectl reload status -n shop" => {
                    settings(&ns, "debug").await?;
                    let shown = user.types(line).await?;
                    ensure!(
                        shown.contains("deployment/web") && shown.contains("LOG_LEVEL changed"),
                        "{shown}"
                    );
                }
                "kubectl reload install" => {
                    let shown = user.types(line).await?;
                    ensure!(shown.contains("came back with a record"), "{shown}");
                    recording(&ns).await?;
                }
                "kubectl reload sync -n shop" => {
                    let shown = user.types(line).await?;
                    ensure!(shown.contains("deployment/web in shop restarted"), "{shown}");
                    ns.recorded("deployment/web").await?;
                    assert_eq!(ns.status().await?.verdict("deployment/web")?, "Current recorded");
                }
                _ => drop(user.types(line).await?),
            }
        }
        for (install, uninstall) in OTHERS {
            ensure!(page.contains(uninstall), "the page does not say {uninstall}");
            user.types(install).await?;
            recording(&ns).await?;
            user.types(uninstall).await?;
            // As the page says, Helm leaves the namespace that it has made.
            user.types("kubectl delete namespace kubectl-reload --ignore-not-found").await?;
        }
        Ok(())
    })
    .await?;
    node.stop().await
}

async fn settings(ns: &Namespace<'_>, level: &str) -> Result<()> {
    ns.apply([config_map("web-settings", &[("LOG_LEVEL", level)])]).await
}

/// Somebody who has cloned the project and types what a page says.
struct User<'a> {
    cluster: &'a Cluster,
    clone: PathBuf,
    helm: Helm,
}

impl<'a> User<'a> {
    async fn new(ns: &Namespace<'a>) -> Result<Self> {
        let cluster = ns.cluster();
        let clone = cluster.folder().join("clone");
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let git = Command::new("git").args(["clone", "--quiet"]).arg(&project).arg(&clone).output()?;
        ensure!(git.status.success(), "git clone: {}", String::from_utf8_lossy(&git.stderr));
        Ok(Self { cluster, clone, helm: Helm::new(cluster).await? })
    }

    /// Types a line that has to succeed, and says yes where it asks; gives what it has shown.
    async fn types(&self, line: &str) -> Result<String> {
        let asks = ["install", "adopt", "sync", "uninstall"];
        let asks = asks.iter().any(|command| line.starts_with(&format!("kubectl reload {command}")));
        let yes = if asks && !line.contains("--dry-run") { " --yes" } else { "" };
        let mut bash = self.cluster.kubectl().program("bash")?;
        bash.args(["-c", &format!("PATH=$HELM:$PATH; {line}{yes}")]);
        bash.env("HELM", self.helm.folder().context("Helm lies nowhere")?)
            .current_dir(&self.clone)
            .stdin(Stdio::null());
        let run = tokio::process::Command::from(bash).kill_on_drop(true).output();
        let run = timeout(LIMIT * 3, run).await.with_context(|| format!("`{line}` does not end"))??;
        let shown =
            [run.stdout, run.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        ensure!(run.status.success(), "`{line}`: {}\n{shown}", run.status);
        Ok(shown)
    }
}
