//! kubectl's global flags, and every way in which kubectl finds a cluster and logs in.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reload_tests::manifest::config_map;
use reload_tests::{Cluster, Namespace, Source, Workload, with_namespace};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

const TOKEN_SCRIPT: &str = r#"#!/bin/sh
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'"$SESAME"'"}}'
"#;

const FAILING_SCRIPT: &str = r#"#!/bin/sh
echo "$SESAME"
echo "your session has ended" >&2
exit 3
"#;

/// The administrator's kubeconfig, as a value.
fn kubeconfig(cluster: &Cluster) -> Result<Value> {
    Ok(serde_saphyr::from_str(&std::fs::read_to_string(cluster.kubeconfig())?)?)
}

fn file(cluster: &Cluster, name: &str, content: &str) -> Result<PathBuf> {
    let path = cluster.folder().join(name);
    std::fs::write(&path, content)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
    Ok(path)
}

/// `deployment/shop` is there, so that an answer about it shows who was asked.
async fn deploy(ns: &Namespace<'_>) -> Result<()> {
    ns.apply([config_map("settings", &[("a", "1")])]).await?;
    ns.deploy([Workload::deployment("shop").env_from(Source::config_map("settings"))]).await
}

fn server(config: &Value) -> Result<&str> {
    config["clusters"][0]["cluster"]["server"].as_str().context("no server")
}

#[tokio::test]
async fn flags_stand_before_or_after_the_command_and_before_the_kubeconfig() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "flags", async |ns| {
        deploy(&ns).await?;
        let shown = cluster.kubectl().reload(&["-n", "flags", "status", "--all"]).await?.success()?;
        ensure!(shown.stdout.contains("deployment/shop"), "{shown}");

        let token = ns.kubectl().run(&["create", "token", "default"]).await?;
        let token = token.trim();
        let forbidden = ns.reload(&["status", "--token", token]).await?;
        ensure!(forbidden.code == 2 && forbidden.stderr.contains("may not list pods"), "{forbidden}");
        ensure!(!forbidden.stderr.contains(token), "{forbidden}");
        let rights =
            ["create", "rolebinding", "view", "--clusterrole=view", "--serviceaccount=flags:default"];
        ns.kubectl().run(&rights).await?;
        ns.reload(&["status", "--token", token, "-v=9"]).await?.success()?;

        // No kubeconfig at all.
        let config = kubeconfig(cluster)?;
        let ca = BASE64_STANDARD.decode(
            config["clusters"][0]["cluster"]["certificate-authority-data"].as_str().unwrap_or_default(),
        );
        let ca = match ca {
            Ok(bytes) if !bytes.is_empty() => file(cluster, "ca.crt", &String::from_utf8(bytes)?)?,
            _ => PathBuf::from(
                config["clusters"][0]["cluster"]["certificate-authority"].as_str().context("no CA")?,
            ),
        };
        let ca = ca.display().to_string();
        let alone = ns.kubectl().kubeconfig(Path::new("/no/such/file"));
        let with = async |flags: &[&str]| {
            let flags =
                [&["status", "--all", "--server", server(&config)?, "--token", token], flags].concat();
            alone.reload(&flags).await
        };
        for flags in [&["--certificate-authority", ca.as_str()] as &[&str], &["--insecure-skip-tls-verify"]] {
            let shown = with(flags).await?.success()?;
            ensure!(shown.stdout.contains("deployment/shop"), "{shown}");
        }
        let name = ["--certificate-authority", &ca, "--tls-server-name", "elsewhere.example"];
        for (flags, text) in [
            (&[] as &[&str], "does not answer"),
            (&name, "does not answer"),
            (&["--certificate-authority", "/no/such/ca"], "/no/such/ca"),
        ] {
            let refused = with(flags).await?;
            ensure!(refused.code == 2 && refused.stderr.contains(text), "{refused}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_is_impersonated_is_asked_for() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "impersonated", async |ns| {
        deploy(&ns).await?;
        let nobody = ns.reload(&["status", "--as", "nobody"]).await?;
        ensure!(nobody.code == 2 && nobody.stderr.contains("may not list pods"), "{nobody}");
        let masters =
            ["status", "--as", "nobody", "--as-group", "a", "--as-group", "system:masters", "--as-uid", "7"];
        ns.reload(&masters).await?.success()?;
        let alone = ns.reload(&["status", "--as-uid", "7"]).await?;
        ensure!(alone.code == 2 && alone.stderr.contains("--as <USER>"), "{alone}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_list_of_kubeconfigs_is_merged_and_those_that_are_missing_are_left_out() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "merged", async |ns| {
        deploy(&ns).await?;
        let config = kubeconfig(cluster)?;
        let context = &config["contexts"][0]["context"];
        let first = json!({
            "current-context": "mine",
            "contexts": [{"name": "mine", "context": {
                "cluster": context["cluster"], "user": context["user"], "namespace": "merged",
            }}],
        });
        let first = file(cluster, "contexts.json", &first.to_string())?;
        let list = format!("{}:/no/such/file:{}", first.display(), cluster.kubeconfig().display());
        // No -n: the first file's context names the namespace.
        let shown =
            cluster.kubectl().env("KUBECONFIG", &list).reload(&["status", "--all"]).await?.success()?;
        ensure!(shown.stdout.contains("deployment/shop"), "{shown}");
        let other = config["current-context"].as_str().context("no context")?;
        let shown = cluster.kubectl().env("KUBECONFIG", &list);
        let shown = shown.reload(&["status", "--all", "--context", other]).await?.success()?;
        ensure!(!shown.stdout.contains("deployment/shop"), "{shown}");
        Ok(())
    })
    .await
}

/// A kubeconfig whose user gets its credentials from a program.
fn with_exec(cluster: &Cluster, name: &str, script: &str, variable: &str) -> Result<PathBuf> {
    let script = file(cluster, &format!("{name}.sh"), script)?;
    let mut config = kubeconfig(cluster)?;
    config["users"][0]["user"] = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": script,
        "env": [{"name": "SESAME", "value": variable}],
        "interactiveMode": "Never",
    }});
    file(cluster, name, &config.to_string())
}

