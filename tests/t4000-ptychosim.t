#!/bin/bash
# ptychosim: goldens, what its files hold, counting, layouts, and how it refuses.  Its arithmetic is held to the model in double by
# unit-ptycho-simulate.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

small='--frames 16 --size 32 --step 4 --jitter 1 --photons 1e5'

if [ -d "$shared/golden/ptycho" ]; then
	golden=$shared/golden/ptycho tiny=$shared/data/ptycho
	ok 'goldens: frames to 2e-5 of their maximum, object and probe to 1e-4, positions exactly' \
		"ptychosim --frames 25 --size 32 --seed 3 --photons 2e5 --step 4 --jitter 1.5 --noise none --type f32 -o sim &&
		 tiffdiff -t 2e-5 $golden/sim_dp.tif sim_dp.tif && tiffdiff -t 1e-4 $golden/sim_truth_object.tif sim_truth_object.tif &&
		 tiffdiff -t 1e-4 $golden/sim_truth_probe.tif sim_truth_probe.tif && same $golden/sim_pos.csv sim_pos.csv && same sim_pos.csv sim_truth_pos.csv"
	ok 'the start probe is that of the data' "tiffdiff -t 1e-6 $tiny/tiny_probe0.tif sim_probe0.tif"
	ok 'errors of positions are the seed'"'"'s normal numbers' \
		"ptychosim --frames 25 --size 32 --seed 3 --step 4 --jitter 1.5 --position-error 0.7 -o err && csvdiff frame= x_px=6e-5 y_px=6e-5 $tiny/tiny_error_pos.csv err_pos.csv &&
		 same sim_pos.csv err_truth_pos.csv"
elif [ "${CI:-}" = true ]; then
	ok 'the shared folder is there' false
else
	skip 'goldens' "no folder $shared"
fi

ok 'six files, and a mask only with dead pixels' \
	"ptychosim $small -o six && [ \"\$(echo six_*)\" = 'six_dp.tif six_pos.csv six_probe0.tif six_truth_object.tif six_truth_pos.csv six_truth_probe.tif' ]"
ok 'the same seed gives the same bytes on any number of threads, for any bound of memory' \
	"ptychosim $small --modes 2 --subpixel --threads 1 -o one && ptychosim $small --modes 2 --subpixel --threads 3 --mem 200K -o three &&
	 for f in dp.tif pos.csv truth_object.tif truth_probe.tif probe0.tif; do same one_\$f three_\$f || exit 1; done"
ok 'another seed does not' "ptychosim $small --seed 2 -o other && differ six_dp.tif other_dp.tif && differ six_truth_object.tif other_truth_object.tif"
ok 'a seed counts to its last digit' \
	"ptychosim $small --seed 9223372036854775807 -o a && ptychosim $small --seed 9223372036854775806 -o b && differ a_dp.tif b_dp.tif"

ok 'counts have the expected mean and variance, to five standard deviations' \
	"ptychosim --frames 64 --size 64 --step 2 --photons 1e6 --type f32 -o noisy && ptychosim --frames 64 --size 64 --step 2 --photons 1e6 --type f32 --noise none -o clean &&
	 tiffframes poisson clean_dp.tif noisy_dp.tif && ! tiffframes poisson noisy_dp.tif clean_dp.tif"
ok 'without noise a frame has the photons of the probe but those that the object took, at most 1 - 0.8^2' \
	"tiffstat clean_dp.tif | awk '\$2 * 4096 > 1e6 || \$2 * 4096 < 0.64e6 { exit 1 } END { exit NR != 64 }'"
ok 'u16 holds whole counts, the rounded f32' \
	"ptychosim $small --noise none --type f32 -o f && ptychosim $small --noise none --type u16 -o u && tiffdiff -a -t 0.5 f_dp.tif u_dp.tif &&
	 ptychosim $small --type f32 -o f && tiffdiff f_dp.tif six_dp.tif"

ok 'dead pixels: value 0 in all frames, mask 0, one pixel of the mask for each' \
	"ptychosim $small --dead 40 -o dead && tiffstat dead_mask.tif | awk '{ exit \$2 * 1024 < 983.999 || \$2 * 1024 > 984.001 }' &&
	 ptychosim $small --noise none --type f32 -o ref && ptychosim $small --noise none --type f32 --dead 40 -o masked &&
	 tiffframes masked ref_dp.tif dead_mask.tif masked_dp.tif && ! tiffdiff -t 1e-3 ref_dp.tif masked_dp.tif"
ok 'the counts of living pixels are those without dead ones' 'tiffframes masked six_dp.tif dead_mask.tif dead_dp.tif'

ok 'orientations reduce: rot90_cw,fliplr is transpose, rot90_cw,rot90_ccw nothing' \
	"ptychosim $small --orientation rot90_cw,fliplr -o a && ptychosim $small --orientation transpose -o b && tiffdiff a_dp.tif b_dp.tif && ! tiffdiff -t 1e-2 six_dp.tif b_dp.tif &&
	 ptychosim $small --orientation rot90_cw,rot90_ccw -o c && tiffdiff six_dp.tif c_dp.tif"
