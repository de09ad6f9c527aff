//! Completion in real shells, as kubectl's own completion asks for it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use reload_tests::manifest::{config_map, secret};
use reload_tests::{Cluster, Namespace, Source, Workload, with_namespace};

/// What bash offers for a line; without bash-completion, its one function that kubectl needs is
/// stood in for.
const BASH: &str = r#"
if ! source /usr/share/bash-completion/bash_completion 2>/dev/null; then
  _get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
fi
source <(kubectl completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_TYPE=9 COMP_KEY=9
COMP_POINT=${#COMP_LINE}
__start_kubectl
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// What zsh offers: its list is printed in place of being shown.
const ZSH: &str = r#"
compdef() { }
_arguments() { }
_describe() { print -l -- $completions; }
source <(kubectl completion zsh)
words=("$@") CURRENT=$#
_kubectl
"#;

/// What bash offers for `kubectl-reload`, by the plugin's own script.
const OWN: &str = r#"
source <(kubectl-reload completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*"
_kubectl__reload kubectl-reload "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

async fn offers(ns: &Namespace<'_>, shell: &str, script: &str, line: &str) -> Result<Vec<String>> {
    let mut command = ns.kubectl().program(shell)?;
    command.args(["-c", script, shell]).args(line.split(' '));
    let output = tokio::task::spawn_blocking(move || command.output()).await?.context("no shell")?;
    let text = String::from_utf8(output.stdout)?;
    let word = |line: &str| line.split([':', ' ']).next().unwrap_or_default().to_owned();
    Ok(text.lines().map(word).filter(|word| !word.is_empty()).collect())
}

fn is_there(shell: &str) -> bool {
    Command::new(shell).arg("--version").output().is_ok()
}

#[tokio::test]
async fn kubectl_completes_the_plugin_in_bash_and_zsh() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "completed", async |ns| {
        ns.apply([config_map("settings", &[("a", "1")]), secret("login", &[("a", "1")])]).await?;
        ns.deploy([
            Workload::deployment("shop").env_from(Source::config_map("settings")),
            Workload::stateful_set("db").env_from(Source::secret("login")),
        ])
        .await?;
        let context = ns.kubectl().run(&["config", "current-context"]).await?;
        let cases: [(&str, &[&str]); 12] = [
            ("kubectl reload sta", &["status"]),
            ("kubectl reload status --exit", &["--exit-code"]),
            ("kubectl reload status -o ", &["json", "name", "table"]),
            ("kubectl reload -n comple", &["completed"]),
            ("kubectl reload status --context ", &[context.trim()]),
            ("kubectl reload sync de", &["deployment/"]),
            ("kubectl reload sync ro", &["rollout.argoproj.io/"]),
            ("kubectl reload status -n completed deployment/", &["deployment/shop"]),
            ("kubectl reload status -n completed sts/d", &["sts/db"]),
            ("kubectl reload status -n completed sts d", &["db"]),
            ("kubectl reload status -n completed --ignore secret/l", &["secret/login"]),
            (
                "kubectl reload status -n completed --ignore configmap/",
                &["configmap/kube-root-ca.crt", "configmap/settings"],
            ),
        ];
        for (shell, script) in [("bash", BASH), ("zsh", ZSH)] {
            if !is_there(shell) {
                eprintln!("{shell} is not installed: its completion is not tested");
                continue;
            }
            for (line, expected) in cases {
                let offered = offers(&ns, shell, script, line).await?;
                let found = expected.iter().all(|word| offered.iter().any(|offered| offered == word));
                ensure!(found, "{shell}: {line:?} offers {offered:?}");
                let alone = !expected[0].contains(['/', '-']) || offered.len() == expected.len();
                ensure!(alone, "{shell}: {line:?} offers {offered:?}");
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_cluster_that_cannot_be_had_offers_no_names_and_no_error() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "uncompleted", async |ns| {
        let kubectl = ns.kubectl().kubeconfig(Path::new("/no/such/file"));
        for arguments in
            [&["status", "-n", ""] as &[&str], &["status", "deployment/"], &["status", "--x", "-"]]
        {
            // A program's own PATH is searched for it where it begins.
            let mut shell = kubectl.program("sh")?;
            shell.args(["-c", "exec kubectl_complete-reload \"$@\"", "sh"]).args(arguments);
            let output = shell.output()?;
            let errors = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success() && errors.is_empty(), "{arguments:?}: {errors}");
            let text = String::from_utf8_lossy(&output.stdout);
            ensure!(text.ends_with(":4\n"), "{arguments:?}: {text}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_plugins_own_scripts_complete_commands_and_flags() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "scripts", async |ns| {
        let offered = offers(&ns, "bash", OWN, "kubectl-reload sta").await?;
        ensure!(offered == ["status"], "{offered:?}");
        let offered = offers(&ns, "bash", OWN, "kubectl-reload status --exit").await?;
        ensure!(offered == ["--exit-code"], "{offered:?}");
        for shell in ["bash", "zsh", "fish", "powershell"] {
            let script = ns.kubectl().reload(&["completion", shell]).await?.success()?;
            ensure!(script.stdout.contains("kubectl-reload"), "{script}");
            if is_there(shell) && shell != "powershell" {
                let path = cluster.folder().join(format!("script.{shell}"));
                std::fs::write(&path, &script.stdout)?;
                let checked = Command::new(shell).arg("-n").arg(&path).output()?;
                let errors = String::from_utf8_lossy(&checked.stderr);
                ensure!(checked.status.success() && errors.is_empty(), "{shell}: {errors}");
            }
        }
        Ok(())
    })
    .await
}
