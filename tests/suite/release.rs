//! What a release is made by: its scripts, and that all that names a version or defines the image agrees.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use reload_tests::binaries::checker;
use serde_json::Value;

/// All that krew and the installer offer.
const PLATFORMS: [(&str, &str, &str); 6] = [
    ("linux", "amd64", "tar.gz"),
    ("linux", "arm64", "tar.gz"),
    ("darwin", "amd64", "tar.gz"),
    ("darwin", "arm64", "tar.gz"),
    ("windows", "amd64", "zip"),
    ("windows", "arm64", "zip"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn script(name: &str) -> Command {
    Command::new(root().join("deploy").join(name))
}

fn text(output: Output) -> Result<String> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn file(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

#[test]
fn all_that_names_the_version_names_the_same() -> Result<()> {
    assert_eq!(text(script("version.sh").output()?)?.trim(), env!("CARGO_PKG_VERSION"));
    let other = script("version.sh").arg("99.0.0").output()?;
    assert!(!other.status.success());
    assert!(String::from_utf8_lossy(&other.stderr).contains("CHANGELOG.md has version"));
    Ok(())
}

#[test]
fn a_release_has_the_notes_of_its_version() -> Result<()> {
    let notes = text(script("notes.sh").arg(env!("CARGO_PKG_VERSION")).output()?)?;
    assert!(notes.contains("webhook") && !notes.contains("\n## "), "{notes}");
    assert!(!script("notes.sh").arg("99.0.0").output()?.status.success());
    Ok(())
}

#[test]
fn the_manifest_of_krew_has_each_platform_with_its_checksum() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sums = folder.path().join("checksums.txt");
    let line = |(i, (os, architecture, kind)): (usize, &(&str, &str, &str))| {
        format!("{i:064x}  kubectl-reload-{os}-{architecture}.{kind}\n")
    };
    let lines: Vec<String> = PLATFORMS.iter().enumerate().map(line).collect();
    std::fs::write(&sums, lines.concat())?;
    let manifest = text(script("krew.sh").arg("v1.2.3").arg(&sums).output()?)?;
    let manifest: Value = serde_saphyr::from_str(&manifest)?;
    assert_eq!(manifest["metadata"]["name"], "reload");
    assert_eq!(manifest["spec"]["version"], "v1.2.3");
    // https://krew.sigs.k8s.io/docs/developer-guide/develop/best-practices
    let short = manifest["spec"]["shortDescription"].as_str().unwrap_or_default();
    assert!((1..=50).contains(&short.len()), "{short}");
    let platforms = manifest["spec"]["platforms"].as_array().context("no platforms")?;
    assert_eq!(platforms.len(), PLATFORMS.len());
    for (i, (os, architecture, kind)) in PLATFORMS.iter().enumerate() {
        let platform = &platforms[i];
        assert_eq!(platform["selector"]["matchLabels"]["os"], *os);
        assert_eq!(platform["selector"]["matchLabels"]["arch"], *architecture);
        assert_eq!(platform["sha256"], format!("{i:064x}"));
        let uri = platform["uri"].as_str().unwrap_or_default();
        assert!(uri.ends_with(&format!("/v1.2.3/kubectl-reload-{os}-{architecture}.{kind}")), "{uri}");
    }

    std::fs::write(&sums, lines[1..].concat())?;
    let lacking = script("krew.sh").arg("v1.2.3").arg(&sums).output()?;
    assert!(!lacking.status.success());
    assert!(String::from_utf8_lossy(&lacking.stderr).contains("kubectl-reload-linux-amd64.tar.gz"));
    Ok(())
}

/// A release in a folder, of a plugin that is a script.
struct Release(tempfile::TempDir);

impl Release {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let download = folder.path().join("download/v1.2.3");
        std::fs::create_dir_all(&download)?;
        let plugin = folder.path().join("kubectl-reload");
        std::fs::write(&plugin, "#!/bin/sh\necho released\n")?;
        let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let archive = format!("kubectl-reload-{os}-{architecture}.tar.gz");
        let pack = ["-czf", &archive, "-C", folder.path().to_str().context("not UTF-8")?, "kubectl-reload"];
        text(Command::new("tar").args(pack).current_dir(&download).output()?)?;
        let sums = text(Command::new("sha256sum").arg(&archive).current_dir(&download).output()?)?;
        std::fs::write(download.join("checksums.txt"), sums)?;
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("download/v1.2.3").join(name)
    }

    fn install(&self) -> Result<Output> {
        let releases = format!("file://{}", self.0.path().display());
        let bin = self.0.path().join("bin");
        let mut command = Command::new("sh");
        command.arg(root().join("deploy/get.sh")).env("RELEASES", releases);
        Ok(command.env("VERSION", "v1.2.3").env("BIN", bin).output()?)
    }
}

#[test]
#[cfg_attr(not(unix), ignore = "the installer is a shell script")]
fn the_installer_puts_the_released_plugin_in_place_and_nothing_else() -> Result<()> {
    let release = Release::new()?;
    let installed = release.0.path().join("bin/kubectl-reload");
    text(release.install()?)?;
    assert_eq!(text(Command::new(&installed).output()?)?, "released\n");

    std::fs::remove_file(&installed)?;
    let sums = std::fs::read_to_string(release.file("checksums.txt"))?;
    std::fs::write(release.file("checksums.txt"), "0".repeat(64) + &sums[64..])?;
    let output = release.install()?;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not what was released"));
    assert!(!installed.exists());

    std::fs::write(release.file("checksums.txt"), "")?;
    let output = release.install()?;
    assert!(!output.status.success() && !installed.exists());
    Ok(())
}

#[test]
fn the_released_image_is_the_one_that_the_chart_asks_for() -> Result<()> {
    // version.sh holds this version and the chart's appVersion, its default tag, together.
    let tag = "/kubectl-reload-webhook:${{ needs.version.outputs.version }}";
    assert!(file(".github/workflows/release.yml")?.contains(tag));
    let version = env!("CARGO_PKG_VERSION");
    for path in ["deploy/install.yaml", "docs/recipes.md"] {
        let image = format!("image: ghcr.io/kubectl-reload/kubectl-reload-webhook:{version}");
        assert!(file(path)?.replace('"', "").contains(&image), "{path} names another image");
    }
    Ok(())
}

#[tokio::test]
async fn the_workflows_are_ones() -> Result<()> {
    let mut command = Command::new(checker("actionlint").await?);
    let workflows = std::fs::read_dir(root().join(".github/workflows"))?;
    let paths = workflows.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    assert!(!paths.is_empty());
    // Only what it knows by itself: other linters may be on the PATH or not.
    let output = command.args(["-shellcheck=", "-pyflakes="]).args(paths).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// A tag can be moved to another commit, a digest cannot.
#[test]
fn the_workflows_name_each_action_by_its_digest_and_its_version() -> Result<()> {
    let mut count = 0;
    for workflow in ["release", "test"] {
        let text = file(&format!(".github/workflows/{workflow}.yml"))?;
        for action in text.lines().filter_map(|line| line.split("uses: ").nth(1)) {
            let (_, digest) = action.split_once('@').with_context(|| action.to_owned())?;
            let (digest, version) = digest.split_once(" # v").with_context(|| action.to_owned())?;
            let is_digest = digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            ensure!(is_digest && version.split('.').count() == 3, "{workflow}.yml: {action}");
            count += 1;
        }
    }
    ensure!(count > 15, "{count} actions");
    Ok(())
}

/// Of a command within another one's words nobody hears that it failed.
#[test]
fn no_step_of_a_workflow_hides_that_a_command_failed() -> Result<()> {
    for workflow in ["release", "test"] {
        for line in file(&format!(".github/workflows/{workflow}.yml"))?.lines() {
            let hides = line.contains("<(") || line.contains("echo") && line.contains("$(");
            ensure!(!hides, "{workflow}.yml: {line}");
        }
    }
    Ok(())
}

#[test]
#[cfg_attr(not(unix), ignore = "it is a shell script")]
fn where_helm_fails_the_manifests_stay_as_they_are() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path("deploy/chart"))?;
    std::fs::create_dir_all(path("tests"))?;
    std::fs::copy(root().join("deploy/manifests.sh"), path("deploy/manifests.sh"))?;
    text(Command::new("cp").arg("-R").args([root().join("tests/control-plane"), path("tests")]).output()?)?;
    for made in ["deploy/install.yaml", "deploy/chart/README.md"] {
        std::fs::write(path(made), "as it was\n")?;
    }
    std::fs::create_dir(path("assets"))?;
    for tool in ["helm", "helm-docs"] {
        let tool = path("assets").join(tool);
        std::fs::write(&tool, "#!/bin/sh\necho half\nexit 1\n")?;
        text(Command::new("chmod").arg("+x").arg(&tool).output()?)?;
    }
    for arguments in [&[] as &[&str], &["install.yaml"], &["README.md"]] {
        let mut command = Command::new(path("deploy/manifests.sh"));
        command.args(arguments).env("KUBEBUILDER_ASSETS", path("assets"));
        let output = command.env("KUBECTL_RELOAD_CACHE", path("cache")).output()?;
        assert!(!output.status.success(), "{arguments:?}");
    }
    for made in ["deploy/install.yaml", "deploy/chart/README.md"] {
        assert_eq!(std::fs::read_to_string(path(made))?, "as it was\n", "{made}");
    }
    Ok(())
}

