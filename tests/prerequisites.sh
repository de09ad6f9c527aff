#!/usr/bin/env bash
# Names what is missing to build and test, with what to do. Go is asked for only where the control
# plane has to be built, by control-plane/build.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=
missing() { echo "missing: $*" >&2; failed=yes; }

wanted=$(sed -nE 's/^rust-version = "1\.([0-9]+)"/\1/p' Cargo.toml)
if ! command -v cargo >/dev/null; then
  missing "cargo: install Rust 1.$wanted or newer (https://rustup.rs)"
else
  have=$(cargo --version | sed -E 's/^cargo 1\.([0-9]+).*/\1/')
  ((have >= wanted)) || missing "Rust 1.$wanted or newer, this is 1.$have: rustup update stable"
fi
command -v cc >/dev/null ||
  missing "a C compiler: apt-get install build-essential, or xcode-select --install"
[[ -z $failed ]]
