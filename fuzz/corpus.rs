//! The fuzz targets on the stable toolchain and without an engine: every input of the corpus, and a
//! short run over mutations of them.

#[path = "src/mutate.rs"]
mod mutate;
#[path = "src/pod_spec.rs"]
mod pod_spec;
#[path = "src/record.rs"]
mod record;

use std::path::{Path, PathBuf};

use mutate::{corpus, run};

#[test]
fn records() {
    run(&corpus(&folder("record")).unwrap(), record::check);
}

#[test]
fn pod_specs() {
    run(&corpus(&folder("references")).unwrap(), pod_spec::check);
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}
