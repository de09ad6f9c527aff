#!/usr/bin/env bash
# Builds the webhook and the plugin as static binaries and lays them out as an OCI image that holds
# nothing else, in an archive that containerd, Docker, Podman and skopeo read. No container engine is
# needed, only Linux. The same binaries give the same image, to the byte, by the same gzip.
#
#   image.sh        the release
#   image.sh dev    quicker to build, for tests
#
# stdout: the archive. stderr: progress. Exit 1 with the remedy when something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${1:-release}
# What the image runs, and what it has besides: `helm test` asks the doctor.
binary=kubectl-reload-webhook
binaries=("$binary" kubectl-reload)
repository=$(sed -nE 's/^  repository: (.+)/\1/p' deploy/chart/values.yaml)
version=$(sed -nE 's/^appVersion: (.+)/\1/p' deploy/chart/Chart.yaml)
# Nobody: any number but 0 would do.
user=65532:65532

fail() { echo "image: $*" >&2; exit 1; }

target=$(rustc -vV | sed -n 's/^host: //p')
case $target in
  x86_64-*-linux-*) architecture=amd64 ;;
  aarch64-*-linux-*) architecture=arm64 ;;
  *) fail "images are built on Linux, on x86_64 or aarch64: this is $target" ;;
esac
command -v strip >/dev/null || fail "strip is missing: apt-get install binutils"

echo "image: building static binaries (the first time all of their dependencies, which takes minutes)" >&2
# A target of its own keeps these flags away from build scripts, and from the other builds.
RUSTFLAGS="-C target-feature=+crt-static" \
  cargo build --quiet --locked "${binaries[@]/#/--package=}" --target "$target" --profile "$profile" >&2
folder=${CARGO_TARGET_DIR:-target}/$target/${profile/#dev/debug}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root" "$work/image/blobs/sha256"
for each in "${binaries[@]}"; do
  strip -o "$work/root/$each" "$folder/$each"
  chmod 755 "$work/root/$each"
done

# pack FOLDER ARCHIVE: whoever packs it and when, the archive is the same.
pack() {
  tar --create --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
    --directory="$1" --file="$2" $(ls "$1")
}
# blob FILE: puts it in the image by its digest, and describes it as `"digest":…,"size":…`.
blob() {
  local digest
  digest=$(sha256sum "$1" | cut -d ' ' -f 1)
  cp "$1" "$work/image/blobs/sha256/$digest"
  echo "\"digest\":\"sha256:$digest\",\"size\":$(wc -c <"$1" | tr -d ' ')"
}

# https://github.com/opencontainers/image-spec: a layer, its configuration, a manifest, an index.
oci=application/vnd.oci.image
pack "$work/root" "$work/layer"
# Named by what it holds, and sent packed.
digest=sha256:$(sha256sum "$work/layer" | cut -d ' ' -f 1)
gzip -9 -n "$work/layer"
layer=$(blob "$work/layer.gz")
cat >"$work/config" <<END
{"architecture":"$architecture","os":"linux","config":{"User":"$user","Entrypoint":["/$binary"],"Labels":{"org.opencontainers.image.title":"$binary","org.opencontainers.image.version":"$version","org.opencontainers.image.licenses":"Apache-2.0"}},"rootfs":{"type":"layers","diff_ids":["$digest"]}}
END
config=$(blob "$work/config")
cat >"$work/manifest" <<END
{"schemaVersion":2,"mediaType":"$oci.manifest.v1+json","config":{"mediaType":"$oci.config.v1+json",$config},"layers":[{"mediaType":"$oci.layer.v1.tar+gzip",$layer}]}
END
manifest=$(blob "$work/manifest")
cat >"$work/image/index.json" <<END
{"schemaVersion":2,"mediaType":"$oci.index.v1+json","manifests":[{"mediaType":"$oci.manifest.v1+json",$manifest,"annotations":{"io.containerd.image.name":"$repository:$version","org.opencontainers.image.ref.name":"$version"}}]}
END
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/image/oci-layout"

# Put in place whole: somebody may be reading the last one.
archive=$folder/$binary.tar
pack "$work/image" "$archive.$$"
# What each node has to pull, in bytes; builds for tests hold what a release does without.
most=20000000
size=$(wc -c <"$archive.$$" | tr -d ' ')
if [[ $profile = release ]] && ((size > most)); then
  rm "$archive.$$"
  fail "the image has $size bytes, and may have $most: see what has grown with cargo bloat"
fi
mv "$archive.$$" "$archive"
realpath "$archive"
