#!/bin/bash
# The tools of features on objects small enough to know the answer: gaps, touching objects, one pixel, the border, types, NaN, renumbering, tiles.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

# value LABEL COLUMN FILE
value() { awk -F, -v label="$1" -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } $4 == label { print $c; exit }' "$3"; }
# near A B TOLERANCE
near() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; exit !(a != "" && a == a + 0 && (d < 0 ? -d : d) <= t) }' || { echo "$1, expected $2" >&2; return 1; }; }
ones() { awk -v n="$1" -v v="${2:-1}" 'BEGIN { for (y = 0; y < n; y++) { for (x = 0; x < n; x++) printf "%s ", v; print "" } }'; }

ok '1 2 3 4: quartiles 1.75 2.5 3.25, MAD 1, deviation sqrt(1.25)' 'printf "0 0 0 0 0 0\n0 1 2 3 4 0\n" | tifftext u8 i.tif && printf "0 0 0 0 0 0\n0 7 7 7 7 0\n" | tifftext u8 l.tif && intensity --scale none i.tif l.tif >got &&
	near $(value 7 Intensity_LowerQuartileIntensity got) 1.75 0 && near $(value 7 Intensity_MedianIntensity got) 2.5 0 && near $(value 7 Intensity_UpperQuartileIntensity got) 3.25 0 &&
	near $(value 7 Intensity_MADIntensity got) 1 0 && near $(value 7 Intensity_StdIntensity got) 1.11803398875 1e-11 && near $(value 7 Location_CenterMassIntensity_X got) 3 0 &&
	near $(value 7 Location_MaxIntensity_X got) 4 0 && near $(value 7 Location_MaxIntensity_Y got) 1 0 && near $(value 7 Intensity_MassDisplacement got) .5 0'
ok 'legacy quartiles of it: 2 3 4' 'intensity --quantiles legacy --scale none i.tif l.tif >got && near $(value 7 Intensity_LowerQuartileIntensity got) 2 0 && near $(value 7 Intensity_MedianIntensity got) 3 0 && near $(value 7 Intensity_UpperQuartileIntensity got) 4 0'
ok '2 x 2 pixels: Zernike_0_0 = 2_0 = 4_0 = 4_4 = 2.54647908947, the others 0' 'printf "0 0 0\n0 1 1\n0 1 1\n" | tifftext u16 l.tif && zernike -d 4 --circle-columns l.tif >got && for c in 0_0 2_0 4_0 4_4; do near $(value 1 Zernike_$c got) 2.54647908947 1e-11 || exit 1; done
	for c in 1_1 2_2 3_1 3_3 4_2; do near $(value 1 Zernike_$c got) 0 1e-15 || exit 1; done; near $(value 1 Circle_Y got) 1.5 0 && near $(value 1 Circle_Radius got) .70710678118654757 1e-16'
ok 'one pixel: no moments, reason single-pixel; its intensity is all quantiles' 'printf "0 0 0\n0 9 0\n" | tifftext u8 l.tif && printf "1 1 1\n1 5 1\n" | tifftext u8 i.tif && zernike l.tif | tail -n 1 | grep -q "nan,single-pixel$" &&
	intensity --scale none i.tif l.tif >got && for c in Intensity_Lower Intensity_Median Intensity_Upper Intensity_Mean Intensity_Max; do c=${c/er/erQuartile}; near $(value 9 ${c}Intensity got) 5 0 || exit 1; done; near $(value 9 Intensity_StdIntensity got) 0 0'
ok 'an object that fills the image has no edge' 'ones 6 3 | tifftext u8 l.tif && ones 6 2 | tifftext u8 i.tif && intensity i.tif l.tif | tail -n 1 | grep -q ",nan,nan,nan,nan,nan,no-edge$" && intensity --compat cp_measure i.tif l.tif | tail -n 1 | grep -q ",0,0,0,0,0,no-edge$"'
ok 'touching objects both have an edge: 3 pixels each' 'printf "1 1 2 2\n1 1 2 2\n1 1 2 2\n" | tifftext u8 l.tif && ones 4 1 | head -n 3 | tifftext u8 i.tif && intensity --scale none i.tif l.tif >got && near $(value 1 Intensity_IntegratedIntensityEdge got) 3 0 && near $(value 2 Intensity_IntegratedIntensityEdge got) 3 0'
ok 'ties: the first or the last maximum' 'printf "5 1 5\n1 5 1\n" | tifftext u8 i.tif && ones 3 | head -n 2 | tifftext u8 l.tif && intensity i.tif l.tif >a && intensity --ties last i.tif l.tif >b && near $(value 1 Location_MaxIntensity_X a) 0 0 && near $(value 1 Location_MaxIntensity_Y a) 0 0 && near $(value 1 Location_MaxIntensity_X b) 1 0 && near $(value 1 Location_MaxIntensity_Y b) 1 0'
ok 'values that cancel have no centre of mass: zero-sum' 'printf "0.1 0.2 0.3 -0.6\n-0.1 -0.2 -0.3 0.6\n" | tifftext f64 i.tif && ones 4 | head -n 2 | tifftext u8 l.tif && intensity i.tif l.tif | tail -n 1 | grep -q "zero-sum;no-edge$"'

