#!/bin/bash
# usage: examples/ptycho/run.sh [all]
# From a bare checkout to the complex image of a measured Siemens star and its resolution: builds the tools, then reconstructs the
# whole scan and, for the Fourier ring correlation, each half of it alone.  Leaves ptycho-out/ in the checkout.
# all: also which of the eight orientations of the detector is right, and the positions refined (a minute more).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
"$root/examples/setup.sh"
export PATH=$root/build/bin:$PATH

data=$root/examples/ptycho/data
mkdir -p "$root/ptycho-out"
cd "$root/ptycho-out"
scan=(-p "$data/siemens_pos.csv" --probe "$data/siemens_probe0.tif")
ptychorecon "${scan[@]}" -a wasp:20 -o star "$data/siemens_dp.tif"
for half in 0 1; do
	ptychorecon "${scan[@]}" -a wasp:20 --coverage 0.1 --half $half -o half$half "$data/siemens_dp.tif"
done
ptychofrc --curves frc.csv half0_object.tif half1_object.tif >resolution.csv

R=$(tail -n 1 star_log.csv | cut -d, -f4)
echo "object            $PWD/star_object.tif (real, imaginary, coverage), R $R: 0.155 or less is good"
echo "probe             $PWD/star_probe.tif"
echo "preview           $PWD/star_preview.png"
echo "correlation       $PWD/frc.csv of the two halves; in cycles per pixel they agree up to"
cut -d, -f9 resolution.csv

[ "${1:-}" = all ] || exit 0
ptychorecon "${scan[@]}" --orientation scan "$data/siemens_dp.tif" >orientation.csv
ptychorecon "${scan[@]}" -a lsqml:20 --subpixel fourier --refine-positions 3 -o moved "$data/siemens_dp.tif"
# the given table has no column of moves; both have the frames in one order
paste -d, <(cut -d, -f1-3 "$data/siemens_pos.csv" | sed '1s/.*/frame,x_before_px,y_before_px/') \
	<(cut -d, -f2-5 moved_positions.csv | sed '1s/.*/x_after_px,y_after_px,dx_px,dy_px/') >positions.csv
awk -F, -v x=dx_px -v y=dy_px -f "$root/examples/profile/scatter.awk" positions.csv >positions.svg

echo "positions         $PWD/positions.csv, before and after; $PWD/positions.svg, how far each moved"
echo "orientation       $PWD/orientation.csv"
cat orientation.csv
