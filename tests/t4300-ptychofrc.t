#!/bin/bash
# ptychofrc: its goldens, what must not change a correlation, the square it chooses, and how it refuses.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

cell() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i } NR == 2 { print $c }' "${2:-row}"; }
within() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; exit !(d <= t && -d <= t) }'; }	# value, expected, absolute tolerance
# 64 x 64 of noise, complex, about 1, from row $1, column $2 of one large field, to file $3
field() {
	awk -v r="$1" -v c="$2" 'BEGIN { srand(5); for (p = 0; p < 2; p++) for (y = 0; y < 160; y++) for (x = 0; x < 160; x++) v[p, y, x] = rand() - 0.5
		for (p = 0; p < 2; p++) { for (y = 0; y < 64; y++) { for (x = 0; x < 64; x++) printf "%.6f ", !p + 0.6 * v[p, y + r, x + c]; print "" } if (!p) print "" } }' | tifftext f32 "$3"
}

# ---- without goldens: two images of noise
tiffmake -t f32 -s 64,80 -n 2 -k noise noise.tif
tiffmake -t f32 -s 64,80 -n 3 -k 1 flat.tif
tiffmake -t f32 -s 64,80 -n 2 -k noise -N 1,3,40 hole.tif
tiffmake -t f32 -s 12,80 -n 2 -k noise low.tif
tiffmake -t f32 -s 60,80 -n 2 -k noise lower.tif
tiffmake -t f32 -s 64,80 -n 1 -k noise single.tif
tiffmake -t u16 -s 64,80 -n 2 -k noise counts.tif
tiffmake -t f32 -s 64,80 -n 2 -k nan void.tif
ok 'identical inputs give 1 in every ring and 0.5 cycles/px' '
	for more in "" --no-align; do ptychofrc $more --curves c.csv noise.tif noise.tif >row || exit 1
	awk -F, "NR > 1 { d = \$4 - 1; if (d < 0) d = -d; if (!(d < 1e-5)) { print; exit 1 } } END { exit NR != 33 }" c.csv &&
	[ "$(cell half_bit_cycles_per_px)" = 0.5 ] && [ "$(cell one_bit_cycles_per_px)" = 0.5 ] && within "$(cell nrmse)" 0 1e-5 &&
	within "$(cell shift_row)" 0 1e-3 && within "$(cell shift_column)" 0 1e-3 || exit 1; done'
ok 'the default square of a whole canvas is the shorter side'  'ptychofrc noise.tif noise.tif >row && [ "$(cell size)" = 64 ]'
ok 'its middle is the centroid, and it ends before a NaN'      'ptychofrc hole.tif noise.tif >row && [ "$(cell size)" = 56 ]'
ok 'without an alignment there is no shift and no ramp'        '
	ptychofrc --no-align noise.tif noise.tif >row && [ "$(cell shift_row),$(cell shift_column),$(cell ramp_row),$(cell ramp_column)" = 0,0,0,0 ]'
ok '--pixel gives metres, its absence nan'                     '
	ptychofrc --pixel 2e-8 noise.tif noise.tif >row && within "$(cell half_bit_m)" 4e-8 1e-15 && ptychofrc noise.tif noise.tif >row && [ "$(cell one_bit_m)" = nan ]'
ok 'the header never varies'                                   '
	ptychofrc noise.tif noise.tif >row && [ "$(head -n 1 row)" = file_a,file_b,size,nrmse,shift_row,shift_column,ramp_row,ramp_column,half_bit_cycles_per_px,one_bit_cycles_per_px,half_bit_m,one_bit_m ]'
ok 'canvases of different shape are matched, and that is said' 'ptychofrc lower.tif noise.tif >row && [ "$(cell size)" = 60 ] && says "60x80" && says "64x80"'
ok 'threads change nothing'                                    '
	ptychofrc --threads 1 --curves a.csv noise.tif lower.tif >a; ptychofrc --threads 3 --curves b.csv noise.tif lower.tif >b; same a b && same a.csv b.csv'
ok 'pairs of a manifest, one bad: the others have rows'        '
	mkdir -p far && cp noise.tif far && printf "file_a,file_b\nnoise.tif,noise.tif\nnone.tif,noise.tif\nnoise.tif,lower.tif\n" >far/list.csv && cp lower.tif far &&
	exits 1 ptychofrc --list far/list.csv >t.csv && [ "$(wc -l <t.csv)" = 3 ] && says none.tif && says "1 of 3"'
ok 'A from a pipe'                                             'ptychofrc - noise.tif <noise.tif >row && [ "$(cell size)" = 64 ]'
ok '--dry-run reads headers only and writes nothing'           'ptychofrc --dry-run --curves none.csv noise.tif noise.tif >plan && grep -q noise.tif plan && [ ! -e none.csv ]'
field 0 0 here.tif
field 5 8 moved.tif
field 90 90 other.tif
ok 'a shift of whole pixels is followed on the canvas: nothing wraps around' '
	ptychofrc --box 16,16,32 --curves c.csv here.tif moved.tif >row && within "$(cell shift_row)" -5 1e-3 && within "$(cell shift_column)" -8 1e-3 &&
	awk -F, "NR > 1 && !(\$4 > 0.9999) { print; exit 1 } END { exit NR != 17 }" c.csv'
