#!/bin/bash
# The stacked defects of earlier ptychography systems, by their numbers in the goldens' README: each is a sentence that was false once.
# shellcheck disable=SC2016 # code of the sentences is for eval
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
D=$shared/data/ptycho
frames=$D/tiny_dp.tif pos=$D/tiny_pos.csv probe=$D/tiny_probe0.tif
engines='epie rpie wasp lsqml mlgrad ml dm raar er'

run() {
	local out=$1
	shift
	ptychorecon -q --probe "$probe" --coverage 0 --watchdog off --log-every 1 -o "$out" "$@"
}
base() { run "$@" -p "$pos" "$frames"; }
# The same numbers in object and probe, and in the log but for the time?
alike() {
	tiffdiff -t "${3:-0}" "$1_object.tif" "$2_object.tif" >&2 && tiffdiff -t "${3:-0}" "$1_probe.tif" "$2_probe.tif" >&2 &&
		{ [ -n "${3:-}" ] || diff <(cut -d, -f1-15 "$1_log.csv") <(cut -d, -f1-15 "$2_log.csv") >&2; }
}
# Runs with as little memory as the refusal of 1K says.
least() {
	local need
	run x --mem 1K "$@" 2>refusal && return 1
	need=$(sed -n 's/.*needs \([0-9]*\) bytes.*/\1/p' refusal)
	[ -n "$need" ] && echo "$need"
}

# 1: batch slices indexed twice
for a in mlgrad:4 er:3 dm:3 ml:3; do
	ok "1: $a is the same with the least memory as with plenty" "
		base much -a $a && n=\$(least -a $a -p '$pos' '$frames') && base little -a $a --mem \$n && alike much little &&
		exits 1 base x -a $a --mem \$((n - 1)) 2>/dev/null"
done

# 2: window table not initialised (rows missing and doubled: t4110)
ok '2: memory that holds rubbish at first changes nothing' '
	base clean -a wasp:2,dm:2,lsqml:1 && MALLOC_PERTURB_=173 base rubbish -a wasp:2,dm:2,lsqml:1 && alike clean rubbish'

if [ -n "${TESTS_SANITIZED:-}" ]; then
	skip '2: oclgrind finds nothing' 'it does not load beside AddressSanitizer'
elif slow && command -v oclgrind >/dev/null; then
	ok '2: oclgrind finds nothing out of bounds and nothing raced for, and agrees' '
		ptychosim -q --frames 4 --size 16 --step 3 --jitter 1 --seed 2 --photons 1e4 -o small &&
		few() { "$@" ptychorecon -q --watchdog off --dc centre --probe small_probe0.tif -a epie:2:batch=2,wasp:1,lsqml:1:noise=poisson,mlgrad:1,dm:1,ml:1 -p small_pos.csv -o "$out" small_dp.tif; } &&
		out=plain few env && out=ground few env -u SCOPELINE_DEVICE oclgrind --data-races --build-options -O0 --log grind.log && [ ! -s grind.log ] && alike plain ground 1e-4'
fi

# 3: frames fed past the capacity were lost.  The lower half of the last window is seen by the last 400 frames alone.
if slow; then
	ok '3: of 8900 frames each is used, the last ones too, whatever the memory' '
		ptychosim -q -o many --frames 8900 --size 16 --step 2 --jitter 1 --type u16 --photons 1e4 &&
		many() { ptychorecon -q -p many_pos.csv --probe many_probe0.tif -a mlgrad:2 --coverage 0 -o "$@" many_dp.tif; } &&
		many m1 && many m2 --mem 8M && alike m1 m2 && [ "$(grep -c "^[0-9]*,1,," m2_frames.csv)" = 8900 ] &&
		IFS=, read -r _ _ _ row column _ < <(tail -1 m2_frames.csv) && printf "%.0f %.0f\n" "$row" "$column" >at && read -r row column <at &&
		ptychotif m2_object.tif last.tif pages=0 frame=8,16,-$((row + 8)),-$column && tiffstat last.tif | awk "{ exit !(\$3 > 1e-8) }"'
fi

# 4: layout of the beam lost (the flat frames and the warning: t4110)
ok '4: the beam at the corner is found' 'base centre -a epie:3 && run corner -a epie:3 -p "$pos" "$D/tiny_corner_dp.tif" && alike centre corner'
ok '4: told the wrong layout it warns, and R is more than 1.5 times as large' '
	ptychorecon --probe "$probe" -a epie:3 -o wrong --dc centre -p "$pos" "$D/tiny_corner_dp.tif" && says warning &&
	awk -F, "\$1 == \"final\" { R[FILENAME] = \$4 } END { exit !(R[\"wrong_log.csv\"] > 1.5 * R[\"centre_log.csv\"]) }" centre_log.csv wrong_log.csv'

