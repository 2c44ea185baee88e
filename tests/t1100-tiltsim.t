#!/bin/bash
# tiltsim: what its stacks obey, which tilts it says it used, and how it refuses.  Its goldens are rows of t1000, its arithmetic is
# held to double sums by unit-sim.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

sim="tiltsim --config pheno --slices 5"
small="--phantom disks --size 40,48"

ok 'a phantom gives a stack, the object itself and the truth' \
	"$sim $small --seed 3 --zenith 0.1 --azimuth 40deg --focus-offset 0.5 --phantom-out phase.tif --truth truth.csv -o stack.tif &&
	 head -n 1 truth.csv | grep -x stack,position,time,tile,y,x,z_offset,zenith,azimuth,loss,iterations,skipped &&
	 printf '%s\n' tile,z_offset,zenith,azimuth 0,.5,.1,0.69813170079773179 >want.csv && csvdiff tile= z_offset=1e-15 zenith=1e-15 azimuth=1e-12 want.csv truth.csv"
ok 'the stack of the written object is the stack of the phantom' \
	"$sim --seed 3 --zenith 0.1 --azimuth 40deg --focus-offset 0.5 -o again.tif phase.tif && tiffdiff stack.tif again.tif"
ok 'the peak of the phase is the one asked for' \
	"$sim $small --phase-peak 30deg --phantom-out peak.tif -o s.tif && tiffstat peak.tif | awk '\$4 - 0.5235988 > 1e-6 || 0.5235988 - \$4 > 1e-6 { exit 1 }'"
ok 'the mean of a weak stack is the brightness to 1e-6' \
	"$sim $small --brightness 2000 --zenith 0.1 -o mean.tif && tiffstat mean.tif | awk '{ n++ } \$2 / 2000 - 1 > 1e-6 || 1 - \$2 / 2000 > 1e-6 { exit 1 } END { exit n != 5 }'"
ok 'the slice in focus without tilt shows no phase; half a turn of azimuth mirrors z' \
	"$sim $small -o flat.tif && tiffstat flat.tif | awk 'NR == 3 && \$3 > 1 || NR == 1 && \$3 < 10 { exit 1 }' &&
	 $sim $small --zenith 0.1 --azimuth 1 -o a.tif && $sim $small --zenith 0.1 --azimuth 1 --invert -o b.tif &&
	 $sim $small --zenith 0.1 --azimuth 1 --z-order ascending -o c.tif && tiffdiff -t 1e-6 b.tif c.tif && ! tiffdiff -t 1e-3 a.tif b.tif"
ok 'poisson: variance over mean is 1 within 3 % on a million pixels' \
	"tiltsim --config pheno --slices 4 --phantom disks --size 512 --phase-peak 0 --noise poisson --seed 1 -o noisy.tif &&
	 tiffstat noisy.tif | awk '{ v += \$3 / \$2 / 4 } END { exit !(v > 0.97 && v < 1.03) }'"
ok 'gauss:S has variance S^2' \
	"tiltsim --config pheno --slices 4 --phantom disks --size 256 --phase-peak 0 --noise gauss:7 -o noisy.tif &&
	 tiffstat noisy.tif | awk '{ v += \$3 / 49 / 4 } END { exit !(v > 0.97 && v < 1.03) }'"
noisy="$small --noise poisson --seed 5 --dtype u16"
ok 'the same seed gives the same bytes on any number of threads' \
	"$sim $noisy --threads 1 -o t1.tif && $sim $noisy --threads 3 -o t3.tif && same t1.tif t3.tif && $sim $noisy --seed 6 -o other.tif && differ t1.tif other.tif"
ok 'and in any work-group' "$sim $noisy --work-group 7 -o w.tif && same t1.tif w.tif &&
	$sim $small --forward abbe --points 9 -o x.tif && $sim $small --forward abbe --points 9 --work-group 7 --threads 1 -o y.tif && same x.tif y.tif"
ok 'u16 is the rounded f32' "$sim $small -o f.tif && $sim $small --dtype u16 -o u.tif && tiffdiff -a -t 0.5 f.tif u.tif"
ok 'abbe of a faint object is weak' \
	"$sim $small --phase-peak 1e-3 --zenith 0.1 -o weak.tif && $sim $small --phase-peak 1e-3 --zenith 0.1 --forward abbe -o abbe.tif && tiffdiff -a -t 0.01 weak.tif abbe.tif"
ok 'abbe of a strong one is not' \
	"$sim $small --phase-peak 2 --zenith 0.1 -o weak.tif && $sim $small --phase-peak 2 --zenith 0.1 --forward abbe -o abbe.tif && ! tiffdiff -a -t 30 weak.tif abbe.tif"
tiled="$small --tile 24 --overlap 8 --pad 8"
ok 'tiles of one tilt join to that field inside' \
	"$sim $small --zenith 0.05 -o whole.tif && $sim $tiled --zenith 0.05 --truth tilts.csv -o tiles.tif && [ \$(wc -l <tilts.csv) = 7 ] && tiffdiff -a -t 60 whole.tif tiles.tif"