ok 'images that have nothing in common agree up to no frequency' '
	ptychofrc --box 0,0,64 --no-align other.tif here.tif >row && says "first ring" || awk -v f="$(cell half_bit_cycles_per_px)" "BEGIN { exit !(f < 0.1) }"'

# ---- usage and bad input
ok 'one operand, three operands'                  'exits 2 ptychofrc noise.tif && exits 2 ptychofrc noise.tif noise.tif noise.tif && says operands'
ok 'a window beyond the side, a negative pixel'   'exits 2 ptychofrc --tukey 1.1 noise.tif noise.tif && exits 2 ptychofrc --pixel -1 noise.tif noise.tif && says pixel'
ok 'a box of two numbers, one too small'          'exits 2 ptychofrc --box 1,2 noise.tif noise.tif && exits 2 ptychofrc --box 0,0,8 noise.tif noise.tif && says "at least 16"'
ok 'curves of many pairs, curves on the table'    'exits 2 ptychofrc --list l.csv --curves c.csv && exits 2 ptychofrc --curves - noise.tif noise.tif && says curves'
ok 'a box that leaves the canvas'                 'exits 1 ptychofrc --box 20,0,50 noise.tif noise.tif && says "64x80"'
ok 'a NaN in the box is named'                    'exits 1 ptychofrc --box 0,20,32 noise.tif hole.tif && says "hole.tif.: row 3, column 40"'
ok 'one page, integers, an image too low'         '
	exits 1 ptychofrc single.tif noise.tif && says "1 page" && exits 1 ptychofrc counts.tif noise.tif && says u16 && exits 1 ptychofrc noise.tif low.tif && says 12x80'
ok 'no finite pixel'                              'exits 1 ptychofrc void.tif noise.tif && says "without NaN has 0 pixels"'
ok 'a missing file, no output left behind'        'exits 1 ptychofrc -o t2.csv --curves c2.csv noise.tif none.tif; [ ! -e t2.csv ] && [ ! -e c2.csv ] && says none.tif'
ok 'a manifest without file_b'                    'printf "file_a\nnoise.tif\n" >m.csv; exits 1 ptychofrc --list m.csv && says file_b'
ok 'too little memory is refused with the figure' 'exits 1 ptychofrc --mem 1000 noise.tif noise.tif && says "[0-9]"'

need_shared
g=$shared/golden/ptycho a=$g/frc_a_object.tif b=$g/frc_b_object.tif moved=$g/frc_a_moved_object.tif
ok 'golden frc.csv to 1e-4' "
	ptychofrc --box 0,0,96 --no-align --curves c.csv $a $b >row && csvdiff ring= cycles_per_px=1e-12 n= frc=1e-4 half_bit=1e-4 one_bit=1e-4 $g/frc.csv c.csv"
ok 'golden frc_resolution.csv to 1e-3 cycles/px' "
	csvdiff half_bit_cycles_per_px=1e-3 one_bit_cycles_per_px=1e-3 $g/frc_resolution.csv row"
ok 'golden frc_align.csv: shift to 0.03 px, ramp to 1e-4 cycles/px' '
	ptychofrc --box 0,0,96 '"$moved $a"' >row && within "$(cell shift_row)" "$(cell shift_row '"$g/frc_align.csv"')" 0.03 &&
	within "$(cell shift_column)" "$(cell shift_column '"$g/frc_align.csv"')" 0.03 && within "$(cell nrmse)" 0 0.03 &&
	within "$(cell ramp_row)" "$(awk "BEGIN { print $(cell ramp_row_cycles '"$g/frc_align.csv"') / 96 }")" 1e-4 &&
	within "$(cell ramp_column)" "$(awk "BEGIN { print $(cell ramp_column_cycles '"$g/frc_align.csv"') / 96 }")" 1e-4'
ok 'the truth of that movement: shift to 1e-3 px, ramp to 1e-5 cycles/px, nothing left' '
	within "$(cell shift_row)" -0.6 1e-3 && within "$(cell shift_column)" 1.3 1e-3 && within "$(cell ramp_row)" -0.003 1e-5 && within "$(cell ramp_column)" 0.0045 1e-5 &&
	within "$(cell nrmse)" 0 1e-3'
ok 'a shift of parts of a pixel, a ramp and a factor change the correlation by < 0.01' "
	ptychofrc --curves still.csv $a $b >row && ptychofrc --curves moved.csv $moved $b >row && csvdiff n= frc=1e-2 still.csv moved.csv"
ok 'and without the alignment they do' "ptychofrc --no-align --curves off.csv $moved $b >row; ! csvdiff frc=1e-1 still.csv off.csv >said"
ok 'what ptychocompare finds between an image and its moved self is nothing' "[ \"\$(ptychocompare $moved $a 0 | cut -c 1-6)\" = 0.0000 ]"
done_testing
