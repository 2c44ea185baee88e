#!/bin/bash
# The tilt is found where it is: recovery of known tilts, and what the optimisers, losses and their options promise.  The
# arithmetic is held to double loops by unit-tilt, the optimisers to tables by unit-optim, paths to goldens by t1000.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

recon="tiltrecon --config pheno"
tilts='tail -n +2'	# rows of a table

# recovery: stacks of periodic objects without noise, hence no taper and little regularisation; from no tilt at all
recovers() {
	local optics=$1 zenith azimuth
	for zenith in $2; do
		for azimuth in $3; do
			ok "$optics: zenith $zenith, azimuth $azimuth is found from zero within 1e-3, z within 5e-3 slices" \
				"tiltsim -q --config $optics --slices 11 --phantom disks --size 96 --seed 4 --zenith $zenith --azimuth $azimuth --focus-offset 0.3 --truth truth.csv -o s.tif &&
				 tiltrecon -q --config $optics --optimize bfgs --iters 100 --taper 0 --reg 1e-5 --tilt-out found.csv s.tif && csvdiff tilt=1e-3 z_offset=5e-3 truth.csv found.csv"
		done
	done
}
recovers pheno 0.2 2.2
slow && recovers pheno '0.02 0.1 0.2' '0 -1 3.1'
slow && recovers track '0.03' '-2 1'
ok 'no tilt is found as no tilt' \
	"tiltsim --config pheno --slices 7 --phantom cells --size 64 --focus-offset -0.4 --truth truth.csv -o none.tif &&
	 $recon --optimize bfgs --iters 60 --taper 0 --reg 1e-5 --tilt-out found.csv none.tif && csvdiff tilt=1e-3 z_offset=5e-3 truth.csv found.csv"
ok 'an inverted ascending stack as well' \
	"tiltsim --config pheno --z-order ascending --invert --slices 9 --phantom disks --size 64,80 --zenith 0.1 --azimuth 1 --focus-offset 0.3 --truth truth.csv -o up.tif &&
	 $recon --z-order ascending --invert --optimize bfgs --iters 80 --taper 0 --reg 1e-5 --tilt-out found.csv up.tif && csvdiff tilt=1e-3 z_offset=5e-3 truth.csv found.csv"
ok 'with noise and the defaults the tilt is within 0.035 rad, z within 0.1 slices (the taper costs a periodic object that much)' \
	"tiltsim --config pheno --slices 11 --phantom cells --size 128 --seed 2 --zenith 0.1 --azimuth 0.7 --focus-offset 0.4 --brightness 5000 --noise poisson --dtype u16 --truth truth.csv -o noisy.tif &&
	 $recon --optimize bfgs --tilt-out found.csv noisy.tif && csvdiff tilt=0.035 z_offset=0.1 truth.csv found.csv"
ok 'a full sum over the light source as well' \
	"tiltsim --config pheno --forward abbe --points 300 --slices 11 --phantom disks --size 96 --seed 2 --phase-peak 0.3 --zenith 0.1 --azimuth 0.7 --focus-offset 0.3 --truth truth.csv -o abbe.tif &&
	 $recon --optimize bfgs --tilt-out found.csv abbe.tif && csvdiff tilt=0.035 z_offset=0.1 truth.csv found.csv"

# a field of tiles, each with its own tilt
ok 'a field whose tilt differs from tile to tile' \
	"tiltsim --config pheno --slices 7 --phantom disks --size 80,72 --seed 5 --zenith 0.06 --azimuth 0.5 --focus-offset 0.2 --brightness 4000 --noise poisson --truth truth.csv -o field.tif"
tiled="$recon --tile 40 --overlap 16 --optimize bfgs"
ok 'same bytes on one thread and two, in any work-group and in batches of one tile' \
	"$tiled --threads 1 --tilt-out a.csv -o a.tif field.tif && $tiled --threads 2 --tilt-out b.csv -o a2.tif field.tif && same a.csv b.csv &&
	 $tiled --work-group 5 --tilt-out c.csv -o a3.tif field.tif && same a.csv c.csv && tiffdiff a.tif a2.tif && tiffdiff a.tif a3.tif"
