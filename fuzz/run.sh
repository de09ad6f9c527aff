#!/usr/bin/env bash
# Fuzzes each target with that many inputs, from the corpus in this folder; what is new goes to
# fuzz/found, and an input that fails is written there and named. `run.sh --merge` keeps of both what
# reaches more code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

runs=${1:-1000000}
host=$(rustc -vV | sed -n 's/^host: //p')
# Coverage for libFuzzer, by flags that the stable compiler has. `--target` keeps them from build scripts.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../target}/fuzz
cargo build --release --locked --target "$host"

for target in record references review; do
  binary=$CARGO_TARGET_DIR/$host/release/$target
  mkdir -p "found/$target"
  if [[ $runs = --merge ]]; then
    mkdir -p "merged/$target"
    "$binary" -set_cover_merge=1 -use_counters=0 -max_len=4096 "merged/$target" "corpus/$target" "found/$target"
    rm -r "corpus/$target"
    mv "merged/$target" "corpus/$target"
    rmdir merged
  else
    "$binary" -runs="$runs" -max_len=4096 -dict="$target.dict" -print_final_stats=1 \
      -artifact_prefix="found/$target-" "found/$target" "corpus/$target"
  fi
done
