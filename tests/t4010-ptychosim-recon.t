#!/bin/bash
# ptychosim and ptychorecon are one model: the truth is a fixed point, what the simulator turned is turned back, and what it hid
# (sub-pixel shifts, errors of positions, partial coherence) is found.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

small='--frames 60 --size 32 --step 4 --jitter 1.5 --seed 3'
clean='--noise none --type f32'
cell() { awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { v = $c } END { print v }' "$1"; }
below() { echo "$1, expected less than $2"; awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }
nrmse() { ptychofrc -q "$1_object.tif" "$2_truth_object.tif" >frc.csv && cell frc.csv nrmse; }
# rms distance of two tables of positions along both axes, their mean apart
distance() {
	paste -d, <(cut -d, -f1-3 "$1") <(cut -d, -f1-3 "$2") | awk -F, 'NR > 1 { x = $2 - $5; y = $3 - $6; sx += x; sy += y; q += x * x + y * y; n++ }
		END { print sqrt(q / n - (sx * sx + sy * sy) / n / n) }'
}

for scan in '' '--subpixel' '--modes 3 --mode-power 0.15'; do
	shift=${scan:+${scan#--modes*}}
	ok "the truth explains noise-free frames to 1e-6${scan:+ ($scan)}" \
		"ptychosim -q $small $clean $scan -o true && ptychorecon -q -a epie:0 ${shift:+--subpixel fourier} --probe true_truth_probe.tif --probe-photons keep --object true_truth_object.tif \
			-p true_truth_pos.csv -o true true_dp.tif && below \$(cell true_log.csv R) 1e-6"
done
ok 'and counted ones to the noise: where light is everywhere, a deviance of 1/2 for each pixel, to five standard deviations of 61440' \
	"ptychosim -q $small --probe disc:0.72,0.012,0 --photons 1e7 --type f32 -o noisy && ptychorecon -q -a epie:0 --dc centre --probe noisy_truth_probe.tif --probe-photons keep --object noisy_truth_object.tif -p noisy_pos.csv -o noisy noisy_dp.tif &&
	 below \$(cell noisy_log.csv nll) 0.5143 && below 0.4857 \$(cell noisy_log.csv nll)"

seen() { mkdir -p "$1" && ptychorecon -q -a epie:0 --dump-inputs "$1" --probe "$2_probe0.tif" -p "$2_pos.csv" -o seen "${@:3}" "$2_dp.tif"; }
ok 'what ptychosim turned and moved, ptychorecon turns and moves back' \
	"ptychosim -q $small --dead 20 -o plain && seen plain plain --mask plain_mask.tif &&
	 for pair in fliplr:fliplr flipud:flipud rot180:rot180 transpose:transpose rot90_ccw:rot90_cw rot90_cw:rot90_ccw antitranspose:antitranspose; do
		for dc in centre corner; do
			ptychosim -q $small --dead 20 --orientation \${pair%:*} --dc \$dc -o turned && seen turned turned --mask turned_mask.tif --orientation \${pair#*:} &&
			tiffdiff plain/frames.tif turned/frames.tif || exit 1
			slow || break
		done
	 done"
ok 'and with another operation it does not' "seen other turned --mask turned_mask.tif --orientation rot90_cw && ! tiffdiff -t 1e-3 plain/frames.tif other/frames.tif"
ok 'dead pixels are invalid in all frames, 20 of 1024' "tiffframes invalid plain/frames.tif 20"
ok 'halves of a scan share no frame and leave none out' \
	"for h in 0 1; do ptychorecon -q -a epie:1 --half \$h --reject 0.95,inf --probe plain_probe0.tif -p plain_pos.csv -o half\$h plain_dp.tif; done &&
	 ptychorecon -q -a epie:1 --reject 0.95,inf --probe plain_probe0.tif -p plain_pos.csv -o whole plain_dp.tif &&
	 paste -d, <(cut -d, -f1,2 half0_frames.csv) <(cut -d, -f2 half1_frames.csv) <(cut -d, -f2 whole_frames.csv) |
		awk -F, 'NR > 1 { a += \$2; b += \$3; all += \$4; if (\$2 + \$3 != \$4) exit 1 } END { print a, b, all; exit !(all > 10 && all < 60 && (a - b) ^ 2 <= 1) }'"
ok 'u16 counts and the same counts as f32 are the same to the engine' \
	"ptychosim -q $small --type f32 -o wide && ptychosim -q $small --type u16 -o narrow && for n in wide narrow; do ptychorecon -q -a wasp:3 --probe \${n}_probe0.tif -p \${n}_pos.csv -o \$n \${n}_dp.tif; done &&
	 tiffdiff -t 1e-6 wide_object.tif narrow_object.tif"

bench='--frames 100 --size 64 --step 6 --seed 3'
ok 'between pixels, with shifted probes, wasp finds the object better than without' \
	"ptychosim -q $bench --subpixel -o sub && ptychorecon -q -a wasp:30 --subpixel fourier --probe sub_probe0.tif -p sub_pos.csv -o sub sub_dp.tif && a=\$(nrmse sub sub) &&
	 ptychorecon -q -a wasp:30 --probe sub_probe0.tif -p sub_pos.csv -o whole sub_dp.tif && below \$a 0.05 && below \$(cell sub_log.csv R) \$(cell whole_log.csv R)"
slow && ok 'so do epie, lsqml, dm and ml with counts' \
	'for a in epie:15 lsqml:15 dm:15 ml:15:noise=poisson; do
		ptychorecon -q -a $a --subpixel fourier --probe sub_probe0.tif -p sub_pos.csv -o sub sub_dp.tif && ptychorecon -q -a $a --probe sub_probe0.tif -p sub_pos.csv -o whole sub_dp.tif &&
		below $(cell sub_log.csv R) $(cell whole_log.csv R) || exit 1
	 done'
ok 'three modes explain partly coherent light better than one, and find the object' \
	"ptychosim -q --frames 144 --size 64 --step 5 --seed 4 --modes 3 --mode-power 0.15 -o modes &&
	 for m in 1 3; do ptychorecon -q -a wasp:30 --modes \$m --probe modes_probe0.tif -p modes_pos.csv -o m\$m modes_dp.tif || exit 1; done &&
	 below \$(nrmse m3 modes) 0.04 && below 0.04 \$(nrmse m1 modes) && below \$(cell m3_log.csv R) \$(cell m1_log.csv R)"
slow && ok 'errors of positions of 0.7 px come down by half in 120 iterations of lsqml' \
	"ptychosim -q --frames 64 --size 32 --step 4 --jitter 1 --position-error 0.7 --subpixel --seed 2 -o off &&
	 ptychorecon -q -a lsqml:120:batch=8 --subpixel fourier --refine-positions 3,1,3 --probe off_probe0.tif -p off_pos.csv -o off2 off_dp.tif &&
	 below \$(distance off2_positions.csv off_truth_pos.csv) 0.55 && below 0.85 \$(distance off_pos.csv off_truth_pos.csv)"
ok 'a beam stop that is masked costs less than half of what it costs when its zeros are believed' \
	"ptychosim -q --frames 100 --size 64 --step 6 --beam-stop 4 --seed 9 -o stop && ptychorecon -q -p stop_pos.csv --mask stop_mask.tif --probe stop_truth_probe.tif -a wasp:15 -o known stop_dp.tif &&
	 ptychorecon -q -p stop_pos.csv --probe stop_truth_probe.tif -a wasp:15 -o believed stop_dp.tif && below \$(cell known_log.csv R) \$(awk -v r=\$(cell believed_log.csv R) 'BEGIN { print r / 2 }') &&
	 below \$(ptychocompare known_object.tif stop_truth_object.tif 64) \$(awk -v e=\$(ptychocompare believed_object.tif stop_truth_object.tif 64) 'BEGIN { print 0.6 * e }')"
ok 'a spiral is reconstructed from no probe' \
	"ptychosim -q --frames 120 --size 64 --step 6 --scan spiral --jitter 0 --seed 9 -o round && ptychorecon -q -p round_pos.csv -a wasp:20 -o round round_dp.tif && below \$(cell round_log.csv R) 0.08"
done_testing
