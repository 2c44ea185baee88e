#!/bin/bash
# ptychorecon --orientation=scan: the golden table, and the tie of conjugate twins, which went unnoticed once.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
g=$shared/golden/ptycho
for f in tiny_dp.tif tiny_corner_dp.tif tiny_pos.csv tiny_probe0.tif; do ln -s "$shared/data/ptycho/$f" .; done
scan() { ptychorecon --orientation=scan -p tiny_pos.csv -o out "$@"; }
column() { tail -n +2 "$2" | cut -d, -f"$1" | paste -sd' '; }

ok 'a known probe: golden scan.csv, ranks exact, R to 1 %' "scan --probe tiny_probe0.tif tiny_dp.tif >table && csvdiff rank= orientation= R=1e-2r twin= tie= $g/scan.csv table"
ok 'its phase breaks every tie, and nothing is said of twins' '[ "$(column 5 table)" = "0 0 0 0 0 0 0 0" ] && ! says twin'
ok 'nothing is reconstructed'                        '[ -z "$(find . -name "out_*")" ]'
ok 'frames with the beam at the corner: the same table' 'scan --probe tiny_probe0.tif tiny_corner_dp.tif >corner && same table corner'
ok 'threads change nothing'                          'scan --threads 1 --probe tiny_probe0.tif tiny_dp.tif >single && same table single'
ok 'without a known phase all four pairs tie, R equal to 1e-3' '
	scan --probe data tiny_dp.tif >cold && [ "$(column 5 cold)" = "1 1 1 1 1 1 1 1" ] &&
	awk -F, "NR > 1 { R[\$2] = \$3; twin[\$2] = \$4 } END { for (o in R) { d = R[o] / R[twin[o]] - 1; if (d > 1e-3 || d < -1e-3) { print o; exit 1 } } }" cold'
ok 'identity and rot180 lead'                        '[ "$(sed -n 2,3p cold | cut -d, -f2 | sort | paste -sd,)" = identity,rot180 ]'
ok 'and the twins are named on stderr, with what sign of the phase is whose' 'scan --probe data tiny_dp.tif >cold; says twin && says identity && says rot180 && says sign'
ok 'scan is no link of a list'                       'exits 2 scan --orientation=scan,fliplr tiny_dp.tif && says scan'
done_testing
