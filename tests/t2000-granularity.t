#!/bin/bash
# granularity: every golden of the page at its tolerance (1e-7 percent points: double sums in another order), the peer's own numbers,
# closed forms, and what must not change a byte.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
golden=$shared/golden/features
for f in "$shared"/data/features/*; do ln -s "$f" .; done

# spectra GOLDEN GOT: columns and numbers; keys and reasons must be the same text
spectra() {
	local columns
	columns=$(head -n 1 "$1" | tr , '\n' | sed -n 's/^Granularity_.*/&=1e-7/p')
	[ "$(head -n 1 "$1")" = "$(head -n 1 "$2")" ] || return
	# shellcheck disable=SC2086
	csvdiff image= page= channel= label= reason= $columns "$1" "$2"
}
# column NAME FILE
column() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$2"; }

cases=0
while IFS='|' read -r _ name command expected tolerance _; do
	read -r name <<<"$name"; read -r expected <<<"$expected"; read -r tolerance <<<"$tolerance"
	command=${command//\`/}
	case $name in
	g-list) continue ;;
	g-*) ;;
	*) continue ;;
	esac
	cases=$((cases + 1))
	ok "$name" "[ '$tolerance' = g ] && $command >got.csv && spectra '$golden/$expected' got.csv"
done < <(grep '^| ' "$golden/README.md")
ok 'the README holds the cases of the specification' "[ $cases -ge 23 ]"

# the peer's rows have no keys but the label and no reason
peer() {
	local columns
	columns=$(head -n 1 "$1" | tr , '\n' | sed -n 's/^Granularity_.*/&=1e-7/p')
	# shellcheck disable=SC2086
	csvdiff label= $columns "$1" "$2"
}
for image in human fly; do
	ok "cp_measure's own numbers for $image" \
		"granularity --compat cp_measure ${image}_dna.tif ${image}_labels.tif >got.csv && peer $golden/peer-$image-granularity.csv got.csv"
done

ok 'a manifest gives the rows of the single runs in its order' 'granularity --level both --list pairs.csv >all.csv &&
	{ granularity --level both human_dna.tif human_labels.tif && granularity --level both fly_dna.tif fly_labels.tif | tail -n +2 &&
	granularity --level both track.tif track_labels.tif | tail -n +2 &&
	granularity --level both -m human_mask.tif human_ph3.tif human_labels.tif | tail -n +2; } >want.csv && same want.csv all.csv'
ok 'a row without labels measures the image, or fails if objects are asked for' 'printf "image,labels\nhuman_dna.tif,\nfly_dna.tif,fly_labels.tif\n" >one.csv && granularity --list one.csv >got.csv &&
	granularity human_dna.tif >want.csv && [ "$(tail -n 1 want.csv)" = "$(sed -n 2p got.csv)" ] && granularity fly_dna.tif fly_labels.tif | tail -n +2 >a && tail -n +3 got.csv >b && same a b &&
	for l in object both; do exits 1 granularity -l $l --list one.csv >got.csv && says "human_dna.tif.: no labels" && says "1 of 2" || exit 1; done'
ok '--mask serves the rows without a mask of their own' 'printf "image,labels\nhuman_dna.tif,human_labels.tif\n" >one.csv &&
	granularity -m human_mask.tif --list one.csv >got.csv && granularity -m human_mask.tif human_dna.tif human_labels.tif >want.csv && same want.csv got.csv'
ok 'any number of threads gives the same bytes' 'for n in 2 3; do granularity --threads $n --level both --list pairs.csv >got.csv && same all.csv got.csv || exit 1; done'
ok 'the kernels give the same bytes' 'granularity --device cpu --algorithm kernels --level both --list pairs.csv >got.csv && same all.csv got.csv'
ok 'a volume by the kernels too' 'granularity --volume -n 5 vol_u16.tif vol_labels.tif >want.csv && granularity --volume -n 5 --algorithm kernels vol_u16.tif vol_labels.tif >got.csv && same want.csv got.csv'
ok 'without an OpenCL device the tree is there and the kernels are missed' 'mkdir -p none && export OCL_ICD_VENDORS=$PWD/none/ && granularity --level both --list pairs.csv >got.csv && same all.csv got.csv &&
	exits 1 granularity --algorithm kernels human_dna.tif human_labels.tif && says pocl'
