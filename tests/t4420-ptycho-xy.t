#!/bin/bash
# ptychorecon --xy=scan: which of the eight ways to read a table of positions is the scan's, and what it is the same as.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
ptychosim -q --frames 81 --size 64 --step 6 --seed 5 --photons 1e6 -o s
scan() { ptychorecon -q --xy=scan -o out "$@" s_dp.tif; }
# Columns of the table without its quotes: 1 rank, 2 and 3 xy, 4 R, 5 and 6 twin, 7 tie, 8 orientation
plain() { tail -n +2 "$1" | tr -d '"'; }
first() { plain "$1" | head -1 | cut -d, -f2,3; }
# What a stage writes for a beam at x, y when it is read right by --xy=$1: columns of the table turned and mirrored
written() {
	case $1 in
	x,y) echo '$2 "," $3' ;; -x,y) echo '(-$2) "," $3' ;; x,-y) echo '$2 "," (-$3)' ;; -x,-y) echo '(-$2) "," (-$3)' ;;
	y,x) echo '$3 "," $2' ;; y,-x) echo '(-$3) "," $2' ;; -y,x) echo '$3 "," (-$2)' ;; -y,-x) echo '(-$3) "," (-$2)' ;;
	esac
}
ways='x,y -x,y x,-y -x,-y y,x y,-x -y,x -y,-x'
slow || ways='-x,y y,-x'
for way in $ways; do
	awk -F, "NR == 1 { print \"x_px,y_px\"; next } { print $(written "$way") }" s_pos.csv >"pos$way.csv"
	ok "positions written for $way: it is found, with a probe whose phase is known, and no tie" \
		"scan -p 'pos$way.csv' --probe s_truth_probe.tif >t && [ \"\$(first t)\" = '$way' ] && [ \"\$(plain t | head -1 | cut -d, -f7)\" = 0 ] && quiet"
done
ok 'the same positions reconstruct to the same object' \
	"ptychorecon -q -a wasp:3 -p s_pos.csv --probe s_probe0.tif -o a s_dp.tif && ptychorecon -q -a wasp:3 -p pos-x,y.csv --xy=-x,y --probe s_probe0.tif -o b s_dp.tif && tiffdiff a_object.tif b_object.tif"
ok 'without a known phase the twin with both signs changed ties, and both are named with what is told apart' \
	"ptychorecon --xy=scan -p s_pos.csv --probe data -o out s_dp.tif >cold && [ \"\$(plain cold | cut -d, -f7 | sort -u)\" = 1 ] && says 'conjugate twins' && says 'x,y' && says '-x,-y' && says sign &&
	 [ \"\$(plain cold | head -2 | cut -d, -f2,3 | sort | paste -sd' ')\" = '-x,-y x,y' ]"
ok 'each way and the orientation named beside it are one: the same R to 3e-3, by --orientation=scan' \
	"ptychorecon -q --orientation=scan -p s_pos.csv --probe data -o out s_dp.tif >turned && [ \"\$(plain cold | cut -d, -f8 | sort -u | wc -l)\" = 8 ] &&
	 awk -F, 'NR == FNR { R[\$2] = \$3; next } { d = \$4 / R[\$8] - 1; print \$2, \$3, \$8, d; if (d > 3e-3 || d < -3e-3) exit 1 }' turned <(plain cold)"
ok 'the pair that is right is 1 % better than any other' "plain cold | awk -F, 'NR == 2 { best = \$4 } NR > 2 && \$4 < 1.01 * best { exit 1 }'"
ok 'in frames that are turned the orientation named holds that as well' \
	"ptychosim -q --frames 81 --size 64 --step 6 --seed 5 --photons 1e6 --orientation fliplr -o s2 && ptychorecon -q --xy=scan -p s_pos.csv --orientation fliplr --probe s_truth_probe.tif -o out s2_dp.tif >t && [ \"\$(first t)\" = x,y ] && [ \"\$(plain t | head -1 | cut -d, -f8)\" = fliplr ]"
ok 'threads change nothing'		"scan -p s_pos.csv --probe data --threads 1 >one && same one cold"
ok 'nothing is reconstructed'		'[ -z "$(find . -name "out_*")" ]'
ok 'with scales and a rotation positions are read first, then scaled' \
	"awk -F, 'NR == 1 { print \"x_px,y_px\"; next } { print -\$2 / 2 \",\" \$3 / 2 }' s_pos.csv >half.csv && scan -p half.csv --position-scale 2,2 --probe s_truth_probe.tif >t && [ \"\$(first t)\" = -x,y ]"
ok 'both scans at once are refused'	"exits 2 scan --orientation=scan -p s_pos.csv && says 'expected one'"
ok 'a scan of two inputs is refused'	"exits 2 ptychorecon --xy=scan -p s_pos.csv -O . s_dp.tif s2_dp.tif && says -- --xy"
ok 'in the near field and with slices it is refused' \
	"exits 2 scan -p s_pos.csv --slices 2 --slice-spacing 1e-6 --energy 8 --pixel 1e-8 && says slices && exits 2 scan -p s_pos.csv --near-field --energy 8 --distance 1e-3 --detector-pixel 1e-8 --probe s_probe0.tif && says 'near field'"
ok 'and in a row of a manifest'		"printf 'frames,positions,output,xy\\ns_dp.tif,s_pos.csv,m,scan\\n' >m.csv && exits 2 ptychorecon --list m.csv && says manifest"
ok 'scan is no axis'			"exits 2 ptychorecon --xy=scan,y -p s_pos.csv -o x s_dp.tif"
done_testing
