#!/bin/bash
# tvloss: its goldens, closed forms, identities, holes, slabs, and how it refuses.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

column() { head -n 2 "${2:-out}" | tail -n 1 | cut -d, -f"$1"; }		# of the first row
near() { awk -v a="$1" -v b="$2" -v t="${3:-1e-6}" 'BEGIN { d = a - b; if (d < 0) d = -d; if (b < 0) b = -b; exit !(d <= t * b || d == 0) }'; }
loss() { tvloss "$@" >row && column 13 row; }

# bytes of device memory that noise.tif needs at least
least() { { tvloss --mem 1 "$@" -g x.tif noise.tif 2>&1 || :; } | sed 's/.*at least \([0-9]*\).*/\1/'; }

# ---- closed forms
tiffmake -t f64 -s 2,2 -n 2 -k 0 zero.tif
tiffmake -t u16 -s 7,6 -n 5 -k 41 flat.tif
tiffmake -t f32 -s 20,33 -n 6 -k noise noise.tif
tiffmake -t f32 -s 1,1 -n 1 -k 3 one.tif
for kind in sq iso l1; do
	ok "$kind of a constant: loss $([ $kind = iso ] && echo 'sqrt eps' || echo 0), gradient 0" \
		"near \"\$(loss -k $kind -g g.tif flat.tif)\" $([ $kind = iso ] && echo 1e-4 || echo 0) && tiffmake -t f32 -s 7,6 -n 5 -k 0 z.tif && tiffdiff -a z.tif g.tif"
	ok "$kind of a single voxel is 0" "[ \"\$(loss -k $kind -g g.tif one.tif)\" = 0 ] && tiffmake -t f32 -s 1,1 -n 1 -k 0 z.tif && tiffdiff -a z.tif g.tif"
	[ $kind = iso ] || ok "$kind with weights 0 is 0" "[ \"\$(loss -k $kind -w 0 noise.tif)\" = 0 ]"
done
ok 'iso of one page warns and names the way out'   'exits 0 tvloss -k iso one.tif && says "--kind sq"'
ok 'the header never varies'                       'tvloss one.tif >a && [ "$(head -n 1 a)" = file,kind,scale,part,volume,batch,nz,ny,nx,tv_z,tv_y,tv_x,loss ]'

# ---- identities
tiffmake -t u16 -s 40,70 -n 6 -k noise u16.tif
ok 'sum of l1 of u16 is an integer: nothing is rounded' 'loss -k l1 u16.tif | grep -x "[0-9]*"'
ok 'sum is count times mean, numel times voxels' '
	near "$(loss noise.tif -w 1,0,0)" "$(loss noise.tif -w 1,0,0 -s mean | awk "{ printf \"%.17g\", \$1 * 5 * 20 * 33 }")" 1e-12 &&
	near "$(loss noise.tif)" "$(loss noise.tif -s numel | awk "{ printf \"%.17g\", \$1 * 6 * 20 * 33 }")" 1e-12'
ok 'active is mean over the axes that count' 'near "$(loss noise.tif -s active -w 0,1 | awk "{ printf \"%.17g\", 2 * \$1 }")" "$(loss noise.tif -s mean -w 0,1)" 1e-12'
ok 'quantem is numel, mean, active' '
	[ "$(loss noise.tif -s quantem)" = "$(loss noise.tif -s numel)" ] && [ "$(loss -k iso noise.tif -s quantem)" = "$(loss -k iso noise.tif)" ] &&
	[ "$(loss -k l1 noise.tif -s quantem)" = "$(loss -k l1 noise.tif -s active)" ]'
ok 'a single weight is all three, two are z and the plane' '
	[ "$(loss noise.tif -w 2)" = "$(loss noise.tif -w 2,2,2)" ] && [ "$(loss noise.tif -w 2,3)" = "$(loss noise.tif -w 2,3,3)" ] && [ "$(loss noise.tif -w 2,3)" != "$(loss noise.tif -w 2,3,4)" ]'