ok 'two shards are the whole' 'for i in 0 1; do granularity --level both --list pairs.csv --shard $i/2 -o $i.csv || exit 1; done
	head -n 1 all.csv >got.csv && sort all.csv >a && { cat 0.csv && tail -n +2 1.csv; } | sort >b && same a b'
ok 'a second channel of a stack is that image alone' 'granularity --axes CYX -c 1 human_2ch.tif human_labels.tif | cut -d, -f3- | sed "s/^1,/0,/" >got.csv &&
	granularity human_ph3.tif human_labels.tif | cut -d, -f3- >want.csv && same want.csv got.csv'
ok 'standard input for either file' 'granularity - human_labels.tif <human_dna.tif | cut -d, -f2- >a && granularity human_dna.tif - <human_labels.tif | cut -d, -f2- >b &&
	granularity human_dna.tif human_labels.tif | cut -d, -f2- >want && same want a && same want b'
ok 'spectra do not depend on the scale: 1e-9 percent points' 'granularity --scale none human_dna.tif human_labels.tif >got.csv && granularity human_dna.tif human_labels.tif >want.csv &&
	csvdiff label= $(seq -f Granularity_%g=1e-9 16) want.csv got.csv'
ok 'the sum of a spectrum at full resolution is at most 100 and nothing in it is negative' 'granularity -s 1 -b 1 -r 5 human_dna.tif human_labels.tif >got.csv &&
	awk -F, "NR > 1 { s = 0; for (i = 5; i < 21; i++) { s += \$i; if (\$i < 0) exit 1 } if (s > 100 + 1e-9) exit 1 }" got.csv'

ok '--features leaves the other columns out and changes none' 'granularity --features "Granularity_[13],Granularity_1?" human_dna.tif human_labels.tif >got.csv &&
	granularity human_dna.tif human_labels.tif | cut -d, -f1-5,7,14- >want.csv && same want.csv got.csv'
ok 'a pattern without a column is a usage error' 'exits 2 granularity --features "Granularity_17" human_dna.tif human_labels.tif && says Granularity_17'
ok '--labels takes values and ranges' 'granularity --labels 60001-60003,7 human_dna.tif human_labels.tif >got.csv && column label got.csv | tr "\n" " " >out && grep -q "60001 60002 60003 $" out &&
	granularity human_dna.tif human_labels.tif | grep -e ^image -e ,60002, >want.csv && grep -e ^image -e ,60002, got.csv >b && same want.csv b'
ok '--dense has every label up to the largest' 'granularity --dense tiny.tif tiny_labels.tif >got.csv && [ "$(column label got.csv | tr "\n" " ")" = "1 2 3 4 5 6 7 8 " ] &&
	[ "$(column reason got.csv | sort | uniq -c | tr -s " \n" " ")" = " 6 absent 2 collapsed " ]'
ok 'tsv has tabs' 'granularity --format tsv tiny.tif tiny_labels.tif | tr "\t" , >got.csv && granularity tiny.tif tiny_labels.tif >want.csv && same want.csv got.csv'
ok '--digits 5 --no-reason' 'granularity --digits 5 --no-reason human_dna.tif human_labels.tif >got.csv && ! head -n 1 got.csv | grep reason && column Granularity_1 got.csv | grep -q "^[0-9]*\.[0-9]\{3\}$" &&
	! column Granularity_1 got.csv | grep "[0-9]\{6\}"'
# checker.tif is 1 where row + column is even: its opening by a disk is 0, one erosion leaves nothing
ok 'the stages of a checkerboard' 'd="granularity -s 1 -b 1 -n 2 checker.tif -o stage.csv --dump-stage" && $d background=b.tif && $d pixels=p.tif && $d eroded:1=e.tif && $d reconstructed:2=r.tif &&
	tiffdiff b.tif e.tif && tiffdiff e.tif r.tif && tiffdiff -a -t 0 checker.tif p.tif && ! tiffdiff -a -t 0.5 b.tif p.tif'
