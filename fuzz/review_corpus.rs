//! The fuzz target of the webhook on the stable toolchain and without an engine: every input of its
//! corpus.

#[cfg(test)]
#[path = "src/review.rs"]
mod review;

use std::fs;
use std::path::Path;

#[test]
fn reviews() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/review");
    let mut inputs = 0;
    for file in fs::read_dir(folder).unwrap() {
        review::check(&fs::read(file.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs > 10);
}
