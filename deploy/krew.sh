#!/usr/bin/env bash
# The manifest of the krew index for a release: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest
#
#   krew.sh v1.2.3 CHECKSUMS     a file as sha256sum writes it, with all archives of the release
set -euo pipefail

tag=${1:?a tag, as v1.2.3} checksums=${2:?a file of checksums}
releases=https://github.com/kubectl-reload/kubectl-reload/releases/download

platform() { # OS ARCHITECTURE ARCHIVE BINARY
  local file=kubectl-reload-$1-$2.$3 sum
  sum=$(awk -v file="$file" '$2 == file || $2 == "*" file { print $1 }' "$checksums")
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || { echo "krew: no checksum of $file in $checksums" >&2; exit 1; }
  cat <<END
    - selector: {matchLabels: {os: $1, arch: $2}}
      uri: $releases/$tag/$file
      sha256: "$sum"
      bin: $4
      files:
        - {from: $4, to: .}
        - {from: LICENSE, to: .}
END
}

cat <<END
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: reload
spec:
  version: $tag
  homepage: https://github.com/kubectl-reload/kubectl-reload
  shortDescription: Find and restart pods on outdated configuration
  description: |
    Shows which pods run on old ConfigMaps and Secrets and which keys changed
    since they started, and restarts exactly the workloads that do.
    Without anything in the cluster it judges by times; a small admission
    webhook makes it exact.
  platforms:
END
for os in linux darwin; do
  for architecture in amd64 arm64; do platform "$os" "$architecture" tar.gz kubectl-reload; done
done
for architecture in amd64 arm64; do platform windows "$architecture" zip kubectl-reload.exe; done
