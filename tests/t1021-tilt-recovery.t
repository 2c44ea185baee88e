#!/bin/bash
# How near the truth a search ends on objects of its own: fields larger than the tiles that cut them, noise, no weak-object assumption.
# bench/tilt-recovery prints the whole table; the exact recovery of whole objects is in t1200.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

# errors.csv of found.csv against the one tilt of a field: rms and largest error of the tilt vector, median and largest of z
errors() {
	awk -F, -v z="$1" -v zen="$2" -v azi="$3" 'NR > 1 {
		e = sqrt((sin($8) * cos($9) - sin(zen) * cos(azi)) ^ 2 + (sin($8) * sin($9) - sin(zen) * sin(azi)) ^ 2)
		print e, ($7 > z ? $7 - z : z - $7) }' found.csv | sort -g -k2 |
		awk '{ s += $1 * $1; if ($1 > most) most = $1; z[NR] = $2 } END { print sqrt(s / NR), most, z[int((NR + 1) / 2)], z[NR] }' | tee errors.csv
}
below() { echo "bounds: $*"; awk -v a="$1" -v b="$2" -v c="$3" -v d="$4" '{ exit !($1 < a && $2 < b && $3 < c && $4 < d) }' errors.csv; }
field="--slices 11 --phantom disks --size 288 --seed 1 --phase-peak 0.4 --azimuth 0.7 --brightness 5000 --noise poisson --dtype u16"

# the whole of a periodic object without noise, in the twenty evaluations of the default
exact() {
	ok "$1, $2, zenith $3: below 0.01 rad and 0.05 slices from zero in twenty evaluations" \
		"tiltsim -q --config $1 --slices 11 --phantom $2 --size 96 --seed 7 --zenith $3 --azimuth $4 --focus-offset $5 -o s.tif &&
		 tiltrecon -q --config $1 --optimize bfgs --taper 0 --reg 1e-5 --tilt-out found.csv s.tif && errors $5 $3 $4 && below 0.01 0.01 0.05 0.05"
}
exact pheno disks 0.15 -2 -0.4
exact track disks 0.05 0.7 0.3
slow && exact pheno cells 0.1 0.7 0.4
slow && exact track cells 0.05 2.9 -0.2

# nine tiles cut from a noisy field.  Errors of the tilt vector: what the table of section 12 of the method's page names for one tile.
# z under the track optics is poorly determined (a slice is about its depth of field): the median says the search works.
ok 'pheno, linear model, noise: tilt and z of each of nine cut tiles' \
	"tiltsim -q --config pheno $field --zenith 0.1 --focus-offset 0.4 -o pheno.tif &&
	 tiltrecon -q --config pheno --tile 96 --optimize bfgs --tilt-out found.csv pheno.tif && errors 0.4 0.1 0.7 && below 0.020 0.032 0.03 0.1"
cp errors.csv residual.csv
slow && ok 'pheno, the full sum over the source' \
	"tiltsim -q --config pheno $field --forward abbe --points 200 --zenith 0.1 --focus-offset 0.4 -o abbe.tif &&
	 tiltrecon -q --config pheno --tile 96 --optimize bfgs --tilt-out found.csv abbe.tif && errors 0.4 0.1 0.7 && below 0.020 0.032 0.05 0.1"
ok 'track, linear model, noise' \
	"tiltsim -q --config track $field --zenith 0.05 --focus-offset 0.3 -o track.tif &&
	 tiltrecon -q --config track --tile 96 --optimize bfgs --tilt-out found.csv track.tif && errors 0.3 0.05 0.7 && below 0.010 0.020 0.3 1"
slow && ok 'track, the full sum over the source' \
	"tiltsim -q --config track $field --forward abbe --points 200 --zenith 0.05 --focus-offset 0.3 -o abbe.tif &&
	 tiltrecon -q --config track --tile 96 --optimize bfgs --tilt-out found.csv abbe.tif && errors 0.3 0.05 0.7 && below 0.020 0.056 0.7 3"

# what image losses miss: their minima are not at the tilt
for loss in midband tv laplacian variance flatness; do
	slow && ok "$loss ends at least four times as far from the tilt as residual" \
		"tiltrecon -q --config pheno --tile 96 --optimize bfgs --loss $loss --tilt-out found.csv pheno.tif && errors 0.4 0.1 0.7 &&
		 paste residual.csv errors.csv | awk '{ exit !(\$5 > 4 * \$1) }'"
done
done_testing