# 5: stale memory of frames that joined late
ok '5: a stage goes on where the one before it ended' '
	base whole -a dm:2,mlgrad:1 --no-gauge --start-update-probe 0 && base first -a dm:2 --no-gauge --start-update-probe 0 &&
	ptychorecon -q --probe first_probe.tif --probe-photons keep --object first_object.tif --coverage 0 -a mlgrad:1 --no-gauge --start-update-probe 0 -o second -p "$pos" "$frames" &&
	alike whole second 1e-5'

# 6: 0/0 outside the coverage; 12: uncovered pixels coloured as data
awk -F, -v OFS=, 'NR == 1 { print; next } $1 > 11 { $2 += 200; $3 += 30 } { print }' "$pos" >two.csv
# 1 outside of every window of OUT_frames.csv, 0 inside, H x W
outside() {
	tail -n +2 "$1_frames.csv" | awk -F, -v h="$2" -v w="$3" '{ n++; y[n] = int($4 + 0.5); x[n] = int($5 + 0.5) }
		END { for (r = 0; r < h; r++) { line = ""; for (c = 0; c < w; c++) { in_ = 0; for (k = 1; k <= n && !in_; k++) in_ = r >= y[k] && r < y[k] + 32 && c >= x[k] && c < x[k] + 32; line = line (in_ ? "0 " : "1 ") } print line } }'
}
for a in $engines; do
	ok "6: $a: NaN exactly outside the windows, all else finite" "
		run two -a $a:3 -p two.csv '$frames' && outside two 88 258 | tifftext f32 want.tif && ptychotif two_object.tif got.tif pages=0 nan=1,0 && tiffdiff -t 0 want.tif got.tif &&
		ptychotif two_object.tif got.tif pages=1 nan=1,0 && tiffdiff -t 0 want.tif got.tif && ptychotif two_object.tif c.tif pages=2 nan=1,0 within=0,0 &&
		ptychotif two_probe.tif p.tif within=-1e9,1e9 nan=1,0 within=0,0 && ! tail -n +2 two_log.csv | cut -d, -f4-7 | grep -i -e nan -e inf"
done
ok '12: the preview is transparent where the object is NaN, and nowhere else' '
	n=$(ptychotif two_object.tif got.tif pages=0 nan=1,0 && tiffstat got.tif | awk "{ printf \"%.0f\", \$2 * 88 * 258 }") && [ "$n" -gt 1000 ] && [ "$(pngclear two_preview.png)" = $((2 * n)) ]'

# 7: a ring buffer's depth ended the run
ok '7: 7, 6 and 5 iterations are 7, 6 and 5 rows, and a final one' '
	base rows -a epie:7,dm:6,mlgrad:5 --log-every 3 --checkpoint 4 && [ "$(tail -n +2 rows_log.csv | cut -d, -f3 | uniq -c | tr -s " " | paste -sd,)" = " 7 epie, 6 dm, 5 mlgrad, 1 " ] &&
	[ "$(tail -1 rows_log.csv | cut -d, -f1)" = final ] && [ "$(tail -n +2 rows_log.csv | head -18 | cut -d, -f1 | paste -sd" ")" = "$(seq -s" " 0 17)" ]'
ok '7: what the log leaves out is nan, and changes nothing' '
	base rows1 -a epie:7,dm:6,mlgrad:5 && tiffdiff -t 0 rows_object.tif rows1_object.tif && grep -q ",dm,nan," rows_log.csv && ! grep -q ",dm,nan," rows1_log.csv'

# 8: windows below zero after anchoring
ok '8: positions far off the origin give the same object' '
	awk -F, -v OFS=, "NR > 1 { \$2 += 8192; \$3 -= 4096 } { print }" "$pos" >far.csv && base near -a epie:3 && run far -a epie:3 -p far.csv "$frames" && alike near far'
ok '8: a canvas that is too small is refused, a frame named' 'exits 1 base x -a epie:1 --object-shape 35,35 && says "frame [0-9]*:"'
ok '8: a probe off the middle is brought back, no window leaves the canvas' '
	ptychotif "$probe" off.tif roll=3,-2 && ptychorecon -q --probe off.tif --recentre -a epie:3 --coverage 0 -o moved -p "$pos" "$frames" &&
	[ "$(tail -1 moved_log.csv | cut -d, -f14,15)" = "-3,2" ] &&
	tail -n +2 moved_frames.csv | awk -F, "\$4 < 0 || \$5 < 0 || \$4 + 32 > 58 || \$5 + 32 > 58 { bad = 1 } END { exit bad || NR != 25 }" && diff <(cut -d, -f1-3 "$pos") <(cut -d, -f1-3 moved_positions.csv)'
