//! The pictures of the documentation, drawn from what really runs: `pictures write` puts them into
//! `docs/pictures`, `pictures check` fails when those there tell something else.

mod dashboard;
mod scene;
mod screen;
mod stale;
mod svg;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use reload_tests::{Cluster, ClusterOptions};

/// A file of the documentation.
struct Picture {
    /// Its name, without `.svg`.
    name: &'static str,
    svg: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let result = match command.as_str() {
        "write" => write().await,
        "check" => check().await,
        _ => Err(anyhow::anyhow!("{command:?} is no command: write pictures write or pictures check")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures").join(name).with_extension("svg")
}

/// None where there is no terminal.
async fn draw() -> Result<Option<Vec<Picture>>> {
    let options = ClusterOptions { name: "pictures".to_owned(), ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await?;
    let drawn = scene::play(&cluster).await?;
    cluster.stop().await?;
    Ok(drawn)
}

async fn write() -> Result<()> {
    for Picture { name, svg } in draw().await?.context("without a terminal there are no pictures")? {
        let file = file(name);
        // One that differs only by what differs each time stays as it is.
        let there = std::fs::read_to_string(&file).unwrap_or_default();
        if stale::difference(&there, &svg).is_some() {
            std::fs::write(&file, svg).with_context(|| format!("cannot write {}", file.display()))?;
            println!("docs/pictures/{name}.svg");
        }
    }
    Ok(())
}

async fn check() -> Result<()> {
    let Some(drawn) = draw().await? else { return Ok(()) };
    for Picture { name, svg } in &drawn {
        let there = std::fs::read_to_string(file(name)).unwrap_or_default();
        if let Some(difference) = stale::difference(&there, svg) {
            bail!("docs/pictures/{name}.svg is old: run `make pictures`\n{difference}");
        }
    }
    let folder = file("any");
    let folder = folder.parent().context("no folder")?;
    let count = std::fs::read_dir(folder)?.count();
    ensure!(count == drawn.len(), "{count} files in {}, and {} pictures", folder.display(), drawn.len());
    Ok(())
}
