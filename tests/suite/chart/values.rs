//! The files of values in the chart's folder `ci`: together they set each value.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use reload_tests::helm::chart;
use serde_json::Value;

/// The files, and the values as they are by default.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(chart().join("ci"))?.collect();
    let mut files: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    files.sort();
    ensure!(files.len() > 2, "{files:?}");
    Ok([vec![chart().join("values.yaml")], files].concat())
}

/// `--values=FILE`.
pub(crate) fn argument(file: &Path) -> String {
    format!("--values={}", file.display())
}

/// `webhook.deadline`, for each value that is no map, or an empty one.
fn leaves(values: &Value, path: &str, found: &mut BTreeSet<String>) {
    match values.as_object().filter(|map| !map.is_empty()) {
        None => {
            found.insert(path.trim_start_matches('.').to_owned());
        }
        Some(map) => map.iter().for_each(|(key, value)| leaves(value, &format!("{path}.{key}"), found)),
    }
}

#[test]
fn each_value_is_set_by_one_of_the_files() -> Result<()> {
    let read =
        |file: &PathBuf| -> Result<Value> { Ok(serde_saphyr::from_str(&std::fs::read_to_string(file)?)?) };
    let [defaults, others @ ..] = &files()?[..] else { anyhow::bail!("no files") };
    let (mut all, mut set) = (BTreeSet::new(), BTreeSet::new());
    let defaults = read(defaults)?;
    leaves(&defaults, "", &mut all);
    for file in others {
        let values = read(file)?;
        let mut found = BTreeSet::new();
        leaves(&values, "", &mut found);
        for path in &found {
            let pointer = format!("/{}", path.replace('.', "/"));
            let (default, value) = (defaults.pointer(&pointer), values.pointer(&pointer));
            ensure!(default != value || value.is_none(), "{path} is by default as in {file:?}");
        }
        set.append(&mut found);
    }
    let covers = |path: &String| set.iter().any(|set| set == path || set.starts_with(&format!("{path}.")));
    // Both are of manifests without Helm, and have tests of their own; the pod's constraint has one value.
    let elsewhere =
        ["createNamespace", "podSecurityContext.runAsNonRoot", "podSecurityContext.seccompProfile.type"];
    let missing: Vec<_> =
        all.iter().filter(|path| !covers(path) && !elsewhere.contains(&path.as_str())).collect();
    ensure!(missing.is_empty(), "set by none of the files in deploy/chart/ci: {missing:?}");
    Ok(())
}
