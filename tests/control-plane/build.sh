#!/usr/bin/env bash
# Builds a local Kubernetes control plane from the Go module beside this script, into a cache
# outside the checkout, and prints the folder that holds the binaries. A second run builds nothing.
#
#   build.sh         the control plane
#   build.sh node    the control plane, and what a real node runs: kubelet, kube-proxy
#   build.sh helm    Helm alone, from the module in its folder, into a cache of its own; so are built
#                    helm-docs, which writes the chart's README, promtool, which tests its alerts, and
#                    actionlint, which checks the workflows of releases
#
#   KUBERNETES             another Kubernetes version (1.33), from the module in the folder of that name,
#                          into a cache of its own: the API server alone, since all else of a cluster
#                          that tests need of it works with any
#   KUBEBUILDER_ASSETS     a folder with binaries to use; only what it lacks is built
#   KUBECTL_RELOAD_CACHE   where the cache lies (default: ${XDG_CACHE_HOME:-~/.cache}/kubectl-reload)
#
# stdout: the folder. stderr: progress. Exit 1 with the remedy when something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

part=${1:-}
module=k8s.io/kubernetes
place=control-plane
tools=(kube-apiserver kube-controller-manager kube-scheduler kubectl etcd kwok kwokctl)
# What must not be newer than the API server.
bound=(kube-controller-manager kube-scheduler)
case $part in
  node)
    tools+=(kubelet kube-proxy)
    bound+=(kubelet kube-proxy)
    ;;
  helm | helm-docs | promtool | actionlint)
    # Their modules want other versions of what all use.
    cd "$part"
    module=$(awk '$1 == "require" && NF == 3 {print $2}' go.mod)
    place=$part
    tools=("$part")
    bound=()
    ;;
esac
if [[ -n ${KUBERNETES:-} && -z $part ]]; then
  [[ -d $KUBERNETES ]] || { echo "control-plane: KUBERNETES=$KUBERNETES has no module here: unset it, or name one of" [0-9]*.* >&2; exit 1; }
  cd "$KUBERNETES"
  place=control-plane-$KUBERNETES
  tools=(kube-apiserver)
  bound=()
  # They are of another version.
  unset KUBEBUILDER_ASSETS
fi
package_of() {
  case $1 in
    helm | helm-docs | promtool | actionlint) echo "$module/cmd/$1" ;;
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    kwok | kwokctl) echo "sigs.k8s.io/kwok/cmd/$1" ;;
    *) echo "k8s.io/kubernetes/cmd/$1" ;;
  esac
}

say() { echo "$place: $*" >&2; }
fail() { say "$*"; exit 1; }
ready() { [[ -f $1 && -x $1 ]]; }
minor() { sed -E 's/^[^0-9]*([0-9]+\.[0-9]+).*/\1/'; }

version=$(awk -v module="$module" '$1 == "require" && $2 == module {print $3}' go.mod)
key=$(cat go.mod go.sum | cksum | tr ' ' '-')
cache=${KUBECTL_RELOAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-reload}/$place/$version-$key
bin=$cache/bin

