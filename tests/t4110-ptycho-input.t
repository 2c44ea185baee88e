#!/bin/bash
# What ptychorecon takes and what it refuses: positions, frames, masks, geometry, options (spec: inputs, frames to photons).
# shellcheck disable=SC2016,SC2034 # code of the sentences is for eval
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
D=$shared/data/ptycho
frames=$D/tiny_dp.tif pos=$D/tiny_pos.csv probe=$D/tiny_probe0.tif mask=$D/tiny_mask.tif

# OUT arguments: a short run on tiny
recon() {
	local out=$1
	shift
	ptychorecon -q --probe "$probe" -a epie:2:batch=8 --coverage 0 -o "$out" "$@"
}
base() { recon "$@" -p "$pos" "$frames"; }
# Are objects and probes of two runs the same numbers?
alike() { tiffdiff -t "${3:-0}" "$1_object.tif" "$2_object.tif" >&2 && tiffdiff -t "${3:-0}" "$1_probe.tif" "$2_probe.tif" >&2; }

ok 'six files come out' 'base base && ls >list && [ "$(ls base_* | tr "\n" " ")" = "base_frames.csv base_log.csv base_object.tif base_positions.csv base_preview.png base_probe.tif " ]'

# ---- positions
ok 'two pairs of columns: both are named' '
	awk -F, -v OFS=, "{ print \$0, NR == 1 ? \"x_nm\" : \$2, NR == 1 ? \"y_nm\" : \$3 }" "$pos" >two.csv
	exits 1 recon x -p two.csv "$frames" && says "x_px,y_px and x_nm,y_nm"'
ok 'half a pair: the missing column is named' 'cut -d, -f1,2 "$pos" >half.csv; exits 1 recon x -p half.csv "$frames" && says "no column .y_px."'
ok 'no pair: what is expected' 'sed 1s/x_px/a/\;1s/y_px/b/ "$pos" >none.csv; exits 1 recon x -p none.csv "$frames" && says "expected columns x_px,y_px"'
ok 'a row less: both numbers' 'sed \$d "$pos" >less.csv; exits 1 recon x -p less.csv "$frames" && says "24 rows.*25 pages"'
ok 'a row more: both numbers' '(cat "$pos"; echo 24,1,1) >more.csv; exits 1 recon x -p more.csv "$frames" && says "26 rows.*25 pages"'
ok 'a frame named twice: both lines' 'sed "5s/^3,/2,/" "$pos" >twice.csv; exits 1 recon x -p twice.csv "$frames" && says "line 5: frame 2, which line 4"'
ok 'a frame out of range: line and range' 'sed "5s/^3,/25,/" "$pos" >range.csv; exits 1 recon x -p range.csv "$frames" && says "line 5.*25.*24"'
ok 'a non-number: line and column' 'sed "7s/,[^,]*$/,far/" "$pos" >word.csv; exits 1 recon x -p word.csv "$frames" && says "line 7.*y_px.*far"'
ok 'NaN is no position' 'sed "7s/,[^,]*$/,nan/" "$pos" >nan.csv; exits 1 recon x -p nan.csv "$frames" && says "line 7"'
ok 'a ragged row is refused' 'sed "7s/$/,5/" "$pos" >ragged.csv; exits 1 recon x -p ragged.csv "$frames"'
ok 'nothing is written of a run that is refused' '! ls x_* 2>/dev/null'
ok 'rows without a column frame are in the order of the pages' 'cut -d, -f2,3 "$pos" >order.csv; recon order -p order.csv "$frames" && alike base order'
ok 'with a column frame rows may stand in any order' '(head -1 "$pos"; tail -n +2 "$pos" | sort -t, -k2,2n) >any.csv; recon any -p any.csv "$frames" && alike base any'
ok 'fewer rows need --subset' 'sed "3d;9d" "$pos" >few.csv; exits 1 recon x -p few.csv "$frames" && says "23 rows.*25 pages.*--subset"'
ok '--subset takes them, and says which pages have none' '
	recon few --subset -p few.csv "$frames" && [ "$(grep -c "^[0-9]*,1,," few_frames.csv)" = 23 ] && grep -q "^1,0,no position,nan,nan" few_frames.csv'