ok '8: where a window would leave it, nothing moves, and it is said' '
	ptychotif "$probe" off.tif roll=5,5 && ptychorecon -v --probe off.tif --recentre -a epie:2 -o stay -p "$pos" "$frames" && [ "$(tail -1 stay_log.csv | cut -d, -f14,15)" = 0,0 ] && says "canvas"'

# 10: warm start altered
for a in $engines; do
	ok "10: $a leaves a frozen probe as it is, bit for bit" "base frozen -a $a:2 --freeze-probe --recentre --support 0.3 && tiffdiff -t 0 '$probe' frozen_probe.tif"
done
ok '10: no iteration, no change' 'base none -a epie:0 --probe-photons keep && tiffdiff -t 0 "$probe" none_probe.tif && [ "$(wc -l <none_log.csv)" = 2 ]'

# 11: another engine ran than the one asked for
ok '11: no two engines give the same object, and the log names the one that ran' '
	for a in '"$engines"'; do base is_$a -a $a:2 && [ "$(sed -n "2,3p" is_${a}_log.csv | cut -d, -f3 | uniq)" = $a ] || exit 1; done
	for a in '"$engines"'; do for b in '"$engines"'; do [ $a = $b ] || ! tiffdiff -t 1e-6 is_${a}_object.tif is_${b}_object.tif >/dev/null || { echo $a $b >&2; exit 1; }; done; done'

# 13: detector rotation dropped
for pair in identity,identity fliplr,fliplr flipud,flipud rot180,rot180 transpose,transpose rot90_ccw,rot90_cw rot90_cw,rot90_ccw antitranspose,antitranspose; do
	ok "13: frames turned by ${pair%,*} and --orientation ${pair#*,}" "
		ptychotif '$frames' t.tif d4=${pair%,*} && base straight -a wasp:2 && run turned -a wasp:2 --orientation ${pair#*,} -p '$pos' t.tif && alike straight turned"
done

# 14: new frames erased what was there
ok '14: what was known outside the windows of five new frames stays' '
	base old -a wasp:3 --coverage 0 && awk -F, "NR == 1 || \$1 == 0 || \$1 == 2 || \$1 == 9 || \$1 == 12 || \$1 == 22" "$pos" >five.csv &&
	run five --subset --object old_object.tif -a wasp:3 --no-gauge -p five.csv "$frames" && [ "$(grep -c "^[0-9]*,1,," five_frames.csv)" = 5 ] &&
	diff <(grep "^[0-9]*,1,," five_frames.csv | cut -d, -f1,4,5) <(grep -E "^(0|2|9|12|22)," old_frames.csv | cut -d, -f1,4,5) &&
	(head -1 five_frames.csv; grep "^[0-9]*,1,," five_frames.csv) >only_frames.csv && outside only 58 58 | tifftext f32 out.tif &&
	ptychotif old_object.tif a.tif pages=0,1 mask=out.tif && ptychotif five_object.tif b.tif pages=0,1 mask=out.tif && tiffdiff -t 0 a.tif b.tif &&
	ptychotif a.tif n.tif nan=0,1 mask=out.tif && tiffstat n.tif | awk "{ exit !(\$2 * 58 * 58 > 100) }" && ! tiffdiff -t 0 old_object.tif five_object.tif 2>/dev/null'

# ---- what else must hold of every engine
for a in $engines; do
	ok "$a gives the same bytes for one thread, two, and small work-groups" "
		base t1 -a $a:2 --threads 1 && base t2 -a $a:2 --threads 2 && base t3 -a $a:2 --work-group 4 && alike t1 t2 && alike t1 t3"
done
ok 'a run that diverges leaves its last good state, and fails' '
	exits 1 ptychorecon -q --probe "$probe" -o div -a rpie:60:batch=1:alpha=0.001:beta=0.001 -p "$pos" "$frames" && says "iteration [0-9]*: R is" &&
	for f in object.tif probe.tif log.csv frames.csv positions.csv preview.png; do [ -s div_$f ] || exit 1; done &&
	ptychotif div_probe.tif x.tif within=-1e9,1e9 nan=1,0 within=0,0 && awk -F, "\$1 == \"final\" && \$4 < 0.2 { good = 1 } END { exit !good }" div_log.csv'
ok 'and is not taken for done by --resume' 'exits 1 ptychorecon -q --resume --probe "$probe" -o div -a rpie:60:batch=1:alpha=0.001:beta=0.001 -p "$pos" "$frames"'
done_testing
