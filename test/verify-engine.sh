#!/usr/bin/env bash
# Compares the git blob ids of resources/engine-blobs.json with those of the engine's own repository: npm run verify:engine
# Fetches its tags without their files, so it needs the network, and git. A binary is published if any tag has its blob id.
set -euo pipefail
cd "$(dirname "$0")/.."

upstream=${1:-https://github.com/uNetworking/uWebSockets.js}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git -C "$copy" init --quiet --bare
git -C "$copy" fetch --quiet --filter=blob:none "$upstream" 'refs/tags/*:refs/tags/*'
git -C "$copy" for-each-ref --format='%(refname:short)' refs/tags | while read -r tag; do
  git -C "$copy" ls-tree -r "$tag" | awk -v tag="$tag" '$4 ~ /\.node$/ { print $3, tag, $4 }'
done >"$copy/published"

missing=0
while read -r package file blob; do
  if found=$(grep -m 1 "^$blob " "$copy/published"); then echo "ok $package $file is ${found#* }"
  else echo "NOT PUBLISHED $package $file ($blob)"; missing=$((missing + 1)); fi
done < <(node -e '
  const table = JSON.parse(require("fs").readFileSync("resources/engine-blobs.json", "utf8"))
  for (const [name, files] of Object.entries(table))
    for (const [file, blob] of Object.entries(files)) console.log(name, file, blob)')
[ "$missing" = 0 ]