#[test]
fn the_dockerfile_and_the_build_without_an_engine_define_one_image() -> Result<()> {
    let (dockerfile, script) = (file("deploy/Dockerfile")?, file("deploy/image.sh")?);
    let packages = |text: &str| -> BTreeSet<String> {
        ["kubectl-reload-webhook", "kubectl-reload"]
            .into_iter()
            .filter(|package| {
                text.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| word == *package)
            })
            .map(str::to_owned)
            .collect()
    };
    let build = dockerfile.split("FROM scratch").next().context("no build stage")?;
    assert_eq!(packages(build), packages(&script));
    assert_eq!(packages(build).len(), 2, "one of the binaries is not in the image");
    // One C library, linked in the same way.
    let flags = |text: &str| text.split("RUSTFLAGS=\"").nth(1)?.split('"').next().map(str::to_owned);
    assert_eq!(flags(build).context("no flags")?, flags(&script).context("no flags")?);
    assert!(build.contains("\nFROM rust:${RUST}-slim-bookworm AS build\n"), "another C library");
    let user = script.lines().find_map(|line| line.strip_prefix("user=")).context("no user")?;
    assert!(dockerfile.contains(&format!("\nUSER {user}\n")), "the user is not {user}");
    assert!(dockerfile.ends_with("ENTRYPOINT [\"/kubectl-reload-webhook\"]\n"));
    let entry = script.lines().find_map(|line| line.strip_prefix("binary=")).context("no entry point")?;
    assert_eq!(entry, "kubectl-reload-webhook");
    let labels = |text: &str| -> BTreeSet<String> {
        let named = text.split("org.opencontainers.image.").skip(1);
        let name = |rest: &str| rest.split(['"', '=']).next().unwrap_or_default().to_owned();
        // Of the archive, and not of the image.
        named.map(name).filter(|name| name != "ref.name").collect()
    };
    assert_eq!(labels(&dockerfile), labels(&script));
    assert_eq!(labels(&dockerfile).len(), 3);
    // What is copied from the build stage is all: scratch has nothing of its own.
    assert_eq!(dockerfile.matches("\nCOPY --from=build").count(), 1);
    Ok(())
}
