#!/usr/bin/env bash
# Puts what a real node runs beside the kubelet into a cache outside the checkout, and prints the
# folder: `bin` with the commands, `lib` with their shared libraries, `cni` with the network
# plugins, `images` with the images of the tests' pods. A second run does nothing.
#
# The container runtime and the tools come from the distribution's packages, which are downloaded and
# unpacked, not installed. The images hold our own program alone, so nothing else is ever pulled.
#
#   KUBECTL_RELOAD_CACHE   where the cache lies (default: ${XDG_CACHE_HOME:-~/.cache}/kubectl-reload)
#
# stdout: the folder. stderr: progress. Exit 1 with the remedy when something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

packages=(containerd runc containernetworking-plugins nftables iproute2)
commands=(containerd containerd-shim-runc-v2 ctr runc nft ip)

say() { echo "real-node: $*" >&2; }
fail() { say "$*"; exit 1; }

# Another distribution has other libraries.
system=$(. /etc/os-release && echo "${ID:-linux}-${VERSION_ID:-rolling}")
key=$(cat build.sh go.mod witness/main.go image/main.go | cksum | tr ' ' '-')
root=${KUBECTL_RELOAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-reload}/real-node
cache=$root/$system-$key
if [[ -d $cache ]]; then
  echo "$cache"
  exit
fi

for tool in apt-get dpkg; do
  command -v "$tool" >/dev/null || fail "$tool is needed to unpack ${packages[*]}: a real node runs on Debian and its like"
done
command -v go >/dev/null || fail "Go is needed to build the program of the tests' pods (https://go.dev/dl)"

# Made aside and put in place whole: of two that build at once, the second is dropped.
new=$root/.$system-$key.$$
trap 'rm -rf "$new"' EXIT
mkdir -p "$new"/{archives/partial,root,bin,lib,images}

# --reinstall: also those that are installed, for the cache shall not depend on them. What they
# need and is not there comes with them.
download() {
  apt-get install -qq --yes --download-only --reinstall --no-install-recommends \
    -o Debug::NoLocking=1 -o Dir::Cache::archives="$new/archives" -o APT::Sandbox::User=root \
    "${packages[@]}" >&2
}
say "downloading ${packages[*]}, once"
if ! download 2>/dev/null; then
  # The lists of packages are missing or old.
  apt-get update -qq >&2 || fail "apt-get update failed: see above"
  download || fail "apt-get could not download ${packages[*]}: see above"
fi
for package in "$new"/archives/*.deb; do
  dpkg -x "$package" "$new/root"
done
rm -r "$new/archives"

for name in "${commands[@]}"; do
  file=$(find "$new/root" -path "*bin/$name" ! -type d -print -quit)
  [[ -n $file ]] || fail "$name is in none of ${packages[*]}"
  cp -L "$file" "$new/bin/$name"
done
find "$new/root" -path '*/lib/*/lib*.so.*' -exec cp -P {} "$new/lib" \;
cp -r "$new/root/usr/lib/cni" "$new/cni"
rm -r "$new/root"

say "building the images of the tests' pods"
export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off
unset GOOS GOARCH
go build -trimpath -ldflags '-s -w' -o "$new/witness" ./witness
go build -trimpath -o "$new/image" ./image
"$new/image" "$new/images/witness.tar" localhost/witness:1 "$new/witness"
"$new/image" "$new/images/pause.tar" localhost/pause:1 "$new/witness" pause
rm "$new/witness" "$new/image"

if ! mv -T "$new" "$cache" 2>/dev/null; then
  [[ -d $cache ]] || fail "cannot make $cache"
fi
echo "$cache"
