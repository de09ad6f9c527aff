//! Every input of a corpus, and a short run over mutations of them.

use std::fs;
use std::io;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{FileFailurePersistence, TestRunner};

/// How many mutations of each corpus are tried: some seconds in a debug build.
const MUTATIONS: u32 = 30_000;

/// What of an input is replaced, and by what of another one.
type Splice = (Index, usize, Index, Index, usize);

/// Calls `target` with all of them.
pub(crate) fn run(corpus: &[Vec<u8>], target: fn(&[u8])) {
    assert!(!corpus.is_empty());
    for input in corpus {
        target(input);
    }
    let config = ProptestConfig {
        cases: MUTATIONS,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    };
    let splice = (any::<Index>(), 0..40usize, any::<Index>(), any::<Index>(), 0..40usize);
    let mutations = (select(corpus.to_vec()), vec(splice, 1..4));
    let mutated = mutations.prop_map(|(input, splices)| {
        splices.iter().fold(input, |input, splice| spliced(input, corpus, splice))
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

/// The inputs in a folder.
pub(crate) fn corpus(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let files: io::Result<Vec<_>> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut files = files?;
    // So that a failure comes again.
    files.sort();
    files.iter().map(fs::read).collect()
}
