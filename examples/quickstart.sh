#!/bin/bash
# usage: examples/quickstart.sh
# From a bare checkout to a phase image: builds the tools, then finds the tilt of the light in every tile of a demo stack and
# reconstructs the phase with it.  Leaves quickstart-out/ in the checkout.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/examples/setup.sh"
export PATH=$root/build/bin:$PATH SCOPELINE_CONFIG_PATH=$root/share/presets

mkdir -p "$root/quickstart-out"
cd "$root/quickstart-out"
tiltrecon --config pheno --tile 128 --overlap 32 --match offset --optimize bfgs \
	--tilt-out tilts.csv --preview phase.png -o phase.tif "$root/examples/data/demo_cells.tif"

echo "phase in radians   $PWD/phase.tif"
echo "preview            $PWD/phase.png"
echo "tilt of each tile  $PWD/tilts.csv (zenith and azimuth in radians), its first rows:"
head -n 6 tilts.csv
