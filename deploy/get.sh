#!/bin/sh
# Installs the kubectl plugin of a release for this machine, after a look at its checksum.
#
#   curl -fsSL https://github.com/kubectl-reload/kubectl-reload/raw/main/deploy/get.sh | sh
#
#   VERSION   v1.2.3; the newest release without it
#   BIN       where to; ~/.local/bin without it
#   RELEASES  where releases are; a mirror's address or a folder's, as file:///srv/releases
set -eu

releases=${RELEASES:-https://github.com/kubectl-reload/kubectl-reload/releases}
bin=${BIN:-$HOME/.local/bin}

fail() { echo "kubectl-reload: $*" >&2; exit 1; }

case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fail "no binary for $(uname -s): use krew, or cargo install --path plugin" ;;
esac
case $(uname -m) in
  x86_64 | amd64) architecture=amd64 ;;
  aarch64 | arm64) architecture=arm64 ;;
  *) fail "no binary for $(uname -m): cargo install --path plugin" ;;
esac
command -v curl >/dev/null || fail "curl is missing"
if command -v sha256sum >/dev/null; then sum=sha256sum; else sum="shasum -a 256"; fi

if [ -n "${VERSION:-}" ]; then from=$releases/download/$VERSION; else from=$releases/latest/download; fi
archive=kubectl-reload-$os-$architecture.tar.gz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for file in "$archive" checksums.txt; do
  curl -fsSL --retry 3 -o "$work/$file" "$from/$file" || fail "cannot download $from/$file"
done
wanted=$(awk -v file="$archive" '$2 == file || $2 == "*" file { print $1 }' "$work/checksums.txt")
[ -n "$wanted" ] || fail "checksums.txt does not name $archive"
found=$(cd "$work" && $sum "$archive" | cut -d ' ' -f 1)
[ "$wanted" = "$found" ] || fail "$archive is not what was released: its checksum is $found"
tar -xzf "$work/$archive" -C "$work" kubectl-reload
mkdir -p "$bin"
# In place whole: somebody may be running the last one.
cp "$work/kubectl-reload" "$bin/.kubectl-reload.$$"
chmod 755 "$bin/.kubectl-reload.$$"
mv "$bin/.kubectl-reload.$$" "$bin/kubectl-reload"
echo "installed $bin/kubectl-reload"
case :$PATH: in *:"$bin":*) ;; *) echo "put $bin on your PATH, so that kubectl finds it" ;; esac
