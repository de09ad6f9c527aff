//! Says whether a real node can run here: `cfg(real_node)`. Tests that need one are ignored, and
//! counted so, where it cannot.

use std::fs;

/// To make namespaces and mounts; to make interfaces.
const CAPABILITIES: [(&str, u32); 2] = [("CAP_SYS_ADMIN", 21), ("CAP_NET_ADMIN", 12)];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(real_node)");
    // Another user builds with another home.
    println!("cargo::rerun-if-env-changed=HOME");
    println!("cargo::rerun-if-changed=build.rs");
    if root() && capable() && on_path("apt-get") && on_path("nsenter") {
        println!("cargo::rustc-cfg=real_node");
    }
}

/// Linux only: elsewhere there is no such file.
fn status(field: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().to_owned())
}

fn root() -> bool {
    let users = status("Uid:").unwrap_or_default();
    users.split_whitespace().nth(1) == Some("0")
}

fn capable() -> bool {
    let effective = status("CapEff:").unwrap_or_default();
    let effective = u64::from_str_radix(&effective, 16).unwrap_or(0);
    CAPABILITIES.iter().all(|(_, bit)| effective >> bit & 1 == 1)
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
