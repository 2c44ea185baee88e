#!/bin/bash
# zernike: every golden of the specification at its tolerance, the peer's own numbers, options, usage.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
golden=$shared/golden/features
for f in "$shared"/data/features/*; do ln -s "$f" .; done

cases=0
while IFS='|' read -r _ name command expected tolerance _; do
	read -r name <<<"$name"; read -r expected <<<"$expected"; read -r tolerance <<<"$tolerance"
	case $name in z-*) ;; *) continue ;; esac
	cases=$((cases + 1))
	ok "$name" "[ '$tolerance' = z ] && ${command//\`/} >got.csv && featdiff z '$golden/$expected' got.csv"
done < <(grep '^| ' "$golden/README.md")
ok 'the README holds the cases of the specification' "[ $cases -ge 8 ]"
for image in human fly; do
	ok "cp_measure's own numbers for $image: shape" \
		"zernike --set shape --circle cp ${image}_dna.tif ${image}_labels.tif >got.csv && featdiff -k 1 z $golden/peer-$image-zernike.csv got.csv"
	ok "cp_measure's own numbers for $image: radial, by --compat" \
		"zernike --set radial --compat cp_measure ${image}_dna.tif ${image}_labels.tif >got.csv && featdiff -k 1 z $golden/peer-$image-radial_zernikes.csv got.csv"
done

ok 'labels alone give the shape columns of both' 'zernike human_labels.tif | cut -d, -f2-34 >a && zernike human_dna.tif human_labels.tif | cut -d, -f2-34 >b && [ $(wc -l <a) -gt 100 ] && same a b'
ok '--features takes the columns of the whole' 'zernike --features "Zernike_2_*,*Phase_9_9" human_dna.tif human_labels.tif | cut -d, -f4- >a &&
	zernike human_dna.tif human_labels.tif | cut -d, -f4,7-8,94-95 >b && same a b'
ok '--features without radial ones keeps the reasons' 'zernike --features "Zernike_*" odd_f32.tif odd_labels.tif | cut -d, -f4,35 >a && zernike odd_f32.tif odd_labels.tif | cut -d, -f4,95 >b && grep -q nonfinite a && same a b'
ok 'degree 30 has 256 shape columns, the last is Zernike_30_30' 'zernike -d 30 --set shape odd_labels.tif >got && [ "$(head -n 1 got | tr , "\n" | tail -n 2 | head -n 1)" = Zernike_30_30 ] &&
	[ "$(head -n 1 got | tr , "\n" | grep -c Zernike_)" = 256 ]'
ok 'degree 16 has the columns of degree 15, by another way, to 1e-11' 'zernike -d 15 human_dna.tif human_labels.tif >a && zernike -d 16 human_dna.tif human_labels.tif >b &&
	columns=$(head -n 1 a | tr , "\n" | sed -n "/Zernike_[0-9]/s/$/=1e-11/p;/Magnitude/s/$/=1e-11/p") && csvdiff label= $columns a b'
ok 'any number of threads gives the same bytes' 'zernike human_dna.tif human_labels.tif >want && for n in 1 3; do zernike --threads $n human_dna.tif human_labels.tif >got && same want got || exit 1; done'
ok 'a mask does not touch the moments' 'zernike -m human_mask.tif human_dna.tif human_labels.tif >got && zernike human_dna.tif human_labels.tif >want && same want got'
ok '--digits 5 rounds, tsv has tabs, --no-reason drops the last column' 'zernike -d 1 --set shape --digits 5 --format tsv --no-reason human_labels.tif >got &&
	[ "$(head -n 1 got)" = "image	page	channel	label	Zernike_0_0	Zernike_1_1" ] && ! grep -q , got &&
	tail -n +2 got | cut -f5 | grep -v nan >a && xargs printf "%.5g\n" <a >b && same a b'
ok 'a manifest gives the rows of the single runs, with resume too' 'zernike --list pairs.csv -o all.csv && { zernike human_dna.tif human_labels.tif && zernike fly_dna.tif fly_labels.tif | tail -n +2 &&
	zernike track.tif track_labels.tif | tail -n +2 && zernike human_ph3.tif human_labels.tif | tail -n +2; } >want && same want all.csv &&
	zernike --list pairs.csv --resume -o all.csv && same want all.csv'

ok '--volume is a usage error' 'exits 2 zernike --volume vol_u16.tif vol_labels.tif && says volume'
ok 'degree 31 is a usage error' 'exits 2 zernike --degree 31 human_labels.tif && says 30'
ok '--set radial with labels alone is a usage error' 'exits 2 zernike --set radial human_labels.tif && says "expected IMAGE LABELS"'
ok 'a pattern without a column is a usage error' 'exits 2 zernike --features Zernike_2_1 human_labels.tif && says Zernike_2_1'
ok 'no operand is a usage error, three are' 'exits 2 zernike && exits 2 zernike a b c'
ok 'sizes that differ are said' 'exits 1 zernike human_dna.tif fly_labels.tif && says 512 && says 1006'
ok 'labels that are no whole numbers are refused' 'exits 1 zernike odd_f32.tif && says f32'
done_testing
