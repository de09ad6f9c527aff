#!/usr/bin/env bash
# Builds a local Kubernetes control plane from the Go module beside this script, into a cache
# outside the checkout, and prints the folder that holds the binaries. A second run builds nothing.
#
#   KUBEBUILDER_ASSETS     a folder with binaries to use instead of building them
#   KUBECTL_RELOAD_CACHE   where the cache lies (default: ${XDG_CACHE_HOME:-~/.cache}/kubectl-reload)
#
# stdout: the folder. stderr: progress. Exit 1 with the remedy when something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

tools=(kube-apiserver kube-controller-manager kube-scheduler kubectl etcd kwok kwokctl)
package_of() {
  case $1 in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    kwok | kwokctl) echo "sigs.k8s.io/kwok/cmd/$1" ;;
    *) echo "k8s.io/kubernetes/cmd/$1" ;;
  esac
}

say() { echo "control-plane: $*" >&2; }
fail() { say "$*"; exit 1; }

version=$(awk '$1 == "require" && $2 == "k8s.io/kubernetes" {print $3}' go.mod)
key=$(cat go.mod go.sum | cksum | tr ' ' '-')
cache=${KUBECTL_RELOAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-reload}/control-plane/$version-$key
bin=$cache/bin

minor() { sed -E 's/^[^0-9]*([0-9]+\.[0-9]+).*/\1/'; }

# The binaries of $KUBEBUILDER_ASSETS are linked into a folder of their own. A control plane's
# parts must not be newer than its API server, so a foreign API server brings its own company.
if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
  [[ -d $KUBEBUILDER_ASSETS ]] || fail "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS is not a folder: name one that holds kube-apiserver, or unset it"
  assets=$(cd "$KUBEBUILDER_ASSETS" && pwd)
  bin=$cache/with-$(cksum <<<"$assets" | tr ' ' '-')
  mkdir -p "$bin"
  for tool in "${tools[@]}"; do
    [[ -x $assets/$tool ]] && ln -sf "$assets/$tool" "$bin/$tool"
  done
  if [[ -x $assets/kube-apiserver ]]; then
    theirs=$("$assets/kube-apiserver" --version | minor)
    if [[ $theirs != $(minor <<<"$version") ]]; then
      for tool in kube-controller-manager kube-scheduler; do
        [[ -x $assets/$tool ]] || fail "KUBEBUILDER_ASSETS has kube-apiserver $theirs but no $tool: put $tool $theirs beside it, or unset KUBEBUILDER_ASSETS"
      done
    fi
  fi
fi

missing=()
for tool in "${tools[@]}"; do [[ -x $bin/$tool ]] || missing+=("$tool"); done

if ((${#missing[@]})); then
  command -v go >/dev/null || fail "Go is needed to build ${missing[*]}: install Go 1.26 or newer (https://go.dev/dl), or name ready binaries by KUBEBUILDER_ASSETS"
  mkdir -p "$bin"
  say "building Kubernetes $version once, into $bin (about 10 minutes on 2 cores)"
  flags="-s -w -X k8s.io/component-base/version.gitVersion=$version"
  flags+=" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(minor <<<"$version" | cut -d. -f2)"
  start=$SECONDS
  for i in "${!missing[@]}"; do
    tool=${missing[$i]}
    say "building $tool ($((i + 1)) of ${#missing[@]}, $((SECONDS - start)) s so far)"
    # -v names every package as it is compiled: count them, and let everything else through.
    CGO_ENABLED=0 go build -v -trimpath -ldflags "$flags" -o "$bin/.$tool.$$" "$(package_of "$tool")" 2>&1 |
      awk '/^[^ ]+$/ && !/:$/ { if (++n % 100 == 0) print "control-plane:   " n " packages"; next } { print } { fflush() }' >&2 ||
      fail "go build of $tool failed; the lines above say why"
    mv "$bin/.$tool.$$" "$bin/$tool"
  done
  say "built in $((SECONDS - start)) s"
fi
echo "$bin"