# What KUBEBUILDER_ASSETS holds is used as it is. The parts of a cluster must not be newer than its
# API server, so a foreign API server has to bring its own company.
assets=
if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
  [[ -d $KUBEBUILDER_ASSETS ]] || fail "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS is not a folder: name one that holds kube-apiserver, or unset it"
  assets=$(cd "$KUBEBUILDER_ASSETS" && pwd)
  if ((${#bound[@]})) && ready "$assets/kube-apiserver"; then
    theirs=$("$assets/kube-apiserver" --version | minor)
    if [[ $theirs != $(minor <<<"$version") ]]; then
      for tool in "${bound[@]}"; do
        ready "$assets/$tool" || fail "KUBEBUILDER_ASSETS has kube-apiserver $theirs but no $tool: put $tool $theirs beside it, or unset KUBEBUILDER_ASSETS"
      done
    fi
  fi
fi

# Sets `missing` to what neither the assets nor the cache hold.
look() {
  missing=()
  local tool
  for tool in "${tools[@]}"; do
    if [[ -n $assets ]] && ready "$assets/$tool"; then continue; fi
    ready "$bin/$tool" || missing+=("$tool")
  done
}

# In the module's folder, Go 1.21 and newer fetch the version that go.mod asks for by themselves,
# unless they are told not to; then, and in older ones, somebody has to.
require_go() {
  local wanted had
  wanted=$(awk '$1 == "go" {print $2}' go.mod)
  command -v go >/dev/null ||
    fail "Go is needed to build ${missing[*]}: install Go $wanted or newer (https://go.dev/dl), or name ready binaries by KUBEBUILDER_ASSETS"
  if ! had=$(go env GOVERSION 2>&1) || ! newer "${had#go}" "$wanted"; then
    fail "Go $wanted or newer is needed to build ${missing[*]}, but this is ${had:-an older one}: install it from https://go.dev/dl, or name ready binaries by KUBEBUILDER_ASSETS"
  fi
}
newer() {
  awk -v have="$1" -v want="$2" 'BEGIN {
    split(have, h, "."); split(want, w, ".")
    exit !(h[1] + 0 > w[1] + 0 || (h[1] + 0 == w[1] + 0 && h[2] + 0 >= w[2] + 0))
  }'
}

# One build at a time: a folder is the lock, since flock is not everywhere. A holder that has died
# is passed over; should two then build at once, both put the same files in place.
lock() {
  local holder told=
  mkdir -p "$cache"
  until mkdir "$cache/lock" 2>/dev/null; do
    holder=$(cat "$cache/lock/pid" 2>/dev/null || true)
    if [[ -n $holder ]] && ! kill -0 "$holder" 2>/dev/null; then
      rm -rf "$cache/lock"
      continue
    fi
    [[ -n $told ]] || say "waiting for the build of process ${holder:-that holds $cache/lock}"
    told=yes
    sleep 1
  done
  echo $$ >"$cache/lock/pid"
  trap 'rm -rf "$cache/lock" "$bin"/.*."$$"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# kube-proxy imports modules whose checksums the control plane needs not. They lie in a file of
# their own, so that the cache's key, and with it everybody's control plane, stays as it is. To renew
# it: `go get -tool` kube-proxy in a copy of this folder, and take the lines that go.sum then has more.
sums() {
  cp go.mod "$cache/node.mod"
  cp go.sum "$cache/node.sum"
  if [[ -f node.sum ]]; then cat node.sum >>"$cache/node.sum"; fi
}

build() {
  local flags start tool i tags=
  mkdir -p "$bin"
  sums
  if [[ $place = "$part" ]]; then
    say "building $part $version once, into $bin (some minutes on 2 cores)"
    flags="-s -w -X $module/internal/version.version=$version"
    # promtool without the clouds in which Prometheus finds its targets.
    tags=remove_all_sd
  else
    say "building ${missing[*]} of Kubernetes $version once, into $bin (all: about 10 minutes on 2 cores, the API server alone 5; Go's caches take 7 GB)"
    flags="-s -w -X k8s.io/component-base/version.gitVersion=$version"
    flags+=" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(minor <<<"$version" | cut -d. -f2)"
  fi
  unset GOOS GOARCH
  export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off
  start=$SECONDS
  for i in "${!missing[@]}"; do
    tool=${missing[$i]}
    say "building $tool ($((i + 1)) of ${#missing[@]}, $((SECONDS - start)) s so far)"
    # -v names every package as it is compiled: count them, and let everything else through.
    go build -v -trimpath -tags="$tags" -modfile="$cache/node.mod" -ldflags "$flags" -o "$bin/.$tool.$$" "$(package_of "$tool")" 2>&1 |
      awk -v place="$place" '/^[^ ]+$/ && !/:$/ { if (++n % 100 == 0) print place ":   " n " packages"; next } { print } { fflush() }' >&2 ||
      fail "go build of $tool failed; the lines above say why"
    mv "$bin/.$tool.$$" "$bin/$tool"
  done
  say "built in $((SECONDS - start)) s"
}

look
if ((${#missing[@]})); then
  require_go
  lock
  look
  if ((${#missing[@]})); then build; fi
fi

if [[ -z $assets ]]; then
  echo "$bin"
else
  with=$cache/with-$(cksum <<<"$assets" | tr ' ' '-')
  mkdir -p "$with"
  for tool in "${tools[@]}"; do
    from=$bin
    if ready "$assets/$tool"; then from=$assets; fi
    # Put in place whole, so that a run beside this one never finds a tool missing.
    ln -sf "$from/$tool" "$with/.$tool.$$"
    mv -f "$with/.$tool.$$" "$with/$tool"
  done
  echo "$with"
fi
