#!/bin/sh
# Builds main.go into node_modules/.cache/curfew-ferretdb, unless it is there. This needs Go 1.24 or later and the modules that
# go.sum pins, from wherever Go is told to take them; it takes minutes. Tests that find nothing built are skipped, and say so.
set -eu
cd "$(dirname "$0")"
program=$(cd ../../../.. && pwd)/node_modules/.cache/curfew-ferretdb/ferretdb-1.24.2
if [ -x "$program" ]; then echo "$program" && exit 0; fi
command -v go >/dev/null || { echo 'there is no Go here' >&2 && exit 1; }
mkdir -p "$(dirname "$program")"
work=$(mktemp -d "$(dirname "$program")/building-XXXXXX")
trap 'rm -rf "$work"' EXIT
GOTOOLCHAIN=local go build -mod=readonly -trimpath -buildvcs=false -o "$work/ferretdb" . >&2
mv "$work/ferretdb" "$program"
echo "$program"
