#!/bin/bash
# What is done to the object between iterations: smoothing, total variation, the notch of an exact raster.  Each helps where it should,
# and changes no byte where it is off.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
ptychosim -q --frames 100 --size 64 --step 6 --photons 2e3 --seed 4 -o dim
ptychosim -q --frames 196 --size 64 --step 6 --photons 1e5 --seed 7 --jitter 0 -o raster
ptychosim -q --frames 49 --size 32 --step 4 --photons 1e6 --seed 2 --jitter 0 -o few
left() { ptychocompare "$1_object.tif" "$2_truth_object.tif" 64; }
less() { awk -v a="$1" -v b="$2" -v f="$3" 'BEGIN { print a, b; exit !(a > 0 && a < f * b) }'; }	# A B F: A is below F B
dim() { ptychorecon -q -p dim_pos.csv --probe dim_truth_probe.tif --freeze-probe "$@" dim_dp.tif; }
raster() { ptychorecon -q -p raster_pos.csv --probe raster_probe0.tif "$@" raster_dp.tif; }
few() { ptychorecon -q -p few_pos.csv --probe few_probe0.tif "$@" few_dp.tif; }
alike() {	# STEM STEM
	tiffdiff "$1_object.tif" "$2_object.tif" && tiffdiff "$1_probe.tif" "$2_probe.tif" && cmp <(cut -d, -f1-15 "$1_log.csv") <(cut -d, -f1-15 "$2_log.csv")
}

dim -a dm:30 -o dim
ok 'in 2000 photons of a frame smoothing by 1 px leaves dm less than 0.8 of the difference to the true object' \
	'dim -a dm:30 --smooth 1 -o smooth && less "$(left smooth dim)" "$(left dim dim)" 0.8'
ok 'and total variation less than 0.75' 'dim -a dm:30 --tv 0.1 -o tv && less "$(left tv dim)" "$(left dim dim)" 0.75'
slow && ok 'ml with 500 photons: total variation leaves less than without' \
	'ptychosim -q --frames 100 --size 64 --step 6 --photons 5e2 --seed 4 -o dark && for o in "" "--tv 0.03"; do
		ptychorecon -q -p dark_pos.csv --probe dark_probe0.tif -a ml:60:noise=poisson $o -o "d$o" dark_dp.tif || exit 1; done && less "$(left "d--tv 0.03" dark)" "$(left d dark)" 0.95'
raster -a dm:40 -o raster
ok 'on an exact raster the notch leaves dm less than 0.6 of the difference to the true object' \
	'raster -a dm:40 --notch -o notch && less "$(left notch raster)" "$(left raster raster)" 0.6'
ok 'and wasp less than 0.95' \
	'raster -a wasp:30 -o w && raster -a wasp:30 --notch -o wn && less "$(left wn raster)" "$(left w raster)" 0.95'

few -a wasp:6 -o off
for o in '--smooth 1,7' '--tv 0.1,7'; do
	ok "$o: beyond the last iteration it is off, the same bytes" "few -a wasp:6 $o -o late && alike off late"
done
for o in '--smooth 1' '--tv 0.1' '--notch'; do
	ok "$o: on it is not" "few -a wasp:6 $o -o on && ! tiffdiff off_object.tif on_object.tif"
done
all='--smooth 0.7,2 --tv 0.02,3 --notch'
ok 'all of them: the same bytes for one thread, another work-group and in little memory' \
	"few -a wasp:6,dm:3,ml:3 $all -o one && few -a wasp:6,dm:3,ml:3 $all --threads 1 -o two && alike one two &&
	 few -a wasp:6,dm:3,ml:3 $all --mem 900k --work-group 8 -o three && alike one three"
ok 'and for a run that was killed and goes on' \
	"mkdir -p want kill && cd kill && mv ../few_* . && cp few_* ../want && run() { ptychorecon -q -p few_pos.csv --probe few_probe0.tif -a wasp:60,ml:40 --smooth 0.7,2 --tv 0.02,3 --notch --checkpoint 5 \"\$@\" -o r few_dp.tif; } &&
	 (cd ../want && run) && killed_at r.ckpt/state.json ptychorecon -q -p few_pos.csv --probe few_probe0.tif -a wasp:60,ml:40 --smooth 0.7,2 --tv 0.02,3 --notch --checkpoint 5 -o r few_dp.tif && [ ! -e r_object.tif ] && run --verbose --resume && says 'goes on after iteration' && alike r ../want/r; rc=\$?; mv few_* ..; exit \$rc"
ok 'bounds of the object hold after all of them' \
	"few -a wasp:6 --no-gauge --amplitude 0.9,1 $all --write-phase -o bound && few -a wasp:6 --no-gauge $all --write-phase -o free && for o in bound free; do tiffstat \$o\_phase.tif | head -1 | cut -d' ' -f4; done | paste -sd' ' >most &&
	 awk '{ print; exit !(\$1 <= 1.000001 && \$2 > 1.01) }' most"
ok 'the plan counts what --tv needs' \
	"few --dry-run -a wasp:3 -o x >plain && few --dry-run -a wasp:3 --tv 0.1 -o x >tv && ! cmp -s plain tv"
ok 'the notch wants an exact raster, and says so'	"exits 1 dim -a wasp:3 --notch -o x && says 'no exact raster' && exits 1 dim -a wasp:3 --notch --dry-run -o x"
ok 'and one of some steps'				"ptychosim -q --frames 9 --size 32 --step 4 --jitter 0 -o nine && exits 1 ptychorecon -q -p nine_pos.csv --notch -o x nine_dp.tif && says 'fewer than 4 steps'"
for o in '--smooth 0' '--smooth x' '--smooth 1,0' '--smooth 1,2,3' '--tv -1' '--tv 0.1,1.5'; do
	ok "$o is refused" "exits 2 few $o -o x && says EVERY"
done
done_testing
