//! containerd with runc, and the images that pods may use.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::machine::Machine;
use crate::process::Process;
use crate::wait::eventually;

/// How long containerd may take to answer. It takes half a second.
const START: Duration = Duration::from_secs(30);

/// Where it listens. All machines have a `/run` of their own.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";

/// Starts the container runtime of a machine, with its images, for the first time or again.
pub(super) async fn start(machine: &Machine) -> Result<Process> {
    let networks = machine.folder().join("cni");
    std::fs::create_dir_all(&networks)?;
    machine.file("cni/pods.conflist", network(machine).to_string())?;
    let configuration = machine.file("containerd.toml", configuration(machine, &networks))?;
    let mut command = program(machine, "containerd");
    let process = machine.spawn("containerd", command.arg("--config").arg(configuration)).await?;
    eventually("containerd answers", START, async || {
        machine.run("ctr", program(machine, "ctr").arg("version")).await
    })
    .await
    .with_context(|| machine.end_of_log("containerd"))?;
    for image in std::fs::read_dir(machine.software().join("images"))? {
        import(machine, &image?.path()).await?;
    }
    Ok(process)
}

/// Puts the image in an archive among those that pods may use.
pub(super) async fn import(machine: &Machine, archive: &Path) -> Result<()> {
    let mut command = program(machine, "ctr");
    command.args(["--namespace", "k8s.io", "images", "import"]).arg(archive);
    machine.run("ctr", &mut command).await
}

fn program(machine: &Machine, name: &str) -> Command {
    Command::new(machine.software().join("bin").join(name))
}

/// Version 2 is what containerd 1.6 and newer read. Without `CAP_SYS_RESOURCE`, which containers
/// seldom have, nobody may lower an `oom_score_adj`.
fn configuration(machine: &Machine, networks: &Path) -> String {
    let plugins = machine.software().join("cni");
    format!(
        r#"version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{networks}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
"#,
        plugins = plugins.display(),
        networks = networks.display(),
    )
}

/// A bridge for the pods. The machine knows no way to anywhere but to us.
fn network(machine: &Machine) -> serde_json::Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "pods",
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": machine.slot().pods()}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    })
}