ok 'a mask is turned with the frames' \
	"for o in rot90_ccw transpose; do for dc in centre corner; do
		ptychosim $small --orientation \$o --dc \$dc -o a && ptychosim $small --orientation \$o --dc \$dc --dead 40 -o b && tiffframes masked a_dp.tif b_mask.tif b_dp.tif || exit 1; done; done &&
	 differ b_mask.tif dead_mask.tif"
ok 'the frames are turned by the operation asked for, and moved to the corner after it' \
	"for o in fliplr flipud rot180 transpose rot90_ccw rot90_cw antitranspose; do ptychosim $small --orientation \$o -o t && tiffframes turned \$o six_dp.tif t_dp.tif || exit 1; done &&
	 ptychosim $small --orientation antitranspose --dc corner -o c && tiffframes corner t_dp.tif c_dp.tif && ! tiffframes turned rot180 six_dp.tif t_dp.tif"
ok 'the beam is at the middle or at the corner' \
	"ptychosim $small --dc corner -o corner && tiffframes beam six_dp.tif 16 16 && tiffframes beam corner_dp.tif 0 0 && ! tiffframes beam corner_dp.tif 16 16"

ok 'positions of a table, in the order of its frames' \
	"printf '%s\n' frame,x_px,y_px 2,1,5 0,3.4,2.5 1,-6,0 >given.csv && ptychosim --size 16 --positions given.csv -o own &&
	 printf '%s\n' frame,x_px,y_px 0,3,3 1,-6,0 2,1,5 >want.csv && same want.csv own_pos.csv &&
	 ptychosim --size 16 --positions given.csv --subpixel -o own && sed -i 's/0,3,3/0,3.3999999999999999,2.5/' want.csv && same want.csv own_pos.csv"
ok 'its own truth simulates the same scan again' \
	"ptychosim $small --modes 2 --subpixel --noise none --type f32 -o first &&
	 ptychosim --size 32 --positions first_truth_pos.csv --object first_truth_object.tif --probe first_truth_probe.tif --modes 2 --photons 1e5 --subpixel --noise none --type f32 -o second &&
	 tiffdiff -t 1e-6 first_dp.tif second_dp.tif && tiffdiff -t 1e-6 first_truth_probe.tif second_truth_probe.tif && tiffdiff first_truth_object.tif second_truth_object.tif &&
	 ptychosim $small -o first1 && tiffdiff -t 1e-6 first1_probe0.tif six_probe0.tif"
ok 'the start probe of a file is that of the disc with the same curvature' \
	"ptychosim $small --probe disc:0.15625,0.012,1.5 -o a && ptychosim --frames 16 --size 32 --step 4 --jitter 1 --photons 1e5 --probe a_truth_probe.tif -o b && tiffdiff -t 2e-6 a_probe0.tif b_probe0.tif"
ok 'modes share the power as asked' \
	"ptychosim $small --modes 3 --mode-power 0.2 --noise none -o modes && tiffstat modes_truth_probe.tif >m && awk '{ e = (\$3 * 1023 / 1024 + \$2 * \$2) * 1024; p[int((NR - 1) / 2)] += e }
	 END { print p[0], p[1], p[2]; exit !(NR == 6 && p[0] > 59990 && p[0] < 60010 && p[1] > 19990 && p[1] < 20010 && p[2] > 19990 && p[2] < 20010) }' m"

slices="--slices 3 --slice-spacing 2um --noise none --type f32"
ok 'optics from energy, distance and detector pixel, or from wavelength and pixel' \
	"ptychosim $small $slices --energy 8 --distance 1 --detector-pixel 100um -o a && ptychosim $small $slices --wavelength 1.54980248e-10 --pixel 4.84313275e-8 -o b && tiffdiff -t 1e-6 a_dp.tif b_dp.tif &&
	 ptychosim $small $slices --energy 8 --pixel 20nm -o c && ! tiffdiff -t 1e-3 a_dp.tif c_dp.tif && tiffstat a_truth_object.tif | awk 'END { exit NR != 6 }'"
ok 'slices that touch act as one of their product' \
	"ptychosim $small --slices 2 --slice-spacing 1e-15 --energy 8 --pixel 20nm --object siemens --noise none --type f32 -o thin && ptychosim $small --object siemens --noise none --type f32 -o one && ! tiffdiff -t 1e-3 one_dp.tif thin_dp.tif && tiffdiff -t 0.03 one_dp.tif thin_dp.tif"

slow && ok 'both FFT libraries agree to 2e-6' \
	"ptychosim $small --subpixel --modes 2 --noise none --type f32 --fft fftw -o fftw && ptychosim $small --subpixel --modes 2 --noise none --type f32 --fft clfft -o clfft && tiffdiff -t 2e-6 fftw_dp.tif clfft_dp.tif"
