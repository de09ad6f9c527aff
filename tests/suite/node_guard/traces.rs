//! What a node may leave on its host.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use reload_tests::node::tool;

/// How the names of links to machines begin.
const LINK: &str = "reload-node-";

/// What a running node has, found by the folder in which it lies.
#[derive(Debug)]
pub(crate) struct Traces {
    folder: PathBuf,
    /// Of its link to the host and of its cgroups.
    name: String,
    /// The network namespaces of the machine and of its pods.
    networks: BTreeSet<PathBuf>,
}

/// What a node must not change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    rules: String,
    /// But for those to machines, which come and go with nodes of other suites.
    links: BTreeSet<String>,
    mounts: String,
    settings: Vec<(&'static str, Option<String>)>,
}

impl Traces {
    /// Fails unless a machine runs there.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let guardian = processes()
            .map(|process| words(&process))
            .find(|words| {
                words.get(1).is_some_and(|script| script.ends_with("machine.sh"))
                    && words.get(2).is_some_and(|word| Path::new(word) == folder)
            })
            .context("no machine runs")?;
        let name = guardian.get(3).context("the machine has no name")?.clone();
        let networks = processes()
            .filter(|process| in_cgroup(process, &name) || names(process, folder))
            .filter_map(|process| fs::read_link(process.join("ns/net")).ok());
        let ours = fs::read_link("/proc/self/ns/net")?;
        let networks = networks.filter(|network| *network != ours).collect();
        Ok(Self { folder: folder.to_owned(), name, networks })
    }

    /// How many network namespaces it has: the machine's, and one for each pod.
    pub(crate) fn networks(&self) -> usize {
        self.networks.len()
    }

    /// Fails with what is left of it.
    pub(crate) fn gone(&self) -> Result<()> {
        let Self { folder, name, networks } = self;
        let left: Vec<_> = processes()
            .filter(|process| {
                let network = fs::read_link(process.join("ns/net"));
                in_cgroup(process, name)
                    || names(process, folder)
                    || network.is_ok_and(|network| networks.contains(&network))
            })
            .map(|process| words(&process))
            .collect();
        ensure!(left.is_empty(), "processes: {left:#?}");
        ensure!(!folder.exists(), "{} is left", folder.display());
        let link = Path::new("/sys/class/net").join(name);
        ensure!(!link.exists(), "{} is left", link.display());
        for group in cgroups(name)? {
            ensure!(!group.exists(), "{} is left", group.display());
        }
        Ok(())
    }
}

impl Host {
    /// As it is now.
    pub(crate) fn now() -> Result<Self> {
        let rules = tool("nft")?.args(["list", "ruleset"]).output()?;
        let settings = [
            "net/ipv4/ip_forward",
            "net/ipv4/conf/all/route_localnet",
            "vm/overcommit_memory",
            "vm/panic_on_oom",
            "kernel/panic",
            "kernel/panic_on_oops",
            "kernel/keys/root_maxkeys",
            "kernel/keys/root_maxbytes",
        ];
        let setting = |name| (name, fs::read_to_string(Path::new("/proc/sys").join(name)).ok());
        let links = fs::read_dir("/sys/class/net")?.flatten();
        let links = links.map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(Self {
            rules: String::from_utf8_lossy(&rules.stdout).into_owned(),
            links: links.filter(|link| !link.starts_with(LINK)).collect(),
            mounts: fs::read_to_string("/proc/self/mounts")?,
            settings: settings.map(setting).to_vec(),
        })
    }
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    entries.filter(move |entry| entry.file_name().to_str().is_some_and(number)).map(|entry| entry.path())
}

/// Its command line; empty when it has ended meanwhile.
fn words(process: &Path) -> Vec<String> {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).split_terminator('\0').map(str::to_owned).collect()
}

fn names(process: &Path, folder: &Path) -> bool {
    let folder = folder.to_string_lossy();
    words(process).iter().any(|word| word.contains(&*folder))
}

fn in_cgroup(process: &Path, name: &str) -> bool {
    let groups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
    groups.lines().any(|line| line.split('/').any(|part| part == name))
}

/// Where groups of this name would lie: in each tree of v1, or in the one of v2.
fn cgroups(name: &str) -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let trees = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (folder, kind) = (fields.next()?, fields.next()?);
        kind.starts_with("cgroup").then(|| Path::new(folder).join(name))
    });
    Ok(trees.collect())
}