ok '--subset does not help without a column frame' 'cut -d, -f2,3 few.csv >x.csv; exits 1 recon x --subset -p x.csv "$frames"'
ok 'other columns are carried, in their order' '
	awk -F, -v OFS=, "{ print NR == 1 ? \"note\" : \"n\" NR, \$0, NR == 1 ? \"i0\" : 2 }" "$pos" >carry.csv
	recon carry -p carry.csv "$frames" && head -1 carry_positions.csv | grep -qx "note,frame,x_px,y_px,i0,dx_px,dy_px" && sed -n 3p carry_positions.csv | grep -qx "n3,1,4,1,2,0,0"'
ok 'the positions that come out go in again' 'recon again -p carry_positions.csv "$frames" && same carry_positions.csv again_positions.csv && alike base again'

# ---- geometry
ok 'lengths need a pixel size' 'sed 1s/_px/_um/g "$pos" >um.csv; exits 1 recon x -p um.csv "$frames" && says "expected --pixel"'
ok 'lengths by the pixel are pixels' 'recon um -p um.csv --pixel 1um "$frames" && alike base um'
ok 'and by wavelength, distance and detector: 0.137146 nm, 2.05 m, 32 px of 75 um are 117.14 nm' '
	awk -F, -v OFS=, "NR == 1 { print \"frame,x_nm,y_nm\"; next } { print \$1, \$2 * 117.145541667, \$3 * 117.145541667 }" "$pos" >nm.csv
	recon nm -p nm.csv --wavelength 0.137146nm --distance 2.05 --detector-pixel 75um "$frames" && alike base nm 1e-4 &&
	recon kev -p nm.csv --energy 9.0403 --distance 2.05 --detector-pixel 75um "$frames" && alike base kev 1e-4'
ok 'energy and wavelength exclude each other' 'exits 2 base x --energy 8 --wavelength 1nm && says "both given"'
for xy in x,-y -x,y -x,-y y,x -y,x y,-x -y,-x; do
	# x and y of the table from the object column and row
	case $xy in
	x,-y) swap='$2, -$3' ;; -x,y) swap='-$2, $3' ;; -x,-y) swap='-$2, -$3' ;; y,x) swap='$3, $2' ;;
	-y,x) swap='$3, -$2' ;; y,-x) swap='-$3, $2' ;; -y,-x) swap='-$3, -$2' ;;
	esac
	ok "--xy=$xy: column and row follow" "
		awk -F, -v OFS=, 'NR == 1 { print; next } { print \$1, $swap }' \"\$pos\" >xy.csv
		recon xy -p xy.csv --xy=$xy \"\$frames\" && alike base xy"
done
ok '--xy must name two axes' 'exits 2 base x --xy x,-x && says "different axes" && exits 2 base x --xy x && exits 2 base x --xy z,y'
ok '--position-scale and --position-rotation act about the mean, in this order' '
	awk -F, -v OFS=, "NR == 1 { print; next } { print \$1, 2 * \$3, -\$2 }" "$pos" >turned.csv
	recon turned -p turned.csv --position-scale 1,0.5 --position-rotation 90deg "$frames" && alike base turned 1e-4'
ok 'refined positions go back the same way' '
	ptychorecon -q -p turned.csv --probe "$probe" -a lsqml:4 --subpixel fourier --refine-positions 0 --position-scale 1,0.5 --position-rotation 90deg -o back "$frames" &&
	ptychorecon -q -p "$pos" --probe "$probe" -a lsqml:4 --subpixel fourier --refine-positions 0 -o straight "$frames" &&
	paste -d, straight_positions.csv back_positions.csv | awk -F, "NR > 1 { if ((\$7 - 2 * \$3) ^ 2 > 1e-6 || (\$8 + \$2) ^ 2 > 1e-6) bad = 1; moved += \$4 ^ 2 } END { exit bad || moved < 1e-4 }"'
