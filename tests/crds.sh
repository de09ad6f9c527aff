#!/usr/bin/env bash
# The CustomResourceDefinitions of what the chart makes for others, cert-manager and the Prometheus
# Operator: from their Go modules, which nothing of is built, into a cache outside the checkout.
#
# stdout: the folder that holds them. stderr: progress.
set -euo pipefail

# Module and version, the checksum of its archive as in a go.sum, and the files.
modules=(
  "github.com/cert-manager/cert-manager@v1.21.2
   h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=
   deploy/crds/cert-manager.io_certificates.yaml deploy/crds/cert-manager.io_issuers.yaml"
  "github.com/prometheus-operator/prometheus-operator@v0.85.0
   h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=
   example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml
   example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml
   example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"
)
key=$(cksum <<<"${modules[*]}" | tr ' ' '-')
cache=${KUBECTL_RELOAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-reload}/crds
fail() { echo "crds: $*" >&2; exit 1; }

if [[ ! -d $cache/$key ]]; then
  command -v go >/dev/null || fail "Go is needed to fetch them: install it (https://go.dev/dl)"
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/.new.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  for entry in "${modules[@]}"; do
    read -r module sum files <<<"$(tr '\n' ' ' <<<"$entry")"
    echo "crds: fetching $module" >&2
    described=$(cd / && go mod download -json "$module") || fail "go mod download of $module failed: $described"
    field() { sed -nE "s/^\t\"$1\": \"(.*)\",?$/\1/p" <<<"$described"; }
    [[ $(field Sum) = "$sum" ]] || fail "$module has the checksum $(field Sum), not $sum"
    for file in $files; do install -m 644 "$(field Dir)/$file" "$work"; done
  done
  # Put in place whole; somebody may have been faster.
  [[ -d $cache/$key ]] || mv "$work" "$cache/$key"
fi
echo "$cache/$key"