ok 'with memory for a few tiles, or for search and reconstruction in turns, the bytes stay' \
	"for m in 1M 4M 14M; do $tiled --mem \$m --tilt-out d.csv -o a4.tif field.tif && same a.csv d.csv && tiffdiff a.tif a4.tif || exit; done"
ok 'memory for less than a tile is refused before anything is computed, with the figure' \
	"$tiled --mem 100K --tilt-out e.csv field.tif; [ \$? = 1 ] && grep 'needs [0-9]* bytes' err && [ ! -e e.csv ]"
ok 'the loss in the table is the loss at the tilt in the table' \
	"$recon --tile 40 --overlap 16 --tilt-csv a.csv --loss-only l.csv field.tif && csvdiff tile= loss=1e-12 a.csv l.csv"
ok 'one z for all tiles: the same number, others than each alone' \
	"$tiled --optimize nadam --z-shared --tilt-out shared.csv field.tif && [ \$($tilts shared.csv | cut -d, -f7 | sort -u | wc -l) = 1 ] &&
	 $tiled --optimize nadam --tilt-out own.csv field.tif && [ \$($tilts own.csv | cut -d, -f7 | sort -u | wc -l) -gt 1 ] &&
	 $tiled --z-shared --tilt-out bfgs.csv field.tif && [ \$($tilts bfgs.csv | cut -d, -f7 | sort -u | wc -l) = 1 ] &&
	 $recon --tile 40 --overlap 16 --tilt-csv bfgs.csv --loss-only l.csv field.tif && csvdiff tile= loss=1e-12 bfgs.csv l.csv"
ok 'one z for all tiles does not hang on the batches' \
	"$tiled --optimize nadam --z-shared --mem 4M --tilt-out shared2.csv field.tif && same shared.csv shared2.csv"

# frozen parameters
frozen() {
	ok "$1: frozen values come back bit for bit, the others move" \
		"for m in $2; do
			$recon --optimize \$m --iters 3 --init-z 0.1 --init-zenith 0.0734 --init-azimuth 7.3 $3 --grid-z 0,1,3 --grid-zenith 0.1,0.1,3 --grid-azimuth 0,1,3 --tilt-out f.csv noisy.tif || exit
			$tilts f.csv | cut -d, -f7-9 | tee row | awk -F, -v want='$4' '{ split(want, w, \" \"); for (i = 1; i <= 3; i++) if ((\$i == w[i]) != (w[i] != \"moves\")) exit 1 }' || { echo \$m; cat row; exit 1; }
		done"
}
z=0.10000000000000001 zen=0.073400000000000007 azi=7.2999999999999998
frozen 'z' 'bfgs nadam adam newton grid' '--freeze z' "$z moves moves"
frozen 'angles' 'bfgs nadam adam newton grid' '--freeze angles' "moves $zen $azi"
frozen 'zenith' 'nadam adam newton grid' '--freeze zenith' "moves $zen moves"
frozen 'rate 0 of azimuth' 'nadam adam newton' '--lr-azimuth 0' "moves moves $azi"
ok 'all frozen exits 2' "$recon --optimize nadam --freeze z,angles --tilt-out f.csv noisy.tif; [ \$? = 2 ] && grep freeze err"
ok 'bfgs with one angle frozen exits 2' "$recon --optimize bfgs --freeze azimuth --tilt-out f.csv noisy.tif; [ \$? = 2 ] && grep freeze err"

# starts, chains, stops, traces
ok 'the trace begins at the start and has a row per evaluation' \
	"$recon --optimize bfgs --init-z 0.2 --init-zenith 0.05 --init-azimuth 30deg --focus-offset 0.1 --trace t.csv --tilt-out f.csv noisy.tif &&
	 head -n 1 t.csv | grep -x tile,iteration,z_offset,zenith,azimuth,loss,d_z_offset,d_zenith,d_azimuth &&
	 sed -n 2p t.csv | awk -F, '{ exit !(\$3 - 0.3 < 1e-12 && 0.3 - \$3 < 1e-12 && \$4 - 0.05 < 1e-12 && 0.05 - \$4 < 1e-12 && \$5 - 0.5235987755982988 < 1e-9) }' &&
	 [ \$($tilts t.csv | wc -l) = \$($tilts f.csv | cut -d, -f11) ]"
