#!/bin/bash
# ptychorecon against the bars of the golden quality.csv: R, nll and, where there is a truth, what is left of the difference to it, on
# measured and simulated frames.  A few rows when fast; else of each engine and setting the row with the most iterations up to 20;
# with TESTS_LONG=1 every row (half an hour).
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
for f in siemens_dp.tif siemens_pos.csv siemens_probe0.tif; do ln -s "$shared/data/ptycho/$f" .; done
quality=$shared/golden/ptycho/quality.csv

ok 'ptychosim makes the scan of the simulated rows' 'ptychosim -q -o sim && [ -e sim_truth_object.tif ] && [ -e sim_probe0.tif ]'
few='siemens,1,wasp,batch=8,10 siemens,1,lsqml,batch=16,5 siemens,3,wasp,batch=8,15 sim500,1,wasp,batch=8,10 sim500,1,dm,,20 sim500,1,er,,10'
# of each case, modes, engine and settings, the last row of at most 20 iterations
chosen=$(awk -F, 'NR > 1 && $5 <= 20 { row[$1 "," $2 "," $3 "," $4] = $1 "," $2 "," $3 "," $4 "," $5 } END { for (k in row) print row[k] }' "$quality" | paste -sd' ')
while IFS= read -r row; do
	IFS=, read -r case modes engine settings iterations _ <<<"$row"
	[[ $case != case ]] || continue
	slow && rows=$chosen || rows=$few
	[ -n "${TESTS_LONG:-}" ] || [[ " $rows " == *" $case,$modes,$engine,$settings,$iterations "* ]] || continue
	ok "$case, $modes modes, $engine${settings:+ $settings}: after $iterations iterations as good as the reference" "ptychobar '$row'"
done <"$quality"
ok 'a bar can be missed: one iteration is not ten' '! ptychobar siemens,1,wasp,batch=8,1,0.1527,0.8801,nan'
done_testing
