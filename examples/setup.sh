#!/bin/bash
# usage: examples/setup.sh [--all]
# Everything from a bare checkout to built tools in build/: installs the packages of the README that are missing (Debian and Ubuntu,
# by apt-get; elsewhere it prints their names and goes on), then bootstraps, configures and builds.  Fine to run again.
# --all installs what only the tests use as well.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

# The README's package block is the one list there is: its first apt-get line builds and runs the tools, the second is for all tests.
packages=$(awk -v all="${1:-}" '
	/^    apt-get install / { n++; on = n == 1 || all == "--all"; sub(/apt-get install/, "") }
	on { go_on = sub(/\\$/, ""); gsub(/[ \t]+/, " "); printf "%s", $0 }
	on && !go_on { on = 0 }' README.md)

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
	missing=
	for p in $packages; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $p"
	done
	if [ -n "$missing" ]; then
		as_root=
		[ "$(id -u)" = 0 ] || as_root=sudo
		echo "installing:$missing"
		# shellcheck disable=SC2086  # lists of words
		$as_root apt-get update -q -o Acquire::Retries=3 &&
			$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o Acquire::Retries=3 \
				--no-install-recommends $missing
	fi
else
	echo "no apt-get here: if the configuration fails, install what these Debian packages hold:$packages"
fi

[ -x configure ] || ./bootstrap
mkdir -p build
cd build
[ -f Makefile ] || ../configure --quiet
make -s -j"$(nproc 2>/dev/null || echo 2)"