ok 'a chain goes on from its first method: grid, then bfgs' \
	"$recon --optimize grid --grid-z 0,1,3 --grid-zenith 0.1,0.1,3 --grid-azimuth 0,2,5 --trace g.csv --tilt-out g1.csv noisy.tif && [ \$($tilts g.csv | wc -l) = 45 ] &&
	 $recon --optimize grid,bfgs --grid-z 0,1,3 --grid-zenith 0.1,0.1,3 --grid-azimuth 0,2,5 --trace c.csv --tilt-out g2.csv noisy.tif &&
	 csvdiff z_offset= zenith=1e-9 azimuth=1e-9 g1.csv <(head -n 1 c.csv; sed -n 47p c.csv) &&
	 paste -d, g1.csv g2.csv | awk -F, 'NR == 2 { exit !(\$22 < \$10) }'"
ok 'early stop: a loose tolerance ends nadam after its patience, and the loss is that of the end' \
	"$recon --optimize nadam --iters 50 --tol 10 --patience 3 --tilt-out s.csv noisy.tif && $tilts s.csv | cut -d, -f11 | grep -x 4 &&
	 $recon --tilt-csv s.csv --loss-only l.csv noisy.tif && csvdiff loss=1e-12 s.csv l.csv"
ok 'bfgs stops when nothing is gained' "$recon --optimize bfgs --iters 1000 --tol 1e-3 --tilt-out s.csv noisy.tif && $tilts s.csv | awk -F, '\$11 > 20 { exit 1 }'"
ok 'z stays within half the stack' "$recon --optimize adam --lr-z 5 --iters 3 --freeze angles --tilt-out s.csv noisy.tif && $tilts s.csv | awk -F, '\$7 > 5 || \$7 < -5 { exit 1 }'"
for loss in residual midband tv laplacian variance flatness; do
	[ $loss = residual ] || slow || continue
	ok "$loss: bfgs and nadam make it smaller" \
		"$recon --loss $loss --init-zenith 0.05 --tilt-csv <(echo tile,zenith,azimuth; echo 0,0.05,0) --loss-only l.csv noisy.tif && for m in bfgs nadam; do
			$recon --loss $loss --init-zenith 0.05 --optimize \$m --tilt-out o.csv noisy.tif || exit
			paste -d, l.csv o.csv | awk -F, 'NR == 2 { exit !(\$16 < \$3) }' || { cat l.csv o.csv; exit 1; }
		done"
done

# what cannot be searched
ok 'a band without a frequency exits 1 and says so' "$recon --optimize bfgs --band 0,0.001 --tilt-out band.csv noisy.tif; [ \$? = 1 ] && grep 'holds no frequency' err && [ ! -e band.csv ]"
ok 'a constant stack keeps its start, loss 0, with a warning, and gives an image of zeros' \
	"tiffmake -t f32 -s 32,32 -n 5 -k 100 flat.tif && $recon --optimize bfgs --init-zenith 0.1 --init-azimuth 1 --tilt-out c.csv -o c.tif flat.tif && grep 'warning: .*constant' err &&
	 csvdiff zenith=1e-12 azimuth=1e-12 loss= <(echo zenith,azimuth,loss; echo 0.1,1,0) c.csv && tiffstat c.tif | awk '{ exit !(\$2 == 0 && \$3 == 0) }'"

# the peer's directions
ok 'azimuths made for waveorder are turned by pi' \
	"$recon --zenith 0.1 --azimuth 0.7 -o own.tif noisy.tif && $recon --zenith 0.1 --azimuth 3.8415926535897931 --azimuth-from waveorder -o turned.tif noisy.tif && tiffdiff -t 1e-5 own.tif turned.tif &&
	 $recon --zenith 0.1 --azimuth 3.8415926535897931 --inverse waveorder -o peer.tif noisy.tif && tiffdiff -t 1e-4 own.tif peer.tif && $recon --zenith 0.1 --azimuth 0.7 --inverse waveorder -o wrong.tif noisy.tif &&
	 ! tiffdiff -t 0.05 own.tif wrong.tif"
ok 'a table made for waveorder as well' \
	"printf 'tile,zenith,azimuth\n0,0.1,3.8415926535897931\n' >peer.csv && $recon --tilt-csv peer.csv --azimuth-from waveorder -o t.tif noisy.tif && tiffdiff -t 1e-5 own.tif t.tif"
done_testing