ok '--margin is the border' 'base margin --margin 10 && [ "$(sed -n 2p margin_frames.csv | cut -d, -f4,5)" = 11,10 ]'
ok '--object-shape: the first frame that leaves it is named' 'exits 1 base x --object-shape 35,35 && says "frame 0: .*leaves the object of 35x35"'
ok '--object-shape: what is large enough is taken' 'base shape --object-shape 64,70 && tiffstat shape_object.tif >/dev/null && exits 1 recon x --object shape_object.tif -p "$pos" "$frames" && says "64x70.*58x58"'
ok '--half 0 and 1 are disjoint, complete, and of one canvas' '
	base h0 --half 0 && base h1 --half 1 &&
	paste -d, h0_frames.csv h1_frames.csv | awk -F, "NR > 1 && \$2 + \$11 != 1 { bad = 1 } NR > 1 { n += \$2 } END { exit bad || n != 13 }" &&
	recon both --half 1 --object h0_object.tif -p "$pos" "$frames"'
ok 'a scan range below 1 px: the unit is asked for' '
	awk -F, -v OFS=, "NR == 1 { print; next } { print \$1, \$2 / 1e6, \$3 / 1e6 }" "$pos" >tiny.csv
	ptychorecon -a epie:0 -p tiny.csv --probe "$probe" -o tiny "$frames" && says "unit of the positions?"'
ok 'an exact raster is warned of' '
	(echo frame,x_px,y_px; for k in $(seq 0 24); do echo "$k,$((k % 5 * 4)),$((k / 5 * 4))"; done) >raster.csv
	ptychorecon -a epie:0 -p raster.csv --probe "$probe" -o raster "$frames" && says "exact raster"'
ok 'so is little overlap' 'ptychorecon -a epie:0 -p "$pos" --probe "$probe" -o little --position-scale 3,3 "$frames" && says "overlap"'

# ---- frames
ok 'frames that are not square are refused with both sides' 'ptychotif "$frames" wide.tif frame=32,40,0,4; exits 1 recon x -p "$pos" wide.tif && says "frames are 32x40, expected square: use --crop"'
ok 'and taken with --crop' 'recon wide -p "$pos" --crop 32 wide.tif && alike base wide'
ok '--centre auto finds a beam that is off, --centre takes a given one' '
	ptychotif "$frames" off.tif frame=48,50,3,11 && recon off -p "$pos" --crop 32 --centre 19,27 off.tif && alike base off'
ok 'a centre whose crop leaves the frame is refused' 'exits 1 recon x -p "$pos" --crop 32 --centre 10,27 off.tif && says "leave the frame"'
ok 'fewer than 8 pixels are refused' 'exits 1 base x --crop 6 && says "expected 8 to 4096"'
ok 'the layout of the beam is found' 'recon corner -p "$pos" "$D/tiny_corner_dp.tif" && alike base corner'
ok 'a flat light is refused: give --dc' 'tiffmake -t u16 -s 32,32 -n 25 -k 7 flat.tif; exits 1 recon x -p "$pos" flat.tif && says "cannot tell the layout (ratio 1).*give --dc"'
ok '--dc against the light is a warning' 'ptychorecon -a epie:0 -p "$pos" --probe "$probe" --dc corner -o against "$frames" && says "warning.*--dc says corner"'
ok 'float frames give what counts give' 'ptychotif "$frames" f32.tif type=f32 && recon f32 -p "$pos" f32.tif && alike base f32'
ok '--gain, --dark, --flat in their order' '
	ptychotif "$frames" g.tif type=f32 scale=3 scale=2 add=10 && tiffmake -t u16 -s 32,32 -n 2 -k 10 dark.tif && tiffmake -t f32 -s 32,32 -k 5 even.tif &&
	recon gain -p "$pos" --dark dark.tif --flat even.tif --gain 6 g.tif && alike base gain 1e-6'
ok 'a mask in the layout of the frames' '
	base mask --mask "$mask" && grep -q ",7$" mask_frames.csv && ptychotif "$mask" cm.tif roll=16,16 && recon cmask -p "$pos" --mask cm.tif "$D/tiny_corner_dp.tif" && alike mask cmask'
ok 'what is in masked pixels does not matter' 'ptychotif "$frames" dirt.tif set=-1,16,3,60000 set=-1,5,20,3 set=4,6,21,9999 && recon dirt -p "$pos" --mask "$mask" dirt.tif && alike mask dirt'
ok 'NaN, Inf and saturated pixels are invalid in their frame, and counted' '
	ptychotif f32.tif bad.tif set=3,10,10,nan set=3,11,11,inf && recon bad -p "$pos" bad.tif && grep -q "^3,1,.*,2$" bad_frames.csv && [ "$(grep -c ",0$" bad_frames.csv)" = 24 ] &&
	ptychotif "$frames" full.tif set=5,10,10,65535 && recon full -p "$pos" full.tif && grep -q "^5,1,.*,1$" full_frames.csv'
