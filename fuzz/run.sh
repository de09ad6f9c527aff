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

# An input that takes seconds, or memory many times its size, is a fault too.
bounds=(-timeout=5 -rss_limit_mb=512)

for target in record references review; do
  binary=$CARGO_TARGET_DIR/$host/release/$target
  mkdir -p "found/$target"
  # What multiplies takes length: reviews with lists of things that are put together with others.
  length=4096
  [[ $target = review ]] && length=65536
  if [[ $runs = --merge ]]; then
    mkdir -p "merged/$target"
    "$binary" -set_cover_merge=1 -use_counters=0 -max_len=$length "${bounds[@]}" "merged/$target" "corpus/$target" "found/$target"
    rm -r "corpus/$target"
    mv "merged/$target" "corpus/$target"
    rmdir merged
  else
    "$binary" -runs="$runs" -max_len=$length "${bounds[@]}" -dict="$target.dict" -print_final_stats=1 \
      -artifact_prefix="found/$target-" "found/$target" "corpus/$target"
  fi
done