# a scene: four blobs with ids far apart, one of them in two parts, at the border and touching
scene() {
	awk -v a="$1" -v b="$2" -v c="$3" -v d="$4" 'BEGIN { for (y = 0; y < 24; y++) { for (x = 0; x < 40; x++) {
		v = 0
		if ((y - 6) ^ 2 + (x - 8) ^ 2 < 30) v = a
		if ((y - 6) ^ 2 / 2 + (x - 18) ^ 2 < 28) v = b
		if (y > 18 && x < 9 || y > 15 && x > 20 && x < 24) v = c
		if (x > 30 && (x + y) % 5) v = d
		printf "%d ", v }; print "" } }'
}
image() { awk -v nan="${1:-}" -v by="${2:-1}" 'BEGIN { srand(3); for (y = 0; y < 24; y++) { for (x = 0; x < 40; x++) { v = int(200 * rand()); printf "%s ", nan != "" && y == 5 && x == 7 ? nan : v * by }; print "" } }'; }
scene 3 9 70 400 | tifftext u16 l.tif
image '' | tifftext u8 i.tif
awk 'BEGIN { for (y = 0; y < 300; y++) { for (x = 0; x < 300; x++) printf "%d ", 300 * y + x + 1; print "" } }' | tifftext u32 many.tif
tiffmake -t u8 -s 300,300 -k noise noise.tif
for tool in zernike intensity 'granularity -s 1 -b 0.5 -r 3 -n 4'; do
	ok "$tool: u8, u16, i16, f32 and f64 of one picture give one table" "$tool --scale none i.tif l.tif | cut -d, -f2- >want && for t in u16 i16 f32 f64; do image | tifftext \$t \$t.tif && $tool --scale none \$t.tif l.tif | cut -d, -f2- >got && same want got || exit 1; done"
	ok "$tool: labels of any whole type give one table" "$tool i.tif l.tif >want && for t in u32 i32 i16; do scene 3 9 70 400 | tifftext \$t k.tif; $tool i.tif k.tif >got && same want got || exit 1; [ \$t = i32 ] && exit; done"
	ok "$tool: ids up to 2^31 - 1 change nothing but the ids" "$tool i.tif l.tif | cut -d, -f2-3,5- >want && scene 60000 70000 1000000000 2147483647 | tifftext u32 k.tif && $tool i.tif k.tif | cut -d, -f2-3,5- >got && same want got"
	ok "$tool: a permutation of the ids permutes the rows" "$tool i.tif l.tif | cut -d, -f5- | sort >want && scene 8 2 9 1 | tifftext u8 k.tif && $tool i.tif k.tif | cut -d, -f5- | sort >got && same want got"
	ok "$tool: files in tiles, big-endian and BigTIFF hold the same" "tiffmake -t u16 -s 40,48 -k noise a.tif && tiffmake -t u16 -s 40,48 -k noise -T 16 -b -8 b.tif && tiffmake -t u8 -s 40,48 -k 1 k.tif && $tool a.tif k.tif | cut -d, -f2- >want && $tool b.tif k.tif | cut -d, -f2- >got && same want got"
	case $tool in granularity*) continue ;; esac
	ok "$tool: a NaN touches only its own object" "$tool f64.tif l.tif >want && image nan | tifftext f64 n.tif && $tool n.tif l.tif | sed s/n.tif/f64.tif/ >got && differ want got && grep -v ^f64.tif,0,0,3, want >a && grep -v ^f64.tif,0,0,3, got >b && same a b"
	ok "$tool: one label page serves all pages, as a page for each does" "{ image; echo; image '' 2; } | tifftext u16 two.tif && { scene 3 9 70 400; echo; scene 3 9 70 400; } | tifftext u8 l2.tif 2>err; { scene 3 9 70 200; echo; scene 3 9 70 200; } | tifftext u8 l2.tif && scene 3 9 70 200 | tifftext u8 l1.tif &&
		$tool two.tif l1.tif >want && $tool two.tif l2.tif >got && same want got && [ \$(cut -d, -f2 got | sort -u | wc -l) = 3 ]"
	ok "$tool: three pages of labels for two of the image are refused" "{ image; echo; image; } | tifftext u8 two.tif && { scene 1 2 3 4; echo; scene 1 2 3 4; echo; scene 1 2 3 4; } | tifftext u8 l3.tif && exits 1 $tool two.tif l3.tif && says '3 pages'"
	ok "$tool: no object is a header alone, exit 0" "ones 5 0 | tifftext u8 none.tif && ones 5 | tifftext u8 one.tif && $tool one.tif none.tif >got && [ \$(wc -l <got) = 1 ]"
	ok "$tool: negative labels are refused" "ones 5 -1 | tifftext i32 minus.tif && exits 1 $tool one.tif minus.tif && says -1"
	ok "$tool: 90000 objects of one pixel each" "timeout 60 $tool --digits 3 noise.tif many.tif >got && [ \$(wc -l <got) = 90001 ]"
	ok "$tool: --dry-run names the input and writes nothing" "$tool --dry-run i.tif l.tif -o no.csv | grep -q 'i.tif.*bytes' && [ ! -e no.csv ]"
