#!/bin/bash
# usage: examples/kplanes/run.sh
# From a bare checkout to a volume as products of learned planes: builds the tools, reconstructs the demo stack slice by slice, removes the
# noise, fits a K-Planes model, and renders it with twice the slices.  Leaves kplanes-out/ in the checkout.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
"$root/examples/setup.sh"
export PATH=$root/build/bin:$PATH SCOPELINE_CONFIG_PATH=$root/share/presets

mkdir -p "$root/kplanes-out"
cd "$root/kplanes-out"
tiltrecon --config pheno --model thick -o noisy.tif "$root/examples/data/demo_cells.tif"
tvdenoise --lambda 0.3 --weights 0.16,1,1 --tol 0.03 -o volume.tif noisy.tif	# 0.325 um per pixel, 2 um per slice
kplanes fit --rotations 2 --channels 4 --resolution 128 --iters 300 --batch 4096 --log log.csv -o model.tif volume.tif
kplanes render model.tif --shape 22,512,512 --preview fine.png -o fine.tif
kplanes tv model.tif >variation.csv

echo "volume            $PWD/volume.tif"
echo "model             $PWD/model.tif: $(kplanes info model.tif | grep -c '^weight') features on planes that any viewer opens"
echo "twice the slices  $PWD/fine.tif, fine.png"
echo "total variation   $PWD/variation.csv of the planes"
echo "mean squared error of the fit, in units of the volume's range, first and last iteration:"
sed -n '2p;$p' log.csv | cut -d, -f1,2