ok 'the gradient grows with --upstream, the loss does not' '
	[ "$(loss noise.tif -g a.tif)" = "$(loss noise.tif -g b.tif --upstream 4)" ] && ! tiffdiff -t 0.5 a.tif b.tif && tvloss noise.tif -g c.tif -w 4 >row && tiffdiff b.tif c.tif'
ok 'a batch is the sum of its volumes, rows and gradients of --per-volume those of each' '
	tvloss -b 2 -k l1 noise.tif >all && tvloss -b 2 --per-volume -s mean -k l1 -g both.tif noise.tif >each && tvloss --pages 1-3 -s mean -k l1 -g first.tif noise.tif >one &&
	[ "$(column 10-13 each)" = "$(column 10-13 one)" ] && tvloss --pages 1-3 -k l1 noise.tif >one && tvloss --pages 4-6 -k l1 noise.tif >two &&
	near "$(column 13 all)" "$(awk -v a="$(column 13 one)" -v b="$(column 13 two)" "BEGIN { printf \"%.17g\", a + b }")" 1e-14 && [ "$(wc -l <each)" = 3 ]'
ok '--slices are batches of one page' 'tvloss --slices noise.tif >a && tvloss -b 6 noise.tif >b && same a b && [ "$(column 10 a)" = 0 ]'
ok 'plane of three pages is the mean of squares along y and x' \
	'near "$(loss -k plane --pages 1-3 noise.tif)" "$(tvloss -b 3 -s mean -w 0,3,3 --pages 1-3 noise.tif >row; column 13 row)" 1e-12'

# ---- same bytes
for kind in sq iso l1; do
	for more in '' '--nan skip -s mean' '--wrap'; do
		read -ra extra <<<"$more"
		tvloss -k "$kind" "${extra[@]}" -w 1,2,3 -g want.tif noise.tif >want.csv
		ok "$kind $more: work-groups and threads change nothing" \
			"tvloss --work-group 32 --threads 1 -k $kind $more -w 1,2,3 -g got.tif noise.tif | sed s/got/want/ >got.csv && same want.tif got.tif && same want.csv got.csv"
		ok "$kind $more: slabs of one and more planes change nothing" '
			l=$(least -k $kind $more) && for mem in $l $((l + 6000)) $((l + 14000)); do
			tvloss --mem $mem -k $kind $more -w 1,2,3 -g got.tif noise.tif | sed s/got/want/ >got.csv && same want.tif got.tif && same want.csv got.csv || exit 1; done'
	done
done
ok 'memory for not even a plane is refused, with the figure' 'exits 1 tvloss --mem 1000 noise.tif && says "--mem" && says "at least [0-9]"'

# ---- complex
ok 'a complex volume has rows phase, amplitude and total' '
	tvloss --complex pairs -k l1 noise.tif >a && [ "$(wc -l <a)" = 4 ] && [ "$(cut -d, -f4 a | tail -n 3 | paste -sd,)" = phase,amplitude,total ]'
ok 'an odd number of pages is refused'        'exits 1 tvloss --complex pairs --pages 1-5 noise.tif && says "5 pages" && says even'
ok 'halves in slabs: the gradient of one go'  '
	tvloss --complex halves -k l1 -g a.tif noise.tif >a && l=$(least --complex halves -k l1) &&
	tvloss --complex halves --mem $l -k l1 -g b.tif noise.tif >b && same a b && same a.tif b.tif'

# ---- NaN
tiffmake -t f32 -s 20,33 -n 6 -k noise -N 2,3,4 hole.tif
ok 'a NaN is named, from 0, and leaves no gradient' 'rm -f g.tif; exits 1 tvloss -g g.tif hole.tif && says "hole.tif.: page 2, row 3, column 4 is nan, expected finite" && [ ! -e g.tif ]'
ok 'also from a stream'                       'rm -f g.tif; exits 1 tvloss --mem $(least) -g g.tif hole.tif && says "page 2, row 3, column 4" && [ ! -e g.tif ]'
ok 'propagate: the loss is nan'               'tvloss --nan propagate hole.tif >row && [ "$(column 13 row)" = nan ]'
tiffmake -t f32 -s 2,2 -n 2 -k nan void.tif
ok 'all voxels missing: 0 and a warning'      'exits 0 tvloss --nan skip void.tif && says finite && [ "$(column 13 "$scratch/out")" = 0 ]'

