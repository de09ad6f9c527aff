#!/usr/bin/env bash
# Packs the plugin's release build as krew and the installer want it: the binary and the licence.
#
#   archive.sh TARGET NAME     x86_64-unknown-linux-musl linux-amd64
#
# stdout: the archive, in dist/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${1:?a Rust target} name=${2:?a platform, as linux-amd64}
folder=${CARGO_TARGET_DIR:-target}/$target/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p dist
case $name in
  windows-*)
    archive=dist/kubectl-reload-$name.zip
    cp "$folder/kubectl-reload.exe" LICENSE "$work"
    rm -f "$archive"
    if command -v 7z >/dev/null; then 7z a -bso0 "$archive" "$work"/*; else zip -qj "$archive" "$work"/*; fi
    ;;
  *)
    archive=dist/kubectl-reload-$name.tar.gz
    cp "$folder/kubectl-reload" LICENSE "$work"
    tar -czf "$archive" -C "$work" LICENSE kubectl-reload
    ;;
esac
echo "$archive"