#[tokio::test]
async fn a_program_hands_out_credentials_and_none_are_shown_when_it_fails() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "programs", async |ns| {
        deploy(&ns).await?;
        let rights =
            ["create", "rolebinding", "view", "--clusterrole=view", "--serviceaccount=programs:default"];
        ns.kubectl().run(&rights).await?;
        let token = ns.kubectl().run(&["create", "token", "default"]).await?;
        let reload =
            async |config: &Path| ns.kubectl().kubeconfig(config).reload(&["status", "--all", "-v=9"]).await;
        let config = with_exec(cluster, "exec-token", TOKEN_SCRIPT, token.trim())?;
        let shown = reload(&config).await?.success()?;
        ensure!(shown.stdout.contains("deployment/shop"), "{shown}");
        ensure!(!shown.stderr.contains(token.trim()), "{shown}");

        let user = &kubeconfig(cluster)?["users"][0]["user"];
        let pem = |field: &str| -> Result<String> {
            match user[format!("{field}-data")].as_str() {
                Some(data) => Ok(String::from_utf8(BASE64_STANDARD.decode(data)?)?),
                None => Ok(std::fs::read_to_string(user[field].as_str().context("no certificate")?)?),
            }
        };
        let status = json!({
            "clientCertificateData": pem("client-certificate")?, "clientKeyData": pem("client-key")?,
        });
        let credential = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status,
        });
        let config =
            with_exec(cluster, "exec-cert", "#!/bin/sh\nprintf %s \"$SESAME\"", &credential.to_string())?;
        let shown = reload(&config).await?.success()?;
        ensure!(shown.stdout.contains("deployment/shop"), "{shown}");

        for (name, script, text) in [
            ("exec-failing", FAILING_SCRIPT, "your session has ended"),
            ("exec-garbled", "#!/bin/sh\necho \"$SESAME: [\"", "no ExecCredential"),
        ] {
            let refused = reload(&with_exec(cluster, name, script, "open-sesame")?).await?;
            ensure!(refused.code == 2 && refused.stderr.contains(text), "{refused}");
            ensure!(!refused.stderr.contains("open-sesame"), "{refused}");
        }
        Ok(())
    })
    .await
}

