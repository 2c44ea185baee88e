#!/bin/bash
# tvdenoise: closed forms, its proof held to the exact answers of the goldens, slabs, noise levels, and how it refuses.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

near() { awk -v a="$1" -v b="$2" -v t="${3:-1e-6}" 'BEGIN { d = a - b; if (d < 0) d = -d; if (b < 0) b = -b; exit !(d <= t * b || d == 0) }'; }
cell() { tail -n 1 "${2:-r.csv}" | cut -d, -f"$1"; }
mean() { tiffstat "$1" | awk '{ s += $2; n++ } END { printf "%.9g\n", s / n }'; }

tiffmake -t u16 -s 9,12 -n 4 -k 41 flat.tif
tiffmake -t f32 -s 20,33 -n 6 -k noise noise.tif
ok 'a constant volume stays'                     'tvdenoise -l 5 -o o.tif flat.tif && tiffdiff -a flat.tif o.tif'
ok 'lambda 0 copies'                             'tvdenoise -l 0 -o o.tif --report r.csv noise.tif && tiffdiff -a noise.tif o.tif && [ "$(cell 10)" = 1 ] && [ "$(cell 9)" != 0 ]'
ok 'lambda 0 within bounds clips'                'tvdenoise -l 0 --range 0,1 -o o.tif noise.tif && tiffstat o.tif && ! tiffdiff -a noise.tif o.tif'
# values 0 (6 columns) and 1 (10), small lambda: lambda / 6 and 1 - lambda / 10 along x
perl -e 'binmode STDOUT; my ($w, $v) = (16, pack("f<*", (0) x 6, (1) x 10)); print pack("a2vV", "II", 42, 8 + length $v), $v, pack("v", 9);
	print pack("vvVV", @$_) for [256,4,1,$w], [257,4,1,1], [258,3,1,32], [259,3,1,1], [262,3,1,1], [273,4,1,8], [278,4,1,1], [279,4,1,4*$w], [339,3,1,3]; print pack("V", 0)' >step.tif
ok 'a step: each side moves by lambda over its length' \
	'tvdenoise -l 0.3 --tol 1e-4 -o o.tif step.tif && near "$(mean o.tif)" 0.625 1e-5 && perl -e "local \$/; open F, q(o.tif); binmode F; \$_ = <F>; exit 1 if index(\$_, q(II)) != 0" &&
	 for norm in iso aniso; do tvdenoise -l 0.3 --norm $norm --tol 1e-4 -o o.tif step.tif --report r.csv && near "$(cell 9)" 0.92 1e-3 && near "$(cell 8)" "$(awk "BEGIN { print 0.5 * (6 * .05 ^ 2 + 10 * .03 ^ 2) }")" 1e-2 || exit 1; done'
ok 'lambda huge gives the mean'                  'tvdenoise -l 100 --tol 1e-3 -o o.tif step.tif && tiffstat o.tif | awk "{ exit !(\$2 > .62499 && \$2 < .62501) }"'
ok 'the mean stays'                              'tvdenoise -l 60 -o o.tif noise.tif && near "$(mean o.tif)" "$(mean noise.tif)" 1e-5'
ok 'the objective falls below that of the data'  'tvdenoise -l 0 --report z.csv noise.tif -o z.tif && tvdenoise -l 20 --report r.csv -o o.tif noise.tif && awk -v a="$(cell 7)" -v b="$(cell 9 z.csv)" "BEGIN { exit !(a < 20 * b) }"'
ok 'iso and aniso differ'                        'tvdenoise -l 20 --norm aniso -o a.tif noise.tif && ! tiffdiff -t 1e-2 o.tif a.tif'
ok 'weights 0 along z are slices'                'tvdenoise -l 20 -w 0,1 --tol 1e-4 -o a.tif noise.tif; tvdenoise -l 20 --slices --tol 1e-4 -o b.tif --report r.csv noise.tif; tiffdiff -t 3e-3 a.tif b.tif && [ "$(wc -l <r.csv)" = 7 ]'
for norm in iso aniso; do
	tvdenoise -l 20 --norm $norm --max-iter 43 -o want.tif --report want.csv noise.tif 2>/dev/null
	least=$({ tvdenoise -l 20 --mem 1 -o x.tif noise.tif 2>&1 || :; } | sed 's/.*at least \([0-9]*\).*/\1/')
	ok "$norm: threads and work-groups change nothing" "tvdenoise --threads 1 --work-group 32 -l 20 --norm $norm --max-iter 43 -o got.tif --report got.csv noise.tif && same want.tif got.tif && same want.csv got.csv"
	ok "$norm: slabs change nothing" "tvdenoise --mem $least -l 20 --norm $norm --max-iter 43 -o got.tif --report got.csv noise.tif && same want.tif got.tif && same want.csv got.csv"
done
# weight along one axis alone: the sum of |differences| is that of tvloss, whose order unit-tv holds to the page, to the last bit
tiffmake -t f32 -s 37,1100 -n 5 -k noise whole.tif
tvloss -k iso -g wide.tif whole.tif >/dev/null # fractions: sums of whole numbers have no order
ok 'sums have the order of the page: the total variation is that of tvloss, bit for bit' '
	tvloss -k l1 wide.tif | tail -n 1 | cut -d, -f10-12 | tr , "\n" >want &&
	for w in 1,0,0 0,1,0 0,0,1; do tvdenoise -l 0 --norm aniso -w $w -o o.tif --report r.csv wide.tif && cell 9 || exit 1; done >got && cat got && same want got'
