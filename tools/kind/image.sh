#!/usr/bin/env bash
# tools/kind/image.sh IMAGE: build the functions' image from the last commit with Docker.
set -euo pipefail
cd "$(dirname "$0")/../.."
image=${1:?usage: tools/kind/image.sh IMAGE}
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
git archive HEAD | tar -x --exclude-from .funcignore -C "$context"
docker build --quiet --file tools/kind/Dockerfile --tag "$image" "$context"
