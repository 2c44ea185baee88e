#!/bin/bash
# intensity: every golden of the specification at its tolerance, the peer's own numbers, options, usage.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
golden=$shared/golden/features
for f in "$shared"/data/features/*; do ln -s "$f" .; done

cases=0
while IFS='|' read -r _ name command expected tolerance _; do
	read -r name <<<"$name"; read -r expected <<<"$expected"; read -r tolerance <<<"$tolerance"
	case $name in i-*) ;; *) continue ;; esac
	cases=$((cases + 1))
	ok "$name" "[ '$tolerance' = i ] && ${command//\`/} >got.csv && featdiff i '$golden/$expected' got.csv"
done < <(grep '^| ' "$golden/README.md")
ok 'the README holds the cases of the specification' "[ $cases -ge 13 ]"
for image in human fly; do
	ok "cp_measure's own numbers for $image" \
		"intensity --compat cp_measure ${image}_dna.tif ${image}_labels.tif >got.csv && featdiff p $golden/peer-$image-intensity.csv got.csv"
	ok "cp_measure's legacy numbers for $image" \
		"intensity --compat legacy ${image}_dna.tif ${image}_labels.tif >got.csv && featdiff p $golden/peer-$image-intensity-legacy.csv got.csv"
done

ok '--no-edge leaves the five edge columns out and the others alone' 'intensity --no-edge human_dna.tif human_labels.tif | cut -d, -f1-20 >a && intensity human_dna.tif human_labels.tif | cut -d, -f1-20 >b && same a b &&
	intensity --no-edge human_dna.tif human_labels.tif >got && [ "$(head -n 1 got | cut -d, -f20-)" = Location_MaxIntensity_Z,reason ]'
ok 'cp4 and cp5 have legacy quantiles, an explicit option wins' 'intensity --quantiles legacy fly_dna.tif fly_labels.tif >want && intensity --compat cp4 fly_dna.tif fly_labels.tif >a && intensity --compat cp5 fly_dna.tif fly_labels.tif >b &&
	same want a && same want b && intensity --compat cp4 --quantiles linear fly_dna.tif fly_labels.tif >a && intensity fly_dna.tif fly_labels.tif >b && same a b && differ a want'
ok '--scale NUMBER divides, none does not' 'intensity --scale 51 --features "*_MeanIntensity,*_MAD*" human_dna.tif human_labels.tif >a && intensity --features "*_MeanIntensity,*_MAD*" human_dna.tif human_labels.tif |
	awk -F, -v OFS=, -v CONVFMT=%.17g "NR > 1 { \$5 *= 5; \$6 *= 5 } { print }" >b && csvdiff label= Intensity_MeanIntensity=1e-6r Intensity_MADIntensity=1e-6r b a'
ok '--labels takes rows of the whole' 'intensity --labels 2,4-9 human_dna.tif human_labels.tif >got && intensity human_dna.tif human_labels.tif | awk -F, "NR == 1 || \$4 == 2 || (\$4 >= 4 && \$4 <= 9)" >want && [ $(wc -l <got) -gt 3 ] && same want got'
ok '--dense has a row for every label' 'intensity --dense odd_u16.tif odd_labels.tif | awk -F, "NR > 1 && \$4 != NR - 1 { exit 1 } END { exit NR != 65536 }" && intensity --dense odd_u16.tif odd_labels.tif | grep -v absent >a &&
	intensity odd_u16.tif odd_labels.tif >b && same a b'
ok 'any number of threads gives the same bytes' 'intensity --list pairs.csv --threads 1 >want && for n in 2 3; do intensity --threads $n --list pairs.csv >got && same want got || exit 1; done'
ok 'two shards are the whole' 'intensity --list pairs.csv >all && for i in 0 1; do intensity --list pairs.csv --shard $i/2 -o $i.csv || exit 1; done
	sort all >a && { cat 0.csv && tail -n +2 1.csv; } | sort >b && same a b'
ok 'one bad row leaves the others' 'printf "image,labels\nhuman_dna.tif,human_labels.tif\nnone.tif,human_labels.tif\n" >bad.csv && exits 1 intensity --list bad.csv >got && says none.tif && says "1 of 2" &&
	intensity human_dna.tif human_labels.tif >want && same want got'

ok 'labels are needed' 'exits 2 intensity human_dna.tif && says "IMAGE LABELS"'
ok 'both from standard input is a usage error' 'exits 2 intensity - - && says "named 2 times"'
ok 'a mask of another size is said' 'exits 1 intensity -m human_mask.tif fly_dna.tif fly_labels.tif && says human_mask'
done_testing