ok 'a stage of a volume has the grid of the spectrum' 'granularity --volume -s 1,0.5,0.5 --dump-stage reconstructed:3=v.tif vol_u16.tif vol_labels.tif >got.csv && granularity --dry-run --volume v.tif | grep -q 20x36x40'
ok 'a stage needs one image' 'exits 2 granularity --dump-stage pixels=x.tif --list pairs.csv && exits 1 granularity --dump-stage pixels=x.tif track.tif track_labels.tif >got.csv && [ ! -e x.tif ]'
for bad in pixels pixels= eroded=x.tif eroded:0=x.tif eroded:255=x.tif pixels:1=x.tif nosuch=x.tif; do
	ok "--dump-stage $bad is a usage error" "exits 2 granularity --dump-stage $bad human_dna.tif && says dump-stage"
done
ok 'no object: a header and nothing else' 'granularity --labels 59999 human_dna.tif human_labels.tif >got.csv && [ "$(wc -l <got.csv)" = 1 ]'

ok 'an interrupted run goes on with --resume to the same bytes' 'granularity --level both --list pairs.csv -o whole.csv && sed "s/human_ph3.tif/gone.tif/" pairs.csv >broken.csv && cp broken.csv list.csv &&
	exits 1 granularity --level both --list list.csv -o got.csv && [ -s got.csv.journal ] && cp pairs.csv list.csv &&
	granularity --level both --list list.csv --resume -o got.csv && same whole.csv got.csv && [ ! -e got.csv.journal ]'
ok 'one bad row leaves the others and exits 1' 'exits 1 granularity --level both --list broken.csv -o got.csv && says "gone.tif" && says "1 of 4" && rm -f got.csv.journal &&
	grep -v human_ph3 whole.csv >want.csv && same want.csv got.csv'

ok 'labels of another size are refused with both sizes'    'exits 1 granularity human_dna.tif fly_labels.tif && says 1006x1000 && says 512x512'
ok 'another number of label pages is refused'              'exits 1 granularity track.tif vol_labels.tif; exits 1 granularity vol_u16.tif vol_labels.tif -m track_labels.tif && says track_labels'
ok 'labels of type float are refused'                      'exits 1 granularity odd_u16.tif odd_f32.tif && says f32'
ok 'a mask of type float is refused'                       'exits 1 granularity -m odd_f32.tif odd_u16.tif odd_labels.tif && says f32'
ok 'a channel that the file lacks is refused'              'exits 1 granularity --axes CYX -c 0,2 human_2ch.tif human_labels.tif && says "2 channels"'
ok 'a column that no manifest has is refused'              'sed "1s/mask/masks/" pairs.csv >bad.csv && exits 1 granularity --list bad.csv && says masks'
for bad in '-s 0' '-s -1' '-s 1,1,1' '-b 1,x' '-b inf' '-n 0' '-n 255' '-r 0' '-r 513' '--digits 2' '--scale 0' '--axes YX' '--axes CCYX' '--labels 0' '--labels 5-4' '-c x' '--volume -s 1,1'; do
	ok "granularity $bad is a usage error"             "exits 2 granularity $bad human_dna.tif human_labels.tif && [ -s err ]"
done
ok 'objects without labels are a usage error'              'exits 2 granularity -l both human_dna.tif && says level'
ok 'three operands are a usage error'                      'exits 2 granularity a b c && says operands'
ok 'standard input twice is a usage error'                 'exits 2 granularity - - && says "2 times"'
ok '--dry-run says shape and bytes and writes nothing'     'granularity --dry-run -o none.csv human_dna.tif human_labels.tif && grep -q "512x512 u8" out && [ ! -e none.csv ]'
ok '--mem refuses what does not fit, with the bytes'       'exits 1 granularity --mem 100K human_dna.tif human_labels.tif && says bytes'
ok 'a disk beyond half of the image is warned of once'     'granularity -r 100 human_dna.tif human_labels.tif >got.csv && [ "$(grep -c radius "$scratch/err")" = 1 ]'
done_testing