# ---- usage and bad input
ok 'iso takes sum and mean only'              'exits 2 tvloss -k iso -s numel one.tif && says sum'
ok 'plane takes mean only, and no weights'    'exits 2 tvloss -k plane -s sum one.tif && exits 2 tvloss -k plane -w 1 one.tif'
ok 'weights: negative, four of them, words'   'for w in -1 1,2,3,4 x 1, inf nan; do exits 2 tvloss -w=$w one.tif || exits 2 tvloss --weights=$w one.tif || exit 1; done && says weights'
ok 'planes that are not threes'               'exits 1 tvloss -k plane --pages 1-4 noise.tif && says "4 planes"'
ok 'a batch that does not divide'             'exits 1 tvloss -b 4 noise.tif && says "6 pages" && says "batch 4"'
ok '--parts needs complex'                    'exits 2 tvloss --parts phase noise.tif'
ok 'a missing file'                           'exits 1 tvloss none.tif && says none.tif'
tiffmake -t f32 -s 24,32 -n 3 -k noise -C 2000 cut.tif
ok 'a truncated file, whole and in slabs'     'exits 1 tvloss -g x.tif cut.tif && says cut.tif && exits 1 tvloss --mem 1030K -g x.tif cut.tif && [ ! -e x.tif ]'
ok 'many files, one bad: the others have rows' 'mkdir many; exits 1 tvloss -O many one.tif none.tif noise.tif -o t.csv && [ "$(wc -l <t.csv)" = 3 ] && [ -e many/noise_grad.tif ] && says "1 of 3"'
ok 'a manifest names gradients'               'printf "file,grad\nnoise.tif,m.tif\n" >m.csv && tvloss --list m.csv >t.csv && tvloss -g n.tif noise.tif >u.csv && tiffdiff m.tif n.tif'
ok 'a pipe, also in two passes'               'tvloss --nan skip -s mean -g a.tif - <noise.tif >a && tvloss --nan skip -s mean -g b.tif noise.tif >b && tiffdiff a.tif b.tif'
ok '--dry-run says shape, bytes and blocks'   'tvloss --dry-run -g x.tif noise.tif >plan && grep -q noise.tif plan && [ ! -e x.tif ]'
ok '--resume after the end does nothing anew' 'mkdir r && tvloss -O r -o t.csv noise.tif one.tif && tvloss --resume -O r -o u.csv noise.tif one.tif && cmp t.csv u.csv'

need_shared
cp "$shared"/data/tv/*.tif .
while IFS="|" read -r _ case command _; do
	case=${case// /} command=${command//\`/}
	case $command in *tvloss*) ;; *) continue ;; esac
	args=${command# tvloss } args=${args/OUT.tif/got.tif}
	ok "golden $case" "tvloss $args >got.csv && tiffdiff -t 4e-6 '$shared/golden/tv/${case}_grad.tif' got.tif &&
		grep '^$case,' '$shared/golden/tv/loss.csv' >want && IFS=, read -r _ l z y x <want &&
		near \"\$(tail -n 1 got.csv | cut -d, -f13)\" \$l 1e-6 && { [ \$z = nan ] || { near \"\$(column 10 got.csv)\" \$z && near \"\$(column 11 got.csv)\" \$y && near \"\$(column 12 got.csv)\" \$x; }; }"
done <"$shared/golden/tv/README.md"
ok '--profile counts what the kernel moves: the volume, and the gradient' 'tiffmake -t f32 -s 20,33 -n 6 -k noise v.tif && tvloss -k iso -g g.tif --profile=p.csv v.tif && [ "$(grep "^kernel,tv_iso," p.csv | cut -d, -f6)" = $((2 * 4 * 6 * 20 * 33)) ] &&
	tvloss -k sq --profile=p.csv v.tif && [ "$(grep "^kernel,tv_sq_loss," p.csv | cut -d, -f6)" = $((4 * 6 * 20 * 33)) ]'
done_testing
