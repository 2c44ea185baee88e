#!/bin/bash
# The example of ptychography, without its set-up, does what it says: the measured Siemens star to the specification's bar.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
example=$srcdir/examples/ptycho
cell() { awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { v = $c } END { print v }' "$1"; }

ok 'the script is bash and can be started' "head -n 1 '$example/run.sh' | grep -x '#!/bin/bash' && [ -x '$example/run.sh' ] && bash -n '$example/run.sh'"
ok 'it runs, in a minute of processor time, and says where its files are' '
	mkdir -p checkout/examples/ptycho && sed "s|^\"\$root/examples/setup.sh\"|:|" "$example/run.sh" >checkout/examples/ptycho/run.sh &&
	ln -sfn "$builddir" checkout/build && ln -sfn "$example/data" checkout/examples/ptycho/data &&
	TIMEFORMAT="%U %S" && { time bash checkout/examples/ptycho/run.sh >said; } 2>spent && tail -n 1 spent | awk "{ exit !(\$1 + \$2 < 60) }" &&
	for f in star_object.tif star_probe.tif star_preview.png frc.csv; do [ -s checkout/ptycho-out/$f ] && grep -q $f said || exit 1; done'
ok 'the star to R 0.155' 'R=$(cell checkout/ptycho-out/star_log.csv R); grep -q "R $R:" said && awk -v r="$R" "BEGIN { print r; exit !(r <= 0.155) }"'
ok 'halves of the scan agree up to a spatial frequency between 0.12 and 0.5' \
	'r=$(cell checkout/ptycho-out/resolution.csv half_bit_cycles_per_px); tail -n 1 said | grep -x "$r" && awk -v r="$r" "BEGIN { print r; exit !(r > 0.12 && r <= 0.5) }"'
slow && ok 'all: the frames are as the tool takes them, or their twin; positions before and after, a picture of the moves' '
	ln -sfn "$srcdir/examples/profile" checkout/examples/profile && bash checkout/examples/ptycho/run.sh all >said &&
	[ "$(head -n 1 checkout/ptycho-out/orientation.csv)" = rank,orientation,R,twin,tie ] && [ "$(wc -l <checkout/ptycho-out/orientation.csv)" = 9 ] &&
	sed -n 2p checkout/ptycho-out/orientation.csv | grep "^1,\\(identity\\|rot180\\)," && grep -q "<circle" checkout/ptycho-out/positions.svg &&
	awk -F, "NR > 1 { e = \$4 - \$2 - \$6; f = \$5 - \$3 - \$7; if (e * e + f * f > 1e-8) bad = 1; if (\$6 || \$7) moved++ } END { exit bad || NR != 517 || moved < 400 }" checkout/ptycho-out/positions.csv'
done_testing