done
# rotated: columns of the scene become rows
rotate() { awk '{ for (i = 1; i <= NF; i++) a[NR, i] = $i; n = NF } END { for (i = n; i > 0; i--) { for (k = 1; k <= NR; k++) printf "%s ", a[k, i]; print "" } }'; }
ok 'granularity of a picture turned by 90 degrees is the same to 1e-9' 'scene 3 9 70 400 | rotate | tifftext u16 k.tif && image | rotate | tifftext u8 r.tif && granularity -s 1 -b 1 -r 3 -n 4 i.tif l.tif >want && granularity -s 1 -b 1 -r 3 -n 4 r.tif k.tif >got &&
	[ $(wc -l <want) = 5 ] && csvdiff label= Granularity_1=1e-9 Granularity_2=1e-9 Granularity_3=1e-9 Granularity_4=1e-9 want got'
ok 'granularity of a NaN is that of a 0 which no object holds' 'image nan | tifftext f64 n.tif && granularity --scale none -s 1 -b 1 -r 3 -n 4 n.tif l.tif >got && image 0 | tifftext f64 z.tif && awk "BEGIN { for (y = 0; y < 24; y++) { for (x = 0; x < 40; x++) printf \"%d \", !(y == 5 && x == 7); print \"\" } }" | tifftext u8 m.tif &&
	granularity --scale none -s 1 -b 1 -r 3 -n 4 -m m.tif z.tif l.tif | sed s/z.tif/n.tif/ >want && same want got && [ $(wc -l <got) = 5 ]'
ok 'moved in a larger page, an object has the same moments byte for byte' '{ awk "BEGIN { for (y = 0; y < 13; y++) { for (x = 0; x < 57; x++) printf \"0 \"; print \"\" } }"; scene 3 9 70 400 | sed "s/^/0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 /"; } | tifftext u16 k.tif &&
	zernike --set shape l.tif | cut -d, -f5- >want && zernike --set shape k.tif | cut -d, -f5- >got && same want got'
ok 'a volume is measured as one: the centre in z, edges before and behind' '{ ones 3; echo; ones 3; echo; ones 3; } | tifftext u8 v.tif && { ones 3 0; echo; ones 3; echo; ones 3; } | tifftext u8 l.tif && intensity --volume --scale none v.tif l.tif >got &&
	near $(value 1 Location_CenterMassIntensity_Z got) 1.5 0 && near $(value 1 Intensity_IntegratedIntensity got) 18 0 && near $(value 1 Intensity_IntegratedIntensityEdge got) 9 0'
for tool in granularity zernike intensity; do
	ok "$tool --profile: reading and computing, also where no device is opened" "image | tifftext u8 i.tif && scene 3 9 70 400 | tifftext u16 k.tif && $tool -q --profile=p.csv -o x.csv i.tif k.tif && grep -q '^stage,read,1,0\.' p.csv && grep -q '^stage,compute,1,' p.csv"
done
done_testing
