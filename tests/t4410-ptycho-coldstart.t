#!/bin/bash
# A reconstruction from no probe: the far field's curvature is searched (--probe data:scan, the default).  Held to the run that starts from
# the true or a given probe: R within 5 %, what is left of the difference to the true object within 1.2 times; on the measured data an R of
# 0.155 or less.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
final() { awk -F, '$1 == "final" { print $4 }' "$1_log.csv"; }
below() { awk -v a="$1" -v b="$2" 'BEGIN { print a, b; exit !(a > 0 && a <= b) }'; }
siemens="-p $shared/data/ptycho/siemens_pos.csv $shared/data/ptycho/siemens_dp.tif"

ok 'the Siemens star from no probe at all: R at most 0.155' \
	"ptychorecon -a wasp:$(slow && echo 40 || echo 12) -o star $siemens && below \$(final star) 0.155"
ok 'what was tried is in a table; without curvature it was worse' \
	"[ \"\$(head -1 star_start.csv)\" = round,curvature,astigmatism_a,astigmatism_b,frames,iterations,R ] &&
	 awk -F, '\$1 == 1 && (!n++ || \$7 < best) { best = \$7 } \$1 == 1 && \$2 == 0 { none = \$7 } END { exit !(n > 10 && best < 0.95 * none) }' star_start.csv"

# ---- three other probes: size of the aperture, sign and size of the curvature, side of the frames
cases=('--frames 100 --size 64 --step 6 --photons 2e5 --seed 7 --probe disc:0.25,0.006,1' '--frames 144 --size 96 --step 8 --seed 5 --probe disc:0.2,0.02,1.5'
	'--frames 144 --size 128 --step 10 --seed 6 --probe disc:0.12,-0.015,2')
for i in 0 1 2; do
	n=${cases[i]#*--size } n=${n%% *}
	ok "${cases[i]}: as good as from the true probe" \
		"ptychosim ${cases[i]} -o s$i && ptychorecon -p s${i}_pos.csv --probe s${i}_truth_probe.tif -a wasp:20 -o warm$i s${i}_dp.tif &&
		 ptychorecon -p s${i}_pos.csv -a wasp:20 -o cold$i s${i}_dp.tif && below \$(final cold$i) \$(awk -v r=\$(final warm$i) 'BEGIN { print 1.05 * r }') &&
		 below \$(ptychocompare cold${i}_object.tif s${i}_truth_object.tif $n) \$(awk -v e=\$(ptychocompare warm${i}_object.tif s${i}_truth_object.tif $n) 'BEGIN { print 1.2 * e }')"
done
ok 'the search found the curvature that was simulated, to a tenth' \
	"awk -F, '\$1 > 1 && (!n++ || \$7 < best) { best = \$7; c = \$2 } END { print c; exit !(c > 0.9 * 0.02 * 128 / 96 && c < 1.1 * 0.02 * 128 / 96) }' cold1_start.csv"

# ---- the option
ok 'a curvature that is given is not searched'	"ptychorecon -p s0_pos.csv --probe data:0.012 -a wasp:1 -o given s0_dp.tif && [ ! -e given_start.csv ]"
ok 'the same curvature by hand gives the same start' \
	"phase=\$(awk -F, '\$1 > 1 && (!n++ || \$7 < best) { best = \$7; c = \$2 \",\" \$3 \",\" \$4 } END { print c }' cold0_start.csv) &&
	 ptychorecon -p s0_pos.csv --probe data:\$phase -a epie:0 --no-recentre -o by_hand s0_dp.tif && ptychorecon -p s0_pos.csv -a epie:0 --no-recentre -o by_search s0_dp.tif && tiffdiff -t 1e-5 by_hand_probe.tif by_search_probe.tif"
ok 'the same bytes for one thread' 'ptychorecon --threads 1 -p s0_pos.csv -a wasp:20 -o one s0_dp.tif && cmp one_object.tif cold0_object.tif && cmp one_start.csv cold0_start.csv'
ok '--dry-run does not search'			"ptychorecon --dry-run -p s0_pos.csv -o none s0_dp.tif && [ ! -e none_start.csv ]"
ok 'data:1,2 is refused'			"exits 2 ptychorecon -p s0_pos.csv --probe data:1,2 -o none s0_dp.tif && says curvature\\\\\\|CURVATURE"
done_testing
