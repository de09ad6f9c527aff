#!/usr/bin/env bash
# What CHANGELOG.md says of a version: the notes of its release.
#
#   notes.sh 1.2.3
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=${1:?a version, as 1.2.3}
notes=$(awk -v version="$version" '/^## / { found = $2 == version; next } found' CHANGELOG.md)
[[ -n $notes ]] || { echo "CHANGELOG.md says nothing of $version" >&2; exit 1; }
echo "$notes"
