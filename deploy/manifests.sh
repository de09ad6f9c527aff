#!/usr/bin/env bash
# Writes what is made from the chart: install.yaml, which is what it gives by default, for `kubectl
# apply -f`; and its README, from the comments in its values.
#
#   manifests.sh                 both
#   manifests.sh install.yaml    this one, to stdout
#   manifests.sh README.md       that one, to stdout
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# What runs in $(...) goes on after an error, whatever is set here: each step says that it does not.
tool() {
  local folder
  folder=$(../tests/control-plane/build.sh "$1") || return
  echo "$folder/$1"
}

install() {
  local helm rendered
  helm=$(tool helm) || return
  rendered=$("$helm" template kubectl-reload chart --namespace kubectl-reload --no-hooks --set createNamespace=true) ||
    return
  echo "# Made from the chart by \`make manifests\`: change that."
  # No Helm will ever look after these objects.
  sed -E '/^    (app\.kubernetes\.io\/managed-by|helm\.sh\/chart): /d; /^# Source: /d' <<<"$rendered"
}

readme() {
  local helm_docs
  helm_docs=$(tool helm-docs) || return
  "$helm_docs" --chart-search-root=chart --template-files=README.md.gotmpl --sort-values-order=file \
    --document-dependency-values=false --log-level=error --dry-run
}

case ${1:-} in
  install.yaml) install ;;
  README.md) readme ;;
  *)
    made=$(install)
    echo "$made" >install.yaml
    made=$(readme)
    echo "$made" >chart/README.md
    ;;
esac
