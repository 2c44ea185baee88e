#!/bin/bash
# Peer compatibility (spec section 10): the compatible answer is the peer's own, stored in tests/data; beside each stands the right one.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
in=$shared/data/tilt peer=$srcdir/tests/data
pheno='--config pheno --focus-offset 0.3 --zenith 0.08 --azimuth 0.7 --outputs both'
track='--config track --focus-offset -0.4 --zenith 0.04 --azimuth 2.2 --outputs both'
oil='--model thick --wavelength 0.532 --pixel 0.1 --z-step 0.25 --index 1.3 --na-det 1.2 --na-ill 0.9 --z-pad 2 --zenith 0.2 --azimuth 0.6'
deep='--model thick --config pheno --z-pad 3 --zenith 0.1 --azimuth 2'

# equals PEER OPTIONS STACK: float32 noise of the peer, 1e-5 of the largest value
# shellcheck disable=SC2086  # a list of options
equals() { tiltrecon -q $2 -o got.tif "$in/$3" && tiffdiff -t 1e-5 "$peer/$1.tif" got.tif; }

ok 'thin, even size: the compatible answer is the peer'"'"'s' "equals waveorder_thin '--compat waveorder $pheno' thin7x48.tif"
ok 'thin, odd size: the peer is off by one bin, so is the compatible answer' \
	"equals waveorder_thin_odd '--compat waveorder $track' thin9x45x53.tif"
ok '... and the right answer is not: its filter alone does not make the difference' \
	"! equals waveorder_thin_odd '--inverse waveorder $track' thin9x45x53.tif"
ok 'thick, odd sizes and padding: the compatible answer is the peer'"'"'s' \
	"equals waveorder_thick_odd '--compat waveorder $deep' thick9x31x33.tif"
ok 'thick, inverted: the compatible answer is the peer'"'"'s' \
	"equals waveorder_thick_invert '--compat waveorder --invert $oil' thick8x32.tif"
ok '... and the right answers of both differ from it by more than a tenth' \
	"! { tiltrecon -q $deep -o got.tif $in/thick9x31x33.tif && tiffdiff -t 0.1 $peer/waveorder_thick_odd.tif got.tif; } &&
	 ! { tiltrecon -q --invert $oil -o got.tif $in/thick8x32.tif && tiffdiff -t 0.1 $peer/waveorder_thick_invert.tif got.tif; }"
ok 'the compatible thick model ignores the order of the slices, the right one does not' \
	"tiltrecon -q --compat waveorder $oil -o down.tif $in/thick8x32.tif && tiltrecon -q --compat waveorder --z-order ascending $oil -o up.tif $in/thick8x32.tif &&
	 tiffdiff -t 0 down.tif up.tif && tiltrecon -q $oil -o down.tif $in/thick8x32.tif && tiltrecon -q --z-order ascending $oil -o up.tif $in/thick8x32.tif &&
	 ! tiffdiff -t 0.01 down.tif up.tif"

# its thin filter lacks the conjugate: the same as half a turn more
ok "the peer's filter at an azimuth is least squares at half a turn more" \
	"tiltrecon -q --inverse waveorder --config pheno --zenith 0.08 --azimuth 0.7 --outputs both -o peer.tif $in/thin7x48.tif &&
	 tiltrecon -q --config pheno --zenith 0.08 --azimuth 3.8415926535897931 --outputs both -o turned.tif $in/thin7x48.tif && tiffdiff -t 1e-5 peer.tif turned.tif"
ok '--azimuth-from waveorder turns --azimuth' \
	"tiltrecon -q --config pheno --zenith 0.08 --azimuth 0.7 --azimuth-from waveorder --outputs both -o given.tif $in/thin7x48.tif && tiffdiff -t 1e-6 turned.tif given.tif &&
	 tiltrecon -q --config pheno --zenith 0.08 --azimuth 0.7 --outputs both -o plain.tif $in/thin7x48.tif && ! tiffdiff -t 0.01 plain.tif given.tif"
ok '... and --tilt-csv' \
	"printf 'tile,zenith,azimuth\n0,0.08,0.7\n' >t.csv && tiltrecon -q --config pheno --tilt-csv t.csv --azimuth-from waveorder --outputs both -o table.tif $in/thin7x48.tif &&
	 tiffdiff -t 1e-6 turned.tif table.tif"
ok '... and a warm start' \
	"tiltrecon -q --config pheno --warm-start t.csv --skip-warm --azimuth-from waveorder --outputs both -o warm.tif $in/thin7x48.tif && tiffdiff -t 1e-6 turned.tif warm.tif"
ok '... and --init-azimuth' \
	"tiltrecon -q --config pheno --optimize nadam --iters 1 --init-zenith 0.08 --init-azimuth 0.7 --azimuth-from waveorder --trace a.csv $in/thin7x48.tif &&
	 sed -n 2p a.csv | awk -F, '{ d = \$5 - 0.7 - 3.14159265358979; exit !(d < 1e-9 && -d < 1e-9) }'"

# a dark plane
ok 'a plane without light is refused with its page; the compatible answer takes it as the peer does' \
	"tiffmake -t f32 -n 3 -s 32,32 -k 0 zero.tif &&
	 exits 1 tiltrecon -q --config pheno -o no.tif zero.tif && says 'page 1' && [ ! -e no.tif ] && tiltrecon -q --compat waveorder --config pheno -o yes.tif zero.tif"

# optimisers with the peer's filter
ok 'the search goes with the compatible filter as well: its image losses are those at half a turn more' \
	"tiltrecon -q --compat waveorder --config pheno --loss midband --opt-inverse diag --zenith 0.06 --azimuth 0.4 --loss-only c.csv $in/thin7x48.tif &&
	 tiltrecon -q --config pheno --loss midband --opt-inverse diag --zenith 0.06 --azimuth 3.5415926535897933 --loss-only r.csv $in/thin7x48.tif && csvdiff loss=1e-4 r.csv c.csv"
ok '... and on odd sizes its derivatives are those of its own loss (central differences in z)' \
	"l() { tiltrecon -q --compat waveorder --config track --loss midband --focus-offset \$1 --zenith 0.04 --azimuth 2.2 --loss-only - $in/thin9x45x53.tif | tail -1; } &&
	 a=\$(l -0.35) b=\$(l -0.45) m=\$(l -0.4) && echo \"\$a,\$b,\$m\" | awk -F, '{ d = (\$3 - \$9) / 0.1; e = d - \$16; exit !(e < 0.02 * (d < 0 ? -d : d) && -e < 0.02 * (d < 0 ? -d : d)) }'"
done_testing
