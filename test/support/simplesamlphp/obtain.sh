#!/bin/sh
# Brings SimpleSAMLphp, and a PHP to run it with, into node_modules/.cache/curfew-simplesamlphp, unless they are there. They
# are packages of Debian 12, which apt chooses and verifies, and unpacked instead of installed: nothing of the machine
# changes, and nobody need be root. Where they cannot be had, this says so and ends with 0: the tests then run without them,
# and say so too.
set -eu

cache=$(cd "$(dirname "$0")/../../.." && pwd)/node_modules/.cache/curfew-simplesamlphp
obtained=$cache/1.19
work=
trap 'test -z "$work" || rm -rf "$work"' EXIT
give_up() {
  echo "no SimpleSAMLphp could be obtained: $1"
  exit 0
}

if [ -x "$obtained/php" ]; then echo "SimpleSAMLphp: $obtained" && exit 0; fi

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up 'this needs apt-get and dpkg-deb'
mkdir -p "$cache"
work=$(mktemp -d "$cache/obtaining-XXXXXX")
mkdir -p "$work/debs" "$work/lists/partial" "$work/archives/partial" "$work/unpacked"
complaints=$work/complaints

# An archive that does not answer is not waited for as long as apt would.
bounds='-o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20'
# With these options of apt's: SimpleSAMLphp alone, because it is no web server that is wanted, and of PHP what apt would
# install here.
download() (
  cd "$work/debs"
  apt-get $bounds "$@" install --simulate --reinstall --no-install-recommends php8.2-cli php8.2-common php8.2-xml >"$work/plan" &&
    apt-get $bounds "$@" download simplesamlphp=1.19.* $(sed -n 's/^Inst \([^ ]*\) .*/\1/p' "$work/plan") >/dev/null
)

# What the machine knows of packages may be nothing, or old: then by lists of our own.
own="-o Dir::State::lists=$work/lists -o Dir::Cache=$work/archives -o APT::Sandbox::User=$(id -un)"
download 2>"$complaints" ||
  { apt-get $bounds $own update >/dev/null 2>"$complaints" && download $own 2>>"$complaints"; } ||
  give_up "apt could not download it ($(grep -m 1 '^[EW]:' "$complaints" || echo 'no reason given'))"

for package in "$work"/debs/*.deb; do dpkg-deb --extract "$package" "$work/unpacked"; done
cat >"$work/unpacked/php" <<'PHP'
#!/bin/sh
# The PHP that was unpacked here, with its own libraries, the modules that SimpleSAMLphp asks for, and no other settings.
here=$(cd "$(dirname "$0")" && pwd)
for folder in "$here"/lib/*-linux-gnu* "$here"/usr/lib/*-linux-gnu*; do
  LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
for module in dom xml simplexml ctype iconv posix; do set -- -d "extension=$module" "$@"; done
exec "$here/usr/bin/php8.2" -n -d "extension_dir=$(echo "$here"/usr/lib/php/20*)" "$@"
PHP
chmod 755 "$work/unpacked/php"
"$work/unpacked/php" -r 'exit(class_exists("DOMDocument") && date_default_timezone_set("UTC") ? 0 : 1);' \
  >"$complaints" 2>&1 || give_up "what was obtained does not run here ($(head -n 1 "$complaints"))"
[ -f "$work/unpacked/usr/share/simplesamlphp/www/saml2/idp/SSOService.php" ] ||
  give_up 'what was obtained is not laid out as expected'
# A rename is whole or not at all: of two that obtain at once, the first leaves its own behind.
mv -T "$work/unpacked" "$obtained" 2>"$complaints" || [ -x "$obtained/php" ] || give_up "$(head -n 1 "$complaints")"
echo "SimpleSAMLphp: $obtained"