tiffmake -t f32 -s 6,7 -n 60 -k noise long.tif
ok 'slabs of several planes and ten iterations change nothing' '
	tvdenoise -l 20 --max-iter 47 -o want.tif --report want.csv long.tif && tvdenoise --mem 51000 --dry-run -l 1 -o x.tif long.tif && tvdenoise --mem 51000 -l 20 --max-iter 47 -o got.tif --report got.csv long.tif &&
	same want.tif got.tif && same want.csv got.csv'
ok 'memory for fewer than five planes is refused with the figure' 'exits 1 tvdenoise --mem 1000 -l 1 -o x.tif noise.tif && says "at least [0-9]" && says "--mem" && [ ! -e x.tif ]'
ok 'too few iterations: a warning, converged 0, the output is there' 'rm -f o.tif; exits 0 tvdenoise -l 20 --tol 1e-5 --max-iter 20 --report r.csv -o o.tif noise.tif && says "proven to" && [ "$(cell 10)" = 0 ] && [ "$(cell 4)" = 20 ] && [ -e o.tif ]'
ok '--strict: exit 1, no output'                 'rm -f o.tif; exits 1 tvdenoise --strict -l 20 --tol 1e-5 --max-iter 20 -o o.tif noise.tif && [ ! -e o.tif ]'
tiffmake -t f32 -s 20,33 -n 6 -k noise -N 2,3,4 hole.tif
ok 'a NaN is named'                              'exits 1 tvdenoise -l 1 -o x.tif hole.tif && says "page 2, row 3, column 4 is nan, expected finite"'
ok '--lambda or --noise, not both'               'exits 2 tvdenoise -o x.tif noise.tif && exits 2 tvdenoise -l 1 --noise 1 -o x.tif noise.tif'
ok 'numbers out of range'                        'exits 2 tvdenoise -l -1 -o x.tif noise.tif && exits 2 tvdenoise -l 1 --tol 0 -o x.tif noise.tif && exits 2 tvdenoise -l 1 --max-iter 0 -o x.tif noise.tif &&
	exits 2 tvdenoise -l 1 --range 2,1 -o x.tif noise.tif && exits 2 tvdenoise -l 1 --weights 1,-1 -o x.tif noise.tif && exits 2 tvdenoise --noise -3 -o x.tif noise.tif'
ok 'a noise beyond the data is refused'          'exits 1 tvdenoise --noise 1e9 -o x.tif noise.tif && says "standard deviation"'
ok 'a missing file, a truncated one'             'tiffmake -t f32 -s 24,32 -n 3 -k noise -C 2000 cut.tif; exits 1 tvdenoise -l 1 -o x.tif none.tif && exits 1 tvdenoise -l 1 -o x.tif cut.tif && [ ! -e x.tif ]'
ok 'many inputs, one bad'                        'mkdir many; exits 1 tvdenoise -l 1 -O many flat.tif none.tif noise.tif && [ -e many/noise_tv.tif ] && [ -e many/flat_tv.tif ]'
ok 'through pipes, with a preview'               'tvdenoise -l 20 -o - - <noise.tif >p.tif && tvdenoise -l 20 --preview p.png -o q.tif noise.tif && tiffdiff p.tif q.tif && [ -s p.png ]'

need_shared
cp "$shared"/data/tv/{blocks,denoise}*.tif .
while IFS='|' read -r _ case command _; do
	case=${case// /} command=${command//\`/}
	case $command in *tvdenoise*) ;; *) continue ;; esac
	args=${command# tvdenoise }
	args=${args/OUT.tif/got.tif}
	# rms distance to the exact answer <= what the report proves; objective <= golden (1 + 1e-4)
	ok "golden $case: true distance within the bound, bound within the tolerance" "tvdenoise $args --report r.csv && cp '$shared/golden/tv/$case.tif' want.tif && [ \$(cell 10) = 1 ] &&
		IFS=, read -r _ objective _ ref std < <(grep '^$case,' '$shared/golden/tv/denoise.csv') && tiffrms want.tif got.tif >d && cat d &&
		awk -v d=\$(cat d) -v b=\$(cell 5) -v r=\$ref -v s=\$std -v o=\$(cell 7) -v w=\$objective 'BEGIN { exit !(d <= b + r && b <= 1e-3 * s && o <= w * (1 + 1e-4)) }'"
done <"$shared/golden/tv/README.md"
ok 'bounds are exactly kept'  'tvdenoise --lambda 0.05 --range 0.1,0.9 -o o.tif blocks_12x24x26.tif && tiffrms -r o.tif o.tif | awk "{ exit !(\$1 >= 0.1 - 1e-8 && \$2 <= 0.9 + 1e-7) }"'
ok 'holes stay holes, and what they held does not matter' 'tvdenoise -l 0.3 --nan skip -o o.tif denoise_holes_6x20x24.tif && tiffdiff -t 10 denoise_holes_6x20x24.tif o.tif'
ok '--noise S takes S away, within 1 %' 'tvdenoise --noise 0.08 --report r.csv -o o.tif blocks_12x24x26.tif && tiffrms blocks_12x24x26.tif o.tif | awk "{ exit !(\$1 > 0.0792 && \$1 < 0.0808) }"'
ok '--noise auto finds the noise of 0.1 to 10 %' 'tvdenoise --noise auto --report r.csv -o o.tif blocks_12x24x26.tif && tiffrms blocks_12x24x26.tif o.tif | awk "{ print; exit !(\$1 > 0.09 && \$1 < 0.11) }"'
ok '--profile counts what a kernel moves: seven volumes read and written by either half step' 'tvdenoise -l 5 --profile=p.csv -o o.tif noise.tif &&
	awk -F, "\$2 == \"denoise_primal\" || \$2 == \"denoise_dual\" { n++; bad += \$6 == 0 || \$6 % (7 * 4 * 20 * 33) || \$7 <= 0 } END { exit n != 2 || bad }" p.csv'
done_testing
