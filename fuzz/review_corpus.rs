//! The fuzz target of the webhook on the stable toolchain and without an engine: every input of its
//! corpus, and a short run over mutations of them.

#[path = "src/mutate.rs"]
mod mutate;
#[cfg(test)]
#[path = "src/review.rs"]
mod review;

use std::path::Path;

use mutate::{corpus, run};

#[test]
fn reviews() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/review");
    run(&corpus(&folder).unwrap(), review::check);
}