ok 'a mask of another shape is refused with both' 'tiffmake -t u8 -s 32,33 -k 1 m.tif; exits 1 base x --mask m.tif && says "frames are 32x32, the mask is 32x33"'
ok 'dark frames are left out, and so are those that --reject names' '
	ptychotif "$frames" dim.tif set=0,0,0,0 pages=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,99 &&
	recon dim -p "$pos" --reject 0.95,1.005 dim.tif && grep -q "^24,0,empty" dim_frames.csv && grep -q ",0,rejected," dim_frames.csv && exits 1 recon x -p "$pos" --reject 5,6 "$frames" && says "all 25 frames are rejected"'
ok '--normalise by a column: its frames come to one intensity' '
	awk -F, -v OFS=, "{ print \$0, NR == 1 ? \"i0\" : NR == 4 ? \"nan\" : 3 }" "$pos" >i0.csv
	recon i0 -p i0.csv --normalise i0 "$frames" && grep -q "^2,0,i0," i0_frames.csv && exits 1 recon x -p "$pos" --normalise i0 "$frames" && says "no column .i0."'
ok '--orientation undoes a turned detector, mask and all' '
	for op in fliplr flipud rot180 transpose antitranspose; do
		ptychotif "$frames" t.tif roll=0,0 d4=$op && ptychotif "$mask" tm.tif d4=$op && recon t -p "$pos" --orientation $op --mask tm.tif t.tif && alike mask t || exit 1
	done'
ok 'a list of operations is said as one' 'exits 0 recon list -v --orientation rot90_cw,fliplr -p "$pos" "$frames" && says "rot90_cw,fliplr is transpose"'
ok 'an unknown one is usage' 'exits 2 base x --orientation rot45 && says "rot90_cw"'
ok '--bin sums, --pad leaves the middle' 'base bin --bin 2 --probe disc:0.2,0,1 && grep -q "^0,1,.*,0$" bin_frames.csv && recon pad -p "$pos" --pad 40 --probe disc:0.16,0,1 "$frames" && grep -q "^0,1,.*,576$" pad_frames.csv'
ok '--dump-inputs: what the engines see' '
	base dump --mask "$mask" --dump-inputs seen && tiffstat seen/frames.tif >got && [ "$(wc -l <got)" = 25 ] && head -2 seen/windows.csv | tail -1 | grep -qx 0,5,4 &&
	ptychotif "$D/tiny_corner_dp.tif" want.tif type=f32 && ptychotif "$mask" um.tif roll=16,16 && [ "$(tail -n +2 seen/windows.csv | wc -l)" = 25 ] && tiffstat seen/probe.tif >&2 &&
	base u --dump-inputs seen2 && tiffdiff -t 0 want.tif seen2/frames.tif'

# ---- probes and objects
ok 'a probe of another size is refused with both' 'tiffmake -t f32 -s 16,16 -n 2 p16.tif; exits 1 base x --probe p16.tif && says "the probe is 16x16, expected the 32x32"'
ok 'a probe with an odd number of pages is refused' 'tiffmake -t f32 -s 32,32 -n 3 p3.tif; exits 1 base x --probe p3.tif && says "3 pages"'
ok 'a probe that is not finite ends the run' 'ptychotif "$probe" pn.tif set=0,3,3,inf; exits 1 base x --probe pn.tif && says "not finite"'
ok 'more modes in the file than asked for are refused' 'base m2 --modes 2 && base m2b --probe m2_probe.tif && exits 1 base x --probe m2_probe.tif --modes 1 && says "2 modes"'
ok 'a frozen probe is not completed' 'exits 1 base x --freeze-probe --modes 2 && says "frozen" && exits 2 base x --freeze-probe --probe-photons 1e5'
ok '--probe-photons P is its power at the start' '
	base power --probe-photons 1e5 --dump-inputs seen3 && tiffstat seen3/probe.tif | awk "{ sum += 1024 * \$2 ^ 2 + 1023 * \$3 } END { exit !(sum > 99990 && sum < 100010) }"'
