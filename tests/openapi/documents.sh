#!/usr/bin/env bash
# For each minor version given, as 1.33, prints 1.33=FILE: the OpenAPI document of the core API in the
# source of its newest patch release, which Go fetches as a module.
set -euo pipefail

for minor in "$@"; do
  module=$(cd / && go mod download -json "k8s.io/kubernetes@v$minor")
  folder=$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$module")
  echo "$minor=$folder/api/openapi-spec/v3/api__v1_openapi.json"
done
