#![no_main]

#[path = "../src/pod_spec.rs"]
mod pod_spec;

libfuzzer_sys::fuzz_target!(|input: &[u8]| pod_spec::check(input));