ok 'probes from nothing: data, disc, gauss' 'for p in data data:0.0025 disc:0.2 disc:0.15625,0.012,1.5 gauss:6; do base p --probe $p || exit 1; done'
ok 'words that are no probes are usage, else a file' 'exits 2 base x --probe disc:0 && exits 2 base x --probe data:a && exits 2 base x --probe gauss:-3 && exits 1 base x --probe nosuch.tif'
ok 'an object of a constant, and of a file' 'base c1 --object 1,0 && alike base c1 && base c2 --object 0.5,0.7 && ! alike base c2 2>/dev/null && ptychotif base_object.tif two.tif pages=0,1 && base c3 --object two.tif'
ok 'an object with an infinity is refused, NaN is the constant' 'ptychotif base_object.tif inf.tif set=0,30,30,inf; exits 1 base x --object inf.tif && says "infinite" && ptychotif base_object.tif nan.tif set=-1,30,30,nan && base c4 --object nan.tif'

# ---- options
ok 'an engine that does not exist, a key it does not have: its keys are named' '
	exits 2 base x -a foo:3 && says "expected an engine: epie" && exits 2 base x -a dm:3:alpha=1 && says "no key of dm, expected beta, relax, .*inner" && exits 2 base x -a epie:3:noise=gauss && says "no key of epie, expected alpha, beta"'
ok 'values of keys are checked' 'exits 2 base x -a epie:x && exits 2 base x -a epie:3:batch=0 && exits 2 base x -a epie:3:alpha=-1 && exits 2 base x -a lsqml:3:noise=euclid && exits 2 base x -a epie:3:batch'
ok '-b is for engines without a batch of their own' 'base b -b 4 -a epie:2 && base b2 -a epie:2:batch=4 && alike b b2 && base b3 -b 3 -a epie:2:batch=4 && alike b b3'
ok 'bounds must be bounds' 'exits 2 base x --amplitude 1,1 && says "MIN below MAX" && exits 2 base x --phase-range 1,-1 && exits 2 base x --refine-positions 1,0 && exits 2 base x --refine-positions 0.5'
ok '--amplitude and --phase-range hold where there is light' '
	base clamp --amplitude 0.9,1.05 --phase-range -0.2,0.3 --write-phase --no-gauge && ptychotif clamp_phase.tif amp.tif pages=0 within=0.9,1.05 &&
	ptychotif clamp_phase.tif ph.tif pages=1 within=-0.2,0.3 && base free --write-phase && exits 1 ptychotif free_phase.tif amp.tif pages=0 within=0.9,1.05'
ok 'no positions, no output: usage' 'exits 2 ptychorecon -o x "$frames" && says "no positions" && exits 2 ptychorecon -p "$pos" "$frames" && says "no output" && exits 2 ptychorecon -p "$pos" -o - "$frames"'

# ---- many scans
ok 'a manifest: files beside it, options by their names, the cell wins' '
	mkdir -p m && cp "$frames" m/a.tif && cp "$pos" m/p.csv && cp "$probe" m/pr.tif &&
	printf "frames,positions,output,algorithm,probe,order\na.tif,p.csv,one,epie:2:batch=8,pr.tif,\na.tif,p.csv,two,wasp:1,pr.tif,sequential\n" >m/jobs.csv &&
	ptychorecon -q --coverage 0 -a dm:1 --list m/jobs.csv && alike base m/one && grep -q ",wasp," m/two_log.csv && ! grep -q ",dm," m/one_log.csv'
ok 'an unknown column and a wrong cell are refused, with the line' '
	printf "frames,output,nosuch\na.tif,one,1\n" >m/bad.csv && exits 1 ptychorecon -p "$pos" --list m/bad.csv && says nosuch &&
	printf "frames,output,modes\na.tif,one,0\n" >m/bad.csv && exits 2 ptychorecon -p "$pos" --list m/bad.csv && says "line 2: modes"'
