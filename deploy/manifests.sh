#!/usr/bin/env bash
# Writes deploy/install.yaml: what the chart gives by default, for `kubectl apply -f`.
#
#   manifests.sh -    writes it to stdout
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

output=install.yaml
[[ ${1:-} = - ]] && output=/dev/stdout
helm=$(../tests/control-plane/build.sh helm)/helm
rendered=$("$helm" template kubectl-reload chart --namespace kubectl-reload --set createNamespace=true)
{
  echo "# Made from the chart by \`make manifests\`: change that."
  # No Helm will ever look after these objects.
  sed -E '/^    (app\.kubernetes\.io\/managed-by|helm\.sh\/chart): /d; /^# Source: /d' <<<"$rendered"
} >"$output"
