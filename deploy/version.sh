#!/usr/bin/env bash
# Whether everything that names the version names this one: Cargo.toml, the chart, the changelog.
#
#   version.sh          the version
#   version.sh 1.2.3    exit 1 where something names another
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo=$(sed -nE 's/^version = "(.+)"/\1/p' Cargo.toml | head -n 1)
wanted=${1:-$cargo}
failed=
same() {
  [[ $2 = "$wanted" ]] || { echo "$1 has version ${2:-none}, and not $wanted" >&2; failed=yes; }
}
same Cargo.toml "$cargo"
same "deploy/chart/Chart.yaml (version)" "$(sed -nE 's/^version: (.+)/\1/p' deploy/chart/Chart.yaml)"
same "deploy/chart/Chart.yaml (appVersion)" "$(sed -nE 's/^appVersion: (.+)/\1/p' deploy/chart/Chart.yaml)"
same CHANGELOG.md "$(sed -nE 's/^## ([0-9][^ ]*).*/\1/p' CHANGELOG.md | head -n 1)"
[[ -z $failed ]]
echo "$wanted"
