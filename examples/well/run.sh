#!/bin/bash
# usage: examples/well/run.sh
# From a bare checkout to a whole well: builds the tools, then makes what examples/well/Makefile says.  Leaves well-out/ in the checkout.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
"$root/examples/setup.sh"
export PATH=$root/build/bin:$PATH SCOPELINE_CONFIG_PATH=$root/share/presets

make -s -f "$root/examples/well/Makefile" OUT="$root/well-out"
echo "phase images       $root/well-out/phase/"
echo "tilts              $root/well-out/tilts.csv"
echo "map of the tilts   $root/well-out/map.svg"
echo "a field in tiles   $root/well-out/before.png, after.png (levels matched)"
echo "all on one page    $root/well-out/well.html"
