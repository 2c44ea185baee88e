#!/bin/bash
# Every case of the goldens' README: the command it gives, run in a folder with the data, against the expected file at the stated
# tolerance (the reasons for the tolerances stand there too).  A row that this test cannot read is a failure.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
golden=$shared/golden/tilt
for f in "$shared"/data/tilt/*; do ln -s "$f" .; done
mkdir want

# rows of COLUMN 1 = VALUE of a golden table, with the header, to want/NAME
rows_of() { awk -F, -v v="$2" 'NR == 1 || $1 == v' "$golden/$1" >"want/$3"; }

tiff_case() {	# sentence command expected tolerance [-a]
	ok "$1" "$2 && tiffdiff ${5:-} -t $4 '$golden/$3' '$3'"
}
trace_case() {	# run command
	local run=$1 name=${1//:/-}
	rows_of trace.csv "$run" "$name"
	awk -F, 'NR == 1 || $2 != "end"' "want/$name" >"want/$name-path"
	awk -F, 'NR == 1 || $2 == "end"' "want/$name" >"want/$name-end"
	[[ $run != bfgs:* ]] || sed -i 2q "want/$name-path"
	ok "trace $run: the path" "$2 && $([[ $run = bfgs:* ]] && echo 'sed -i 2q t.csv &&')
		csvdiff iteration= z_offset=2e-3 zenith=5e-4 azimuth=5e-4 loss=1e-4r 'want/$name-path' t.csv"
	ok "trace $run: the end" "csvdiff z_offset=$([[ $run = bfgs:* ]] && echo 1e-3 || echo 2e-3) zenith=5e-4 azimuth=5e-4 loss=1e-4r 'want/$name-end' o.csv"
}
plan_case() {
	local image tile overlap
	while IFS=';' read -r image tile overlap; do
		awk -F'"?,"?' -v i="$image" -v t="$tile" -v o="$overlap" 'NR == 1 || $1 == i && $2 "," $3 == t && $4 "," $5 == o' "$golden/plan.csv" >want/plan
		ok "plan of $image in tiles $tile, overlap $overlap" \
			"tiltrecon --plan-only --image $image --tile $tile --overlap $overlap >plan.csv && csvdiff tile= y= x= height= width= want/plan plan.csv"
	done < <(tail -n +2 "$golden/plan.csv" | sed 's/^\([^,]*\),"\([^"]*\)","\([^"]*\)".*/\1;\2;\3/' | uniq)
}
losses_case() {	# command
	local command=${1%%  (*} loss more
	for loss in $(tail -n +2 "$golden/losses.csv" | cut -d, -f1 | uniq); do
		rows_of losses.csv "$loss" "$loss"
		more=
		[ "$loss" != residual ] || more='--band 0,1 --opt-pad 0 --taper 0.25'
		rm -f out.csv
		ok "loss $loss and its derivatives" "${command/NAME/$loss} $more &&
			csvdiff loss_name= tile= loss=2e-5r d_z_offset=1e-3c d_zenith=1e-3c d_azimuth=1e-3c 'want/$loss' out.csv"
	done
}

cases=0
while IFS='|' read -r _ name command expected tolerance _; do
	read -r name <<<"$name"; read -r command <<<"$command"; read -r expected <<<"$expected"; read -r tolerance <<<"$tolerance"
	[[ $name != case && $name != ---* ]] || continue
	cases=$((cases + 1))
	[[ $name != demo_* ]] || slow || continue
	case "$name;$tolerance" in
	*';max abs '*' x max abs of the file') tiff_case "$name" "$command" "$expected" "$(cut -d' ' -f3 <<<"$tolerance")" ;;
	*';max abs '*' x brightness')
		tiff_case "$name" "$command" "$expected" "$(awk '{ print $3 * 1000 }' <<<"$tolerance")" -a ;;
	'trace '*) trace_case "${name#trace }" "$command" ;;
	'plan;exact') plan_case ;;
	'losses;'*) losses_case "$command" ;;
	'grid;'*) ok "$name" "$command && csvdiff z_offset=1e-12 zenith=1e-12 azimuth=1e-12 loss=2e-5r '$golden/$expected' o.csv" ;;
	*';z 5e-3 slices, tilt vector 1e-3, loss 1e-5 absolute; iterations not compared')
		ok "$name" "$command && csvdiff stack= position= time= tile= y= x= z_offset=5e-3 tilt=1e-3 loss=1e-5 skipped= '$golden/$expected' '$expected'" ;;
	'well_plan;'*)
		ok "$name" "$command >plan.csv && csvdiff stack= position= time= meniscus= iterations= cached= r_frac=1e-12 init_zenith=1e-12 init_azimuth=1e-12 \
			'$golden/$expected' plan.csv" ;;
	*) ok "the row '$name' of the goldens is understood" 'false' ;;
	esac
done < <(grep '^| ' "$golden/README.md")
ok 'the README holds the cases of the specification' "[ $cases -ge 30 ]"
done_testing
