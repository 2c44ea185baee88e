#!/bin/bash
# An incoherent background on the detector: given or estimated, for every engine; off it changes no byte.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
truth='8 photons exp(-q^2 / 2 / 14^2)'
ptychosim -q --frames 100 --size 64 --step 6 --photons 1e6 --seed 4 --background 8,14 -o s
ptychosim -q --frames 100 --size 64 --step 6 --photons 1e6 --seed 4 -o clean
final() { awk -F, -v c="$2" '$1 == "final" { print $c }' "$1_log.csv"; }
nll() { final "$1" 7; }
left() { ptychocompare "$1_object.tif" s_truth_object.tif 64; }
less() { awk -v a="$1" -v b="$2" 'BEGIN { print a, b; exit !(a > 0 && a < b) }'; }	# A B: A is below B
recon() { ptychorecon -q -p s_pos.csv --probe s_probe0.tif "$@" s_dp.tif; }

for e in wasp:25 rpie:25 lsqml:25:noise=poisson mlgrad:25 dm:25 raar:25 er:25 ml:25:noise=poisson; do
	slow || [[ $e == wasp* || $e == dm* || $e == ml:* ]] || continue
	ok "$e: estimated, it explains the frames better" \
		"recon -a $e -o without-$e && recon -a $e --background estimate -o with-$e && less \$(nll with-$e) \$(awk -v v=\$(nll without-$e) 'BEGIN { print 0.9 * v }')"
done
ok 'wasp: what is left of the difference to the true object is at most 0.6 times that without' "less \$(left with-wasp:25) \$(awk -v v=\$(left without-wasp:25) 'BEGIN { print 0.6 * v }')"
ok "the estimate is $truth, to a third of the most, in the columns that the beam leaves dark" \
	"ptychosim -q --frames 1 --size 64 --photons 1e-9 --noise none --type f32 --background 8,14 -o b && for f in b_dp with-wasp:25_background; do ptychotif \$f.tif \$f-dark.tif frame=64,12,0,0 || exit 1; done && tiffdiff -t 0.3 b_dp-dark.tif with-wasp:25_background-dark.tif"
ok 'a background that is given: the nll of the noise alone' \
	"recon -a wasp:25 --background b_dp.tif -o given && less \$(nll given) 0.55 && tiffdiff b_dp.tif given_background.tif"
ok 'without any, one of zeros and none have the same bytes' \
	"ptychosim -q --frames 1 --size 64 --photons 1e-30 --noise none --type f32 -o zero && for e in wasp:5 lsqml:5:noise=poisson dm:5 ml:5 mlgrad:5; do
		recon -a \$e -o off && recon -a \$e --background zero_dp.tif -o zeros && tiffdiff off_object.tif zeros_object.tif && tiffdiff off_probe.tif zeros_probe.tif && cmp <(cut -d, -f1-15 off_log.csv) <(cut -d, -f1-15 zeros_log.csv) || exit 1; done"
ok 'where there is none, little is found: the object stays as good' \
	"ptychorecon -q -p clean_pos.csv --probe clean_probe0.tif -a wasp:25 -o none clean_dp.tif && ptychorecon -q -p clean_pos.csv --probe clean_probe0.tif -a wasp:25 --background estimate -o some clean_dp.tif &&
	 less \$(left some) \$(awk -v v=\$(left none) 'BEGIN { print 1.1 * v }')"
ok 'the same bytes for one thread and in little memory' "recon -a wasp:8 --background estimate:2 -o a && recon -a wasp:8 --background estimate:2 --threads 1 -o b1 && cmp a_object.tif b1_object.tif && cmp a_background.tif b1_background.tif"
ok 'a run that was interrupted goes on to the same background' \
	"(ulimit -t 100; mkdir i && cd i && killed_at with-wasp:25.ckpt/state.json ptychorecon -q -p ../s_pos.csv --probe ../s_probe0.tif -a wasp:25 --background estimate --checkpoint 2 -o with-wasp:25 ../s_dp.tif
	  ptychorecon --verbose --resume -p ../s_pos.csv --probe ../s_probe0.tif -a wasp:25 --background estimate --checkpoint 2 -o with-wasp:25 ../s_dp.tif 2>said && grep 'goes on after iteration' said && tiffdiff with-wasp:25_background.tif ../with-wasp:25_background.tif)"
ok 'a page of another size is refused'	"exits 1 recon --background s_probe0.tif -o x && says '64x64'"
ok 'negative photons are refused'		"ptychosim -q --frames 1 --size 64 --photons 1 --noise none --type f32 -o n && exits 1 recon --background with-wasp:25_probe.tif -o x"
ok 'estimate:x is refused'			"exits 2 recon --background estimate:x -o x && says START"
done_testing
