#!/bin/bash
# Positions that are far off: refined from coarse to fine.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
# column NAME of a table
column() { awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$1"; }
# root mean square in px of what TABLE has more than their mean of difference to the true positions
off() {
	paste -d, <(column s_truth_pos.csv x_px) <(column s_truth_pos.csv y_px) <(column "$1" x_px) <(column "$1" y_px) |
		awk -F, '{ x = $3 - $1; y = $4 - $2; q += x ^ 2 + y ^ 2; sx += x; sy += y } END { print sqrt(q / NR - (sx / NR) ^ 2 - (sy / NR) ^ 2) }'
}
less() { awk -v a="$1" -v b="$2" -v f="$3" 'BEGIN { print a, b; exit !(a > 0 && a < f * b) }'; }	# A B F: A is below F B
recon() { ptychorecon -q -p s_pos.csv --probe s_probe0.tif --subpixel fourier "$@" s_dp.tif; }

ptychosim -q --frames 100 --size 64 --step 5 --photons 1e6 --seed 4 --position-error 2 -o s
ok 'positions off by 2.7 px: fine slopes leave more than half of it' \
	'recon -a wasp:60 --refine-positions 5,1,8,0.5 -o fine && ! less "$(off fine_positions.csv)" "$(off s_pos.csv)" 0.5'
ok 'from coarse to fine less than a third' \
	'recon -a wasp:60 --refine-positions 5,1,8,0.5,4 -o coarse && less "$(off coarse_positions.csv)" "$(off s_pos.csv)" 0.333'
ok 'off it changes no byte' \
	'recon -a wasp:7 --refine-positions 2,1,8,0.5 -o a && recon -a wasp:7 --refine-positions 2,1,8,0.5,0 -o b && tiffdiff a_object.tif b_object.tif && same a_positions.csv b_positions.csv && recon -a wasp:7 --refine-positions 2,1,8,0.5,4 -o c && differ a_positions.csv c_positions.csv'
ok 'the same bytes on one thread, and for a run that was killed and goes on' \
	'run="ptychorecon --verbose -p s_pos.csv --probe s_probe0.tif --subpixel fourier -a lsqml:9 --refine-positions 2,1,8,0.5,4 -o k" && $run --threads 1 s_dp.tif && for f in object.tif positions.csv; do mv k_$f one_$f; done && rm -f k_* && : >err &&
	 killed_at k.ckpt/state.json $run --checkpoint 4 s_dp.tif && [ ! -e k_object.tif ] && $run --checkpoint 4 --resume s_dp.tif && says "goes on after iteration" && tiffdiff k_object.tif one_object.tif && same k_positions.csv one_positions.csv'
for v in 2,1,8,0.5,-1 2,1,8,0.5,x 2,1,8,0.5,4,4; do
	ok "$v is refused" "exits 2 recon --refine-positions $v -o x && says COARSE"
done
done_testing
