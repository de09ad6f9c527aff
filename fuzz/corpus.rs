//! The fuzz targets on the stable toolchain and without an engine: every input of the corpus, and a
//! short run over mutations of them.

#[path = "src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{FileFailurePersistence, TestRunner};

/// How many mutations of each corpus are tried: some seconds in a debug build.
const MUTATIONS: u32 = 30_000;

/// What of an input is replaced, and by what of another one.
type Splice = (Index, usize, Index, Index, usize);

#[test]
fn records() {
    run("record", targets::record);
}

#[test]
fn pod_specs() {
    run("references", targets::pod_spec);
}

fn run(name: &str, target: fn(&[u8])) {
    let corpus = corpus(name);
    for input in &corpus {
        target(input);
    }
    let config = ProptestConfig {
        cases: MUTATIONS,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    };
    let splice = (any::<Index>(), 0..40usize, any::<Index>(), any::<Index>(), 0..40usize);
    let mutations = (select(corpus.clone()), vec(splice, 1..4));
    let mutated = mutations.prop_map(|(input, splices)| {
        splices.iter().fold(input, |input, splice| spliced(input, &corpus, splice))
    });
    let tried = TestRunner::new(config).run(&mutated, |input| {
        target(&input);
        Ok(())
    });
    assert!(tried.is_ok(), "{tried:?}");
}

fn spliced(mut input: Vec<u8>, corpus: &[Vec<u8>], (at, cut, donor, from, length): &Splice) -> Vec<u8> {
    let at = at.index(input.len() + 1);
    let donor = donor.get(corpus);
    let from = from.index(donor.len() + 1);
    let part = donor[from..donor.len().min(from + length)].to_vec();
    let end = input.len().min(at + cut);
    input.splice(at..end, part);
    input
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "the corpus {name} is empty");
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}