ok 'a tilt per tile comes from a table, which the truth repeats' \
	"awk -F, -v OFS=, 'NR > 1 { \$1 = \"own\"; \$7 = \$4 / 10; \$8 = \$4 / 50; \$9 = \$4 } 1' tilts.csv >given.csv &&
	 $sim $tiled --tilt-csv given.csv --truth used.csv -o own.tif && csvdiff stack= tile= y= x= z_offset=1e-15 zenith=1e-15 azimuth=1e-15 given.csv used.csv && differ tiles.tif own.tif"
ok 'a table without a tile is refused' \
	"sed 3d given.csv >short.csv; $sim $tiled --tilt-csv short.csv -o own2.tif; [ \$? = 1 ] && grep 'expected 6' err && [ ! -e own2.tif ]"
ok 'the tilt of a noise-free stack is found (in some 30 evaluations)' \
	"tiltsim --config pheno --slices 7 --phantom disks --size 96 --phase-peak 0.1 --zenith 0.12 --azimuth 2.2 --focus-offset 0.3 --truth t.csv -o found.tif &&
	 tiltrecon --config pheno --optimize bfgs --iters 40 --taper 0 --reg 1e-5 --tilt-out r.csv found.tif && csvdiff stack= tile= z_offset=5e-3 tilt=1e-3 t.csv r.csv"
ok 'a stack in a pipe carries its pixel and spacing' \
	"$sim $small -o - | tiltrecon --wavelength .45 --na-det .55 --na-ill .4 -o piped.tif - && $sim $small -o s.tif && tiltrecon --config pheno -o filed.tif s.tif && tiffdiff piped.tif filed.tif"
ok 'many objects make many stacks' \
	"mkdir -p many && cp phase.tif many/a.tif && cp phase.tif many/b.tif && $sim -O many --truth many.csv many/a.tif many/b.tif && tiffdiff many/a_stack.tif many/b_stack.tif &&
	 cut -d, -f1 many.csv | paste -sd, | grep -x stack,a_stack,b_stack"
ok '--dry-run writes nothing and names the sizes' "rm -f dry.tif; $sim --dry-run -o dry.tif phase.tif | grep '1x40x48' && [ ! -e dry.tif ]"

refused() { ok "$1 exits 2 and names $2" "$3; [ \$? = 2 ] && [ \$(wc -l <err) = 1 ] && grep -qe '$2' err"; }
refused 'no object' PHASE.tif "$sim -o s.tif"
refused 'a phantom without size' size "$sim --phantom cells -o s.tif"
refused 'a size without phantom' phantom "$sim --size 20 -o s.tif phase.tif"
refused 'an object and a phantom' phantom "$sim $small -o s.tif phase.tif"
refused 'no slices' slices "tiltsim --config pheno -o s.tif phase.tif"
refused 'no output' '-o' "$sim phase.tif"
refused 'gauss without a number' gauss:S "$sim $small --noise gauss: -o s.tif"
refused 'a negative gauss' gauss:S "$sim $small --noise gauss:-1 -o s.tif"
refused 'points of the linear model' points "$sim $small --points 9 -o s.tif"
refused 'an aperture beyond the index' na-det "$sim $small --na-det 1.2 -o s.tif"
refused 'an overlap as large as the tile' overlap "$sim $small --tile 16 --overlap 16 -o s.tif"
refused 'one name for two products' phantom-out "$sim $small --phantom-out s.tif -o s.tif"

failed() { ok "$1 exits 1 and names $2" "rm -f no.tif; $3; [ \$? = 1 ] && grep -qe '$2' err && [ ! -e no.tif ]"; }
ok 'a bound of memory changes no byte, and is refused with one figure where nothing fits' \
	"$sim $tiled -o m.tif && $sim $tiled --mem 2M -o m2.tif && same m.tif m2.tif &&
	 $sim $small --forward abbe --points 9 --mem 2M -o y.tif && same x.tif y.tif; rc=\$?
	 $sim $small --mem 100K -o no.tif 2>mem; [ \$? = 1 ] && [ \$(wc -l <mem) = 1 ] && grep -q bytes mem && [ \$rc = 0 ]"
failed 'an absorption of another size' 'absorb.tif' "tiltsim --config pheno --slices 1 --phantom disks --size 20 --phantom-out absorb.tif -o s.tif && $sim --absorption absorb.tif -o no.tif phase.tif"
failed 'a stack for an object' 'expected 1' "$sim -o no.tif stack.tif"
failed 'an object that is missing' 'nothing.tif' "$sim -o no.tif nothing.tif"
failed 'a tilt beyond the objective' 'zenith 1.1' "tiltsim --config track --slices 1 $small --zenith 1.1 -o no.tif"
failed 'no spacing anywhere' 'z-step' "tiltsim --wavelength .45 --pixel .3 --na-det .5 --na-ill .3 --slices 3 $small -o no.tif"
done_testing
