//! What runs in a machine, by the kernel's word.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// What the machine's first process waits for: it ends with us.
const PIPE: &[u8] = b"cat\0";

#[derive(Debug)]
struct Process {
    parent: u32,
    namespace: PathBuf,
    line: Vec<u8>,
}

/// The process ids, as we see them, of all that runs in the namespace for processes that the children
/// of `outside` are in, and in those below it; but for its first process and what that waits for.
pub(super) fn inside(outside: u32) -> Result<Vec<u32>> {
    let link = |path: String| std::fs::read_link(&path).with_context(|| format!("cannot read {path}"));
    let machine = link(format!("/proc/{outside}/ns/pid_for_children"))?;
    // Our own processes are everybody's.
    ensure!(machine != link("/proc/self/ns/pid".to_owned())?, "the machine has no namespace for processes");
    let all = all()?;
    let is_kept = |process: &Process| process.parent == outside || process.line == PIPE;
    let is_inside = |process: &Process| {
        // A container has a namespace of its own: its ancestors tell where that lies.
        let parents = |process: &&Process| all.get(&process.parent);
        let mut line = std::iter::successors(Some(process), parents).take(all.len());
        line.any(|ancestor| ancestor.namespace == machine)
    };
    // A dead process that nobody has waited for has no command line.
    let inside = all.iter().filter(|(_, process)| {
        !process.line.is_empty() && is_inside(process) && !(process.namespace == machine && is_kept(process))
    });
    Ok(inside.map(|(&id, _)| id).collect())
}

/// All processes that we can see. One that ends meanwhile is left out.
fn all() -> Result<BTreeMap<u32, Process>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let found = process(id);
        all.extend(found.map(|process| (id, process)));
    }
    Ok(all)
}

fn process(id: u32) -> Option<Process> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Some(Process {
        parent: parent.trim().parse().ok()?,
        namespace: std::fs::read_link(format!("/proc/{id}/ns/pid")).ok()?,
        line: std::fs::read(format!("/proc/{id}/cmdline")).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "/proc is Linux's")]
    fn our_own_namespace_is_no_machine() {
        let error = inside(std::process::id()).unwrap_err().to_string();
        assert!(error.contains("no namespace"), "{error}");
    }
}
