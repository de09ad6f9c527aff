#![no_main]

#[path = "../src/review.rs"]
mod review;

libfuzzer_sys::fuzz_target!(|input: &[u8]| review::check(input));
