#!/bin/bash
# What lies between object and detector beside a thin object and one far field: the near field, slices; and a probe that changes from frame to frame.  ptychosim says the truth.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

cell() { awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { v = $c } END { print v }' "$1"; }
below() { echo "$1, expected less than $2"; awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }
nrmse() { ptychofrc -q "$1_object.tif" "$2_truth_object.tif" >frc.csv && cell frc.csv nrmse; }

# ---- near field
optics='--energy 12.39842 --distance 6e-4 --detector-pixel 5e-8'
near="--near-field $optics"
scan='--frames 81 --size 64 --step 5 --seed 3 --photons 1e7 --probe disc:0.12,0.1,1'
truth() { echo "--probe $1_truth_probe.tif --probe-photons keep --object $1_truth_object.tif -p $1_truth_pos.csv"; }

for more in '' '--modes 2' '--subpixel'; do
	ok "near field: the truth explains noise-free frames to 1e-6${more:+ ($more)}" \
		"ptychosim -q $scan $more --noise none --type f32 $near -o clean && ptychorecon -q $near -a epie:0 ${more:+$([ "$more" = --subpixel ] && echo --subpixel fourier)} \$(truth clean) -o clean clean_dp.tif &&
		 below \$(cell clean_log.csv R) 1e-6"
done
ok 'and not at another distance' \
	"ptychosim -q $scan --noise none --type f32 $near -o clean && ptychorecon -q ${near/6e-4/5.5e-4} -a epie:0 \$(truth clean) -o off clean_dp.tif && below 0.01 \$(cell off_log.csv R)"
ok 'the truth is a fixed point of every engine: R below 1e-4 after three iterations' \
	"for a in epie rpie wasp lsqml mlgrad ml er dm raar; do ptychorecon -q $near -a \$a:3 --watchdog off --no-gauge --start-update-probe 0 \$(truth clean) -o fixed clean_dp.tif && below \$(cell fixed_log.csv R) 1e-4 || exit 1; done"
ok 'an odd side, and one that is no power of two' \
	"for n in 45 54; do ptychosim -q --frames 9 --size \$n --noise none --type f32 $near -o side && ptychorecon -q $near -a epie:0 \$(truth side) -o side side_dp.tif && below \$(cell side_log.csv R) 1e-5 || exit 1; done"
ok 'with photons, every engine explains the frames better in the near field than in the far one' \
	"ptychosim -q $scan $near -o scan && for a in $(slow && echo epie rpie wasp lsqml mlgrad ml dm raar || echo wasp lsqml); do
		ptychorecon -q $near -a \$a:15 --watchdog off --probe scan_probe0.tif -p scan_pos.csv -o near scan_dp.tif &&
		ptychorecon -q --dc centre -a \$a:15 --watchdog off --probe scan_probe0.tif -p scan_pos.csv -o far scan_dp.tif &&
		below \$(cell near_log.csv R) 0.05 && below \$(cell near_log.csv R) \$(awk -v r=\$(cell far_log.csv R) 'BEGIN { print r / 2 }') || exit 1
	 done"
ok 'and finds the object: what differs from the truth is a third of what it is in the far field' \
	"ptychorecon -q $near -a lsqml:40 --probe scan_probe0.tif -p scan_pos.csv -o near scan_dp.tif && ptychorecon -q --dc centre -a lsqml:40 --probe scan_probe0.tif -p scan_pos.csv -o far scan_dp.tif &&
	 below \$(nrmse near scan) 0.15 && below \$(awk -v e=\$(nrmse near scan) 'BEGIN { print 3 * e }') \$(nrmse far scan)"
ok 'the default start is the mean frame, brought back to the object: better than a spot or an aperture' \
	"ptychorecon -q $near -a wasp:10 -p scan_pos.csv -o cold scan_dp.tif && for p in gauss:20 disc:0.12; do
		ptychorecon -q $near -a wasp:10 --probe \$p -p scan_pos.csv -o other scan_dp.tif && below \$(cell cold_log.csv R) \$(cell other_log.csv R) || exit 1
	 done"
ok 'a cone is a parallel beam at z / m with pixels p / m: the same frames, the same object' \
	"cone='--near-field --energy 12.39842 --distance 1.2e-3 --focus-distance 1.2e-3 --detector-pixel 1e-7' &&
	 ptychosim -q $scan \$cone -o cone && tiffdiff cone_dp.tif scan_dp.tif && ptychorecon -q \$cone -a lsqml:40 --probe scan_probe0.tif -p scan_pos.csv -o cone scan_dp.tif &&
	 tiffdiff cone_object.tif near_object.tif && ptychorecon -v \$cone -a epie:0 --probe scan_probe0.tif -p scan_pos.csv -o other scan_dp.tif && says 'object pixel 50 nm'"
ok 'positions in lengths are in that pixel, not in the far field'"'"'s' \
	"awk -F, 'NR == 1 { print \"frame,x_um,y_um\"; next } { print \$1 \",\" \$2 * 0.05 \",\" \$3 * 0.05 }' scan_pos.csv >um.csv && ptychorecon -q $near -a lsqml:40 --probe scan_probe0.tif -p um.csv -o um scan_dp.tif &&
	 tiffdiff um_object.tif near_object.tif"
ok 'the same bytes on one thread, and frame by frame in little memory' \
	"ptychorecon -q $near -a wasp:3 --probe scan_probe0.tif -p scan_pos.csv -o all scan_dp.tif && ptychorecon -q --threads 1 --mem 3M $near -a wasp:3 --probe scan_probe0.tif -p scan_pos.csv -o one scan_dp.tif &&
	 same all_object.tif one_object.tif && same all_probe.tif one_probe.tif" 
ok 'a run that was cut off goes on to the same bytes' \
	"run=\"ptychorecon -q $near -a lsqml:40 --checkpoint 1 --probe scan_probe0.tif -p scan_pos.csv -o cut scan_dp.tif\" && \$run && cp cut_object.tif whole.tif && rm cut_*.tif &&
	 killed_at cut.ckpt/state.json \$run && [ ! -e cut_object.tif ] && \$run --verbose --resume && says 'goes on after iteration' && tiffdiff whole.tif cut_object.tif"
ok 'only what is needed: no pixel, no layout, no recentring, no phase of a far field' \
	"for o in '--pixel 1e-9' '--dc centre' --recentre '--probe data:0.01' '--probe data:scan' '--orientation scan'; do exits 2 ptychorecon $near \$o -p scan_pos.csv -o no scan_dp.tif || exit 1; done"
ok 'a near field needs distance, detector pixel and wavelength' \
	"exits 2 ptychorecon --near-field -p scan_pos.csv -o no scan_dp.tif && says distance && exits 2 ptychosim --near-field -o no"
ok 'a focus is of the near field' \
	"exits 2 ptychorecon --focus-distance 1 -p scan_pos.csv -o no scan_dp.tif && says near-field && exits 2 ptychosim --focus-distance 1 -o no"
ok 'the propagator that the frames are too small for is named' \
	"ptychorecon ${near/6e-4/6e-3} -a epie:0 --probe scan_probe0.tif -p scan_pos.csv -o far scan_dp.tif && says sampled"

# ---- slices
beam='--energy 12.39842 --pixel 5e-9'
thick="$beam --slices 2 --slice-spacing 1.2e-5"
slab='--frames 100 --size 64 --step 4.5 --seed 3 --photons 1e7'
page() { ptychotif "$1_object.tif" "$2_object.tif" "pages=$((2 * $3)),$((2 * $3 + 1))"; }

for more in '' '--modes 2' '--subpixel' '--slices 5' "$near --slices 2"; do
	these=${thick/--slices 2/}
	[ "${more#*near}" = "$more" ] || these='--slice-spacing 1e-4'
	[ "${more#*--slices}" != "$more" ] || these="$these --slices 2"
	ok "slices: the truth explains noise-free frames to 1e-6${more:+ ($more)}" \
		"ptychosim -q $slab $more --noise none --type f32 $these -o clean && ptychorecon -q $these -a epie:0 $(case $more in *subpixel) echo --subpixel fourier ;; *modes*) ;; *) echo "$more" ;; esac) \$(truth clean) -o clean clean_dp.tif &&
		 below \$(cell clean_log.csv R) 2e-6"
done
ok 'and not at another spacing' \
	"ptychosim -q $slab --noise none --type f32 $thick -o clean && ptychorecon -q ${thick/1.2e-5/6e-6} -a epie:0 \$(truth clean) -o off clean_dp.tif && below 0.01 \$(cell off_log.csv R)"
ok 'the truth is a fixed point: R below 1e-4 after three iterations' \
	"for a in epie:3 rpie:3 epie:3:batch=1 lsqml:3 lsqml:3:noise=poisson; do ptychorecon -q $thick -a \$a --watchdog off --no-gauge --start-update-probe 0 \$(truth clean) -o fixed clean_dp.tif && below \$(cell fixed_log.csv R) 1e-4 || exit 1; done"
ok 'with photons, two slices explain a thick object twice as well as one, and each is found' \
	"ptychosim -q $slab $thick -o slab && ptychorecon -q $thick --probe slab_probe0.tif -p slab_pos.csv -o two slab_dp.tif && ptychorecon -q -a epie:40 --probe slab_probe0.tif -p slab_pos.csv -o one slab_dp.tif &&
	 below \$(cell two_log.csv R) \$(awk -v r=\$(cell one_log.csv R) 'BEGIN { print r / 2 }') && page slab_truth first_truth 0 && page slab_truth second_truth 1 && page two first 0 && page two second 1 && page one thin 0 &&
	 below \$(nrmse first first) 0.08 && below \$(nrmse second second) 0.12 && below 0.08 \$(nrmse thin first) && below 0.12 \$(nrmse thin second)"
ok 'lsqml finds them better than epie does: at most 0.75 times the difference to the truth, in both' \
	"for l in 0 1; do page slab_truth slice\$l\_truth \$l && page two epie\$l \$l; done && ptychorecon -q $thick -a lsqml:40 --probe slab_probe0.tif -p slab_pos.csv -o lsq slab_dp.tif && for l in 0 1; do
		page lsq lsq\$l \$l && below \$(nrmse lsq\$l slice\$l) \$(awk -v e=\$(nrmse epie\$l slice\$l) 'BEGIN { print 0.75 * e }') || exit 1
	 done"
ok 'pages real and imaginary of each slice, then the coverage, at most 1' \
	"ptychotif two_object.tif last.tif pages=4 within=0,1 && [ \$(tiffstat two_object.tif | wc -l) = 5 ] && [ \$(tiffstat last.tif | awk '{ print \$NF }') = 1 ]"
ok 'they are a start: no iteration changes them' \
	"ptychorecon -q $thick -a epie:0 --coverage 0 --probe slab_probe0.tif -p slab_pos.csv --object slab_truth_object.tif -o start slab_dp.tif && page start s 1 && tiffdiff s_object.tif second_truth_object.tif"
ok 'one slice is a thin object: the same bytes as without the option' \
	"ptychorecon -q -a epie:3 --slices 1 --probe slab_probe0.tif -p slab_pos.csv -o a slab_dp.tif && ptychorecon -q -a epie:3 --probe slab_probe0.tif -p slab_pos.csv -o b slab_dp.tif && tiffdiff a_object.tif b_object.tif && tiffdiff a_probe.tif b_probe.tif"
ok 'the same bytes on one thread and in little memory' \
	"for a in 'epie:3 2700K' 'lsqml:3 5900K'; do for m in 1G \${a#* }; do ptychorecon -q --threads \$((\${#m} % 4)) --mem \$m $thick -a \${a% *} --probe slab_probe0.tif -p slab_pos.csv -o m\$((\${#m} % 4)) slab_dp.tif || exit 1; done; tiffdiff m2_object.tif m1_object.tif && tiffdiff m2_probe.tif m1_probe.tif || exit 1; done"
ok 'a run that was cut off goes on to the same bytes' \
	"for a in epie:20 lsqml:20; do run=\"ptychorecon -q $thick -a \$a --checkpoint 1 --probe slab_probe0.tif -p slab_pos.csv -o cut slab_dp.tif\" && rm -rf cut* && \$run && cp cut_object.tif whole.tif && rm cut_*.tif &&
	 killed_at cut.ckpt/state.json \$run && [ ! -e cut_object.tif ] && \$run --verbose --resume && says 'goes on after iteration' && tiffdiff whole.tif cut_object.tif || exit 1; done"
ok 'the engines that cannot are refused, and those that can named' \
	"for a in wasp mlgrad ml er dm raar epie:2,dm:2; do : >err; exits 2 ptychorecon $thick -a \$a -p slab_pos.csv -o no slab_dp.tif && e=\${a#*,} && says \"engine \${e%:*}, expected\" && says 'epie, rpie or lsqml' || exit 1; done; exits 2 ptychorecon $thick -a lsqml:2:compact=1 -p slab_pos.csv -o no slab_dp.tif && says compact=1"
ok 'slices need a spacing and optics, a spacing slices, and neither goes with what knows one slice only' \
	"for o in '--slices 2' '--slice-spacing 1e-6' '--slices 2 --slice-spacing 1e-6' '$thick --intensity' '$thick --refine-positions 1' '$thick --ramp remove' '$thick --smooth 1' '$thick --orientation scan'; do exits 2 ptychorecon \$o -p slab_pos.csv -o no slab_dp.tif || exit 1; done"

# ---- a probe that changes from frame to frame (unit-ptycho-opr has one whose weights are known)
drift='--frames 64 --size 64 --step 6 --seed 3'
opr='ptychorecon -q -a rpie:12 --opr 2 --probe drift_probe0.tif -p drift_pos.csv'
ok 'a probe that moves by parts of a pixel is explained better by two modes more' \
	"ptychosim -q $drift --subpixel --photons 1e7 -o drift && $opr -o moves drift_dp.tif && ptychorecon -q -a rpie:12 --probe drift_probe0.tif -p drift_pos.csv -o still drift_dp.tif &&
	 below \$(cell moves_log.csv R) \$(awk -v r=\$(cell still_log.csv R) 'BEGIN { print 0.95 * r }')"
ok 'by lsqml, too' \
	"${opr/rpie/lsqml} -o lsq drift_dp.tif && ptychorecon -q -a lsqml:12 --probe drift_probe0.tif -p drift_pos.csv -o off drift_dp.tif && below \$(cell lsq_log.csv R) \$(awk -v r=\$(cell off_log.csv R) 'BEGIN { print 0.95 * r }')"
ok 'two modes are written, of norm 1 and orthogonal to each other' \
	"[ \$(tiffstat moves_opr.tif | wc -l) = 4 ] && tiffstat moves_opr.tif | awk '{ n += 4095 * \$3 + 4096 * \$2 ^ 2 } END { print n; exit !(n > 1.9999 && n < 2.0001) }'"
ok 'with a row of weights for each frame: of the probe 1 in the mean, of others 0, without the modes'"'"' own scale' \
	"head -1 moves_frames.csv | grep -q ',opr_0,opr_1_re,opr_1_im,opr_2_re,opr_2_im\$' && [ \$(wc -l <moves_frames.csv) = 65 ] && ! grep -q opr still_frames.csv && [ ! -e still_opr.tif ] &&
	 awk -F, 'NR > 1 { a += \$10; b += \$11; c += \$13; q += \$11 ^ 2 + \$12 ^ 2 } END { print a / 64, b, c, q; exit !((a / 64 - 1) ^ 2 < 1e-12 && b ^ 2 + c ^ 2 < 1e-3 * q && q > 0) }' moves_frames.csv"
for a in '2500K rpie:12' '5500K lsqml:12' '5500K lsqml:12:noise=poisson:compact=1' '7700K lsqml:12 --subpixel fourier --refine-positions 2'; do
	mem=${a%% *} a=${a#* }	# for some of the frames
	run="${opr/rpie:12/$a}"
	ok "$a: the same bytes on one thread and in little memory" \
		"for m in 1G $mem; do $run --threads \$((\${#m} % 4)) --mem \$m -o m\$m drift_dp.tif || exit 1; done; $run -o whole drift_dp.tif && tiffdiff m1G_object.tif whole_object.tif && for f in object probe opr; do tiffdiff m1G_\$f.tif m$mem\_\$f.tif || exit 1; done; same m1G_frames.csv m$mem\_frames.csv"
	ok "$a: a run that was cut off goes on to the same bytes" \
		"run=\"$run --checkpoint 1 -o cut drift_dp.tif\" && rm -rf cut* && \$run && same cut_frames.csv whole_frames.csv && rm cut_*.tif &&
		 killed_at cut.ckpt/state.json \$run && [ ! -e cut_object.tif ] && \$run --verbose --resume && says 'goes on after iteration' && tiffdiff whole_opr.tif cut_opr.tif && tiffdiff whole_object.tif cut_object.tif && same cut_frames.csv whole_frames.csv"
done
ok 'the engines that cannot are refused, and what knows one probe only' \
	"for a in wasp mlgrad ml er dm raar; do : >err; exits 2 ptychorecon --opr 1 -a \$a -p drift_pos.csv -o no drift_dp.tif && says \"engine \$a, expected epie, rpie or lsqml\" || exit 1; done
	 for o in '--modes 2' --intensity '--support 0.3' --freeze-probe '$thick' '--orientation scan'; do exits 2 ptychorecon --opr 1 \$o -p drift_pos.csv -o no drift_dp.tif || exit 1; done"

# ---- other devices
rusticl() { RUSTICL_ENABLE=llvmpipe SCOPELINE_DEVICE=rusticl "$@"; }
if rusticl ptychorecon --device list 2>/dev/null | grep -qi rusticl; then
	ok 'rusticl agrees with PoCL: near field, slices, a probe that changes' \
		"ptychosim -q --frames 16 --size 32 --step 4 --seed 3 $near -o n && ptychosim -q --frames 16 --size 32 --step 4 --seed 3 $thick -o t && cp t_pos.csv o_pos.csv && cp t_probe0.tif o_probe0.tif && cp t_dp.tif o_dp.tif &&
		 for run in 'n $near -a wasp:3' 't $thick -a epie:3' 't $thick -a lsqml:3' 'o -a lsqml:3 --opr 2' 'o -a epie:3 --opr 2'; do
			set -- \$run && s=\$1 && shift && ptychorecon -q \"\$@\" --probe \${s}_probe0.tif -p \${s}_pos.csv -o here \${s}_dp.tif && rusticl ptychorecon -q \"\$@\" --probe \${s}_probe0.tif -p \${s}_pos.csv -o there \${s}_dp.tif &&
			tiffdiff -t 1e-4 here_object.tif there_object.tif && tiffdiff -t 1e-4 here_probe.tif there_probe.tif || exit 1
		 done"
else
	skip 'rusticl agrees with PoCL: near field, slices, a probe that changes' 'no rusticl'
fi
done_testing