/// An HTTP proxy that counts the tunnels it has opened.
async fn proxy() -> Result<(u16, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(tunnel(client, Arc::clone(&counter)));
        }
    });
    Ok((port, count))
}

async fn tunnel(client: TcpStream, count: Arc<AtomicUsize>) -> Result<()> {
    let mut client = BufReader::new(client);
    let mut request = String::new();
    while client.read_line(&mut request).await? > 2 {}
    let address = request.strip_prefix("CONNECT ").and_then(|rest| rest.split_whitespace().next());
    let mut server = TcpStream::connect(address.context("no CONNECT")?).await?;
    count.fetch_add(1, Ordering::SeqCst);
    client.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

#[tokio::test]
async fn proxies_of_the_kubeconfig_and_of_the_environment_are_used() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "proxies", async |ns| {
        deploy(&ns).await?;
        let (port, count) = proxy().await?;
        let url = format!("http://127.0.0.1:{port}");
        let mut config = kubeconfig(cluster)?;
        config["clusters"][0]["cluster"]["proxy-url"] = json!(url);
        let config = file(cluster, "proxied", &config.to_string())?;
        ns.kubectl().kubeconfig(&config).reload(&["status"]).await?.success()?;
        let first = count.load(Ordering::SeqCst);
        ensure!(first > 0, "the kubeconfig's proxy was not used");
        ns.kubectl().env("HTTPS_PROXY", &url).env("NO_PROXY", "").reload(&["status"]).await?.success()?;
        let second = count.load(Ordering::SeqCst);
        ensure!(second > first, "the environment's proxy was not used");
        let not = ns.kubectl().env("HTTPS_PROXY", &url).env("NO_PROXY", "127.0.0.1");
        not.reload(&["status"]).await?.success()?;
        ensure!(count.load(Ordering::SeqCst) == second, "NO_PROXY was not heeded");
        Ok(())
    })
    .await
}

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a pod's files are mounted as root on Linux, with CAP_SYS_ADMIN")]
async fn in_a_pod_its_service_account_is_used() -> Result<()> {
    let cluster = Cluster::shared().await?;
    with_namespace(cluster, "in-cluster", async |ns| {
        deploy(&ns).await?;
        let rights =
            ["create", "rolebinding", "view", "--clusterrole=view", "--serviceaccount=in-cluster:default"];
        ns.kubectl().run(&rights).await?;
        let config = kubeconfig(cluster)?;
        let (host, port) = server(&config)?
            .trim_start_matches("https://")
            .split_once(':')
            .context("no port in the server's address")?;
        let files = cluster.folder().join("pod/kubernetes.io/serviceaccount");
        std::fs::create_dir_all(&files)?;
        let ca = ns.kubectl().json(&["configmap", "kube-root-ca.crt"]).await?;
        std::fs::write(files.join("ca.crt"), ca["data"]["ca.crt"].as_str().context("no CA")?)?;
        let token = ns.kubectl().run(&["create", "token", "default"]).await?;
        std::fs::write(files.join("token"), token.trim())?;
        std::fs::write(files.join("namespace"), ns.name())?;
        // What a container of a pod has, in a mount namespace of its own.
        let script = "mkdir -p /var/run/secrets && mount --bind \"$FILES\" /var/run/secrets && exec \"$@\"";
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(cluster.binaries().plugin()?)
            .args(["status", "--all"])
            .env("FILES", cluster.folder().join("pod"))
            .env_remove("KUBECONFIG")
            .env("HOME", cluster.folder())
            .env("KUBERNETES_SERVICE_HOST", host)
            .env("KUBERNETES_SERVICE_PORT", port)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && text.contains("deployment/shop"), "{text}{errors}");
        Ok(())
    })
    .await
}