ok 'one that fails does not stop the others' '
	printf "frames,positions,output\nnosuch.tif,p.csv,x1\na.tif,p.csv,x2\n" >m/some.csv && exits 1 ptychorecon -q --probe "$probe" -a epie:1 --list m/some.csv &&
	says "1 of 2 inputs failed" && [ -s m/x2_object.tif ] && [ ! -e m/x1_object.tif ]'
ok '--resume skips what is done, and redoes what another command made' '
	run() { ptychorecon --probe "$probe" -p "$pos" -a epie:2 -o res "$@" "$frames"; }
	run -q && touch -d 2001-01-01 res_log.csv && run -q --resume && [ "$(date -r res_log.csv +%Y)" = 2001 ] && run --resume --seed 3 && [ "$(date -r res_log.csv +%Y)" != 2001 ] && says "done again"'
ok '--dry-run says figures and bytes, and writes nothing' '
	ptychorecon --dry-run -p "$pos" --probe "$probe" -o dry "$frames" >plan && [ "$(wc -l <plan)" = 1 ] && grep -q dry plan && says "25 frames of 32x32, object 58x58" && says "scan range 18 x 18 px" && ! ls dry_* 2>/dev/null'
ok 'a folder that is not there is said before the work' 'exits 1 recon nosuch/x -v -p "$pos" "$frames" && says "nosuch/.*expected a folder" && ! says iteration'
ok 'too little --mem is refused with the bytes needed' 'exits 1 base x --mem 100K && says "needs [0-9]* bytes"'
# the device's bytes of --dry-run are enough for the run, with all that takes memory
for a in epie wasp lsqml mlgrad ml dm er; do
	ok "$a keeps to the memory of its plan, with modes, shifts and moving positions too" "
		for more in '' '--modes 3 --subpixel fourier' '--subpixel fourier --refine-positions 0 --intensity -b 3'; do
			n=\$(base x -a $a:2 --watchdog off \$more --dry-run | sed 's/.*host, \([0-9]*\) on.*, 1 block\$/\1/') &&
			base x -a $a:2 --watchdog off \$more --mem \$n && rm x_* || exit 1
		done"
done
ok 'and to it with a probe that changes, with slices, and with modes that come and go' "
	for more in '-a lsqml:2 --opr 3' '-a lsqml:2 --opr 2 --subpixel fourier --refine-positions 0' '-a lsqml:2 --energy 12.4 --pixel 5e-9 --slices 3 --slice-spacing 1e-5' '-a lsqml:2,wasp:2:modes=3,dm:2:modes=2'; do
		n=\$(base x \$more --watchdog off --dry-run | sed 's/.*host, \([0-9]*\) on.*, 1 block\$/\1/') && base x \$more --watchdog off --mem \$n && rm x_* || exit 1
	done"
ok 'exit waves that do not fit the device are the host'"'"'s in the plan: 8 bytes for each pixel of a frame' \
	"figures() { base x -a dm:1 --dry-run \"\$@\" | sed 's/.*: \([0-9]*\) bytes on the host, \([0-9]*\) on.*/\1 \2/'; } && set -- \$(figures) && set -- \$1 \$(figures --mem \$((\$2 - 1))) && [ \$((\$2 - \$1)) = \$((8 * 25 * 32 * 32)) ]"
if slow; then
	ok 'spoilt tables of positions never end it by a signal' '
		for n in $(seq 40); do
			perl -e "srand($n); \$_ = do { local \$/; <> }; for my \$i (1 .. 3) { substr(\$_, rand length, 1) = chr(rand 256) } print" "$pos" >spoilt.csv
			recon x -p spoilt.csv --dry-run "$frames" >plan 2>said; [ $? -lt 2 ] || { cat said >&2; exit 1; }
		done'
	ok 'nor do spoilt stacks' '
		for n in $(seq 40); do
			perl -e "srand($n); \$_ = do { local \$/; <> }; if ($n % 2) { \$_ = substr(\$_, 0, rand length) } else { for my \$i (1 .. 20) { substr(\$_, rand length, 1) = chr(rand 256) } } print" "$frames" >spoilt.tif
			recon x -p "$pos" --dry-run spoilt.tif >plan 2>said; [ $? -lt 2 ] || { cat said >&2; exit 1; }
		done'
fi
ok 'the preview is a picture' 'head -c 4 base_preview.png | tail -c 3 | grep -q PNG'
done_testing
