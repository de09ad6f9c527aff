//! What the workspace depends on keeps to the rules of `deny.toml`, and core stays pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use spdx::{Expression, ParseMode};

/// `deny.toml`, as far as this suite checks it.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

/// One version of a crate that may be there beside another.
#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    name_at_version: String,
    reason: String,
}

impl Skip {
    fn covers(&self, package: &Package) -> bool {
        let (name, version) = self.name_at_version.split_once('@').unwrap_or((&self.name_at_version, ""));
        let prefix = format!("{version}.");
        package.name == name && (version.is_empty() || package.version.starts_with(&prefix))
    }
}

/// `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for the workspace's own.
    source: Option<String>,
}

#[test]
fn every_licence_is_allowed() -> Result<()> {
    let allowed = rules()?.licenses.allow;
    let mut bad = Vec::new();
    for package in packages()? {
        let license = package.license.unwrap_or_default();
        let expression = Expression::parse_mode(&license, ParseMode::LAX);
        let fine = expression
            .is_ok_and(|expression| expression.evaluate(|wanted| allowed.contains(&wanted.to_string())));
        if !fine {
            let Package { name, version, .. } = package;
            bad.push(format!("{name} {version} has the licence {license:?}"));
        }
    }
    none(&bad, "replace it, or allow the licence in deny.toml")
}

#[test]
fn no_crate_is_there_in_two_versions() -> Result<()> {
    let skips = rules()?.bans.skip;
    let mut versions = BTreeMap::<_, Vec<_>>::new();
    for package in packages()? {
        if !skips.iter().any(|skip| skip.covers(&package)) {
            let name = package.name.clone();
            versions.entry(name).or_default().push(package.version);
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    let bad: Vec<_> =
        versions.iter().map(|(name, versions)| format!("{name} {}", versions.join(" and "))).collect();
    none(&bad, "see `cargo tree -d`; skip one in deny.toml with a reason")
}

#[test]
fn every_exception_has_a_reason_and_a_use() -> Result<()> {
    let packages = packages()?;
    let mut bad = Vec::new();
    for skip in rules()?.bans.skip {
        if skip.reason.is_empty() {
            bad.push(format!("{} has no reason", skip.name_at_version));
        }
        if !packages.iter().any(|package| skip.covers(package)) {
            bad.push(format!("{} is not there any more", skip.name_at_version));
        }
    }
    none(&bad, "mend `skip` in deny.toml")
}

#[test]
fn every_crate_comes_from_one_registry() -> Result<()> {
    let mut sources = BTreeMap::new();
    for package in packages()? {
        if let Some(source) = package.source {
            sources.insert(source, package.name);
        }
    }
    let one = sources.len() == 1;
    let bad: Vec<_> = sources
        .iter()
        .filter(|(source, _)| !one || !source.starts_with("registry+"))
        .map(|(source, name)| format!("{name} comes from {source}"))
        .collect();
    none(&bad, "take it from the registry")
}

/// Core decides on plain values: no I/O, no async, no client.
#[test]
fn core_is_pure() -> Result<()> {
    let text = cargo(&["tree", "-p", "reload-core", "-e", "normal", "--prefix", "none"])?;
    let impure = [
        "async-std",
        "axum",
        "futures",
        "h2",
        "http",
        "hyper",
        "kube",
        "kube-client",
        "kube-core",
        "mio",
        "reqwest",
        "rustls",
        "smol",
        "tokio",
        "tower",
    ];
    let bad: Vec<_> = text
        .lines()
        .filter(|line| impure.contains(&line.split(' ').next().unwrap_or_default()))
        .map(|line| format!("reload-core depends on {line}"))
        .collect();
    none(&bad, "see `cargo tree -p reload-core -i NAME`")
}

fn none(bad: &[String], remedy: &str) -> Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    bail!("{}\n{remedy}", bad.join("\n"));
}

fn rules() -> Result<Rules> {
    let file = root().join("deny.toml");
    let text = std::fs::read_to_string(&file)?;
    toml::from_str(&text).with_context(|| format!("cannot read {}", file.display()))
}

/// All that is built for this machine.
fn packages() -> Result<Vec<Package>> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let text = cargo(&["metadata", "--format-version", "1", "--filter-platform", host])?;
    let Metadata { packages, resolve } = parse(&text)?;
    let built: BTreeSet<_> = resolve.nodes.into_iter().map(|node| node.id).collect();
    Ok(packages.into_iter().filter(|package| built.contains(&package.id)).collect())
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).context("cargo metadata says something else")
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    output(Command::new(cargo).args(arguments).arg("--locked"))
}

fn output(command: &mut Command) -> Result<String> {
    let run = command.current_dir(root()).output()?;
    if !run.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(String::from_utf8(run.stdout)?)
}

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}