ok 'a spiral begins in the middle and is as dense as the raster: the median distance of neighbours is 0.9 to 1 of the step' \
	"ptychosim --frames 200 --size 16 --scan spiral --step 10 --jitter 0 --subpixel --photons 10 -o sp && [ \$(sed -n 2p sp_truth_pos.csv) = 0,0,0 ] &&
	 awk -F, 'NR > 1 { x[NR] = \$2; y[NR] = \$3 } END { for (i in x) { m = 1e9; for (j in x) if (i != j) { d = (x[i] - x[j])^2 + (y[i] - y[j])^2; if (d < m) m = d } print sqrt(m) } }' sp_truth_pos.csv |
		sort -n | sed -n 100p | awk '{ print; exit !(\$1 > 9 && \$1 < 10) }'"
ok '8900 small frames in 5 seconds' \
	"SECONDS=0; ptychosim --frames 8900 --size 16 --step 2 --jitter 1 -o many && [ \$SECONDS -le 5 ] && says 'f32 instead of u16' && [ \$(wc -l <many_pos.csv) = 8901 ] && tiffstat many_dp.tif | awk '\$2 <= 0 { exit 1 } END { exit NR != 8900 }'"
ok '--dry-run names the sizes and writes nothing' "ptychosim --dry-run $small -o dry | grep '16x32x32 u16' && ! ls dry_*"

refused() { ok "$1 exits 2 and names $2" "ptychosim -o no $3; [ \$? = 2 ] && [ \$(wc -l <err) = 1 ] && grep -qe '$2' err && ! ls no_*"; }
refused 'an operand' operand x.tif
refused 'no frames' frames '--frames 0'
refused 'a side of 7' size '--size 7'
refused 'an unknown orientation' rot90_cw '--orientation rot90'
refused 'a disc without radius' RADIUS '--probe disc:'
refused 'a disc of four numbers' RADIUS '--probe disc:.1,.1,1,1'
refused 'a disc larger than the frame' RADIUS '--probe disc:1.5'
refused 'a name behind the disc' RADIUS '--probe disc:0.1x'
refused 'modes of more than all power' mode-power '--modes 11 --mode-power 0.1'
refused 'all pixels dead' dead '--size 8 --dead 64'
refused 'a table and a number of frames' positions '--positions given.csv --frames 3'
refused 'slices without spacing' slice-spacing '--slices 2 --energy 8 --pixel 1e-8'
refused 'slices without light' wavelength '--slices 2 --slice-spacing 1e-6 --pixel 1e-8'
refused 'slices without pixel' distance '--slices 2 --slice-spacing 1e-6 --energy 8'
refused 'both energy and wavelength' wavelength '--slices 2 --slice-spacing 1e-6 --energy 8 --wavelength 1e-10 --pixel 1e-8'
refused 'optics of a thin object' slices '--energy 8'
refused 'a negative seed' seed '--seed -1'
ok 'no output exits 2' 'exits 2 ptychosim && says output'
ok 'nor is it stdout' 'exits 2 ptychosim -o - && says output'

failed() { ok "$1 exits 1 and names $2" "ptychosim -o no $3; [ \$? = 1 ] && [ \$(wc -l <err) = 1 ] && grep -qe '$2' err && ! ls no_*"; }
failed 'a u16 that saturates' 'frame 0 has' '--frames 4 --photons 1e9 --type u16'
printf '%s\n' frame,x_px,y_px 0,1,1 0,2,2 >twice.csv
printf '%s\n' x_nm,y_nm 1,1 >unit.csv
printf '%s\n' x_px,y_px 1,one >word.csv
printf '%s\n' frame,x_px,y_px 0,1,1 2,2,2 >far.csv
failed 'a frame twice' 'line 3' '--positions twice.csv'
failed 'positions in nm' x_px '--positions unit.csv'
failed 'a word for a number' 'y_px' '--positions word.csv'
failed 'a frame beyond the last' 'frame' '--positions far.csv'
failed 'a table that is missing' nothing.csv '--positions nothing.csv'
failed 'an object of another shape' 'expected 54x52' "$small --object six_probe0.tif"
failed 'a probe of another size' 'expected 64x64' '--frames 4 --size 64 --probe six_probe0.tif'
failed 'a probe of more modes' 'pages' "$small --probe modes_truth_probe.tif --modes 2"
failed 'an object that is missing' nothing.tif "$small --object nothing.tif"
failed 'a canvas beyond the memory' 'canvas' '--frames 4 --step 1e6'
ok 'a missing folder exits 1' "exits 1 ptychosim $small -o nowhere/x && says nowhere"
ok '--profile: what is made, computed and written' 'ptychosim -q --frames 9 --size 16 --step 3 --profile=p.csv -o profiled && [ "$(grep ^stage p.csv | cut -d, -f2 | grep -c "^make\$\|^compute\$\|^write\$")" = 3 ]'
done_testing
