#!/bin/bash
# A whole well: manifest, recipe, cache of tilts, warm starts, shards, kills.  The plan of the demo well is a golden of t1000; radii,
# rules and cache files are held by unit-well and unit-tilt-files.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared

well="$shared/data/tilt/well.csv"
recon="tiltrecon --config pheno --list $well --optimize bfgs"
same_images() { local f n=0; for f in "$1"/*.tif; do n=$((n + 1)); tiffdiff "$f" "$2/${f##*/}" || return; done; [ "$n" = "${3:-20}" ]; }
skipped() { tail -n +2 "$1" | awk -F, -v s="$2" '$12 == s' | wc -l; }

mkdir cold cache hit
ok 'a well without cache: every stack is searched' "mkdir plain && $recon --tilt-out plain.csv -O plain && [ \$(skipped plain.csv 0) = 20 ]"
ok 'its tilts are the true ones: rms error below half the rms tilt (40 x 40 pixels, most of them noise; periodic, hence no taper)' \
	"$recon --taper 0 --tilt-out periodic.csv && paste -d, $shared/data/tilt/well_truth.csv periodic.csv | awk -F, 'NR > 1 {
		e += (sin(\$3) * cos(\$4) - sin(\$12) * cos(\$13)) ^ 2 + (sin(\$3) * sin(\$4) - sin(\$12) * sin(\$13)) ^ 2; t += sin(\$3) ^ 2 } END { print e, t; exit !(e < t / 4) }'"
ok 'with a cache the first time of each position is searched, the second takes its tilts' \
	"$recon --tilt-cache cache --tilt-out cold.csv -O cold && [ \$(skipped cold.csv 0) = 10 ] && [ \$(skipped cold.csv 1) = 10 ] && [ \$(ls cache | wc -l) = 10 ] &&
	 awk -F, '\$3 == 1 && (\$10 != \"nan\" || \$11 != 0 || \$12 != 1) { exit 1 }' cold.csv"
ok 'the cached z is relative to the focus offset of the row' \
	"awk -F, 'NR == FNR { if (FNR > 1) focus[\$2, \$3] = \$6; next } FNR > 1 { z[\$2, \$3] = \$7 - focus[\$2, \$3]; if (\$3 == 1) { n++; d = z[\$2, 1] - z[\$2, 0]; if (d > 1e-12 || d < -1e-12) exit 1 } } END { exit n != 10 }' $well cold.csv"
ok 'a hit gives the bytes of the first time: images and tilts' \
	"$recon --tilt-cache cache --tilt-out hit.csv -O hit && [ \$(skipped hit.csv 1) = 20 ] && same_images cold hit && csvdiff position= time= z_offset= zenith= azimuth= cold.csv hit.csv"
ok 'positions are searched in the order of time, whatever the order of the rows' \
	"mkdir back cache2 && { head -n 1 $well; tail -n +2 $well | tac; } | sed 's|well/p|$shared/data/tilt/well/p|' >back.csv &&
	 tiltrecon --config pheno --list back.csv --optimize bfgs --tilt-cache cache2 --tilt-out back_t.csv -O back && same_images cold back && awk -F, 'NR > 1 && \$12 != \$3 { exit 1 }' back_t.csv"
ok 'another optimiser, loss or tile does not take these tilts' \
	"mkdir other && $recon --iters 5 --tilt-cache cache --tilt-out other.csv -O other && [ \$(skipped other.csv 0) = 10 ] && [ \$(ls cache | wc -l) = 20 ]"
ok 'a damaged file of the cache is warned of, searched anew and written anew' \
	"rm -rf cache3 && cp -r cache2 cache3 && f=\$(ls cache3/p03-*) && cp \$f keep && head -c 200 keep >\$f && mkdir mended && $recon --tilt-cache cache3 --tilt-out mended.csv -O mended 2>said &&
	 grep \"warning: '\$f'\" said && same keep \$f && [ \$(skipped mended.csv 0) = 1 ] && same_images cold mended"
ok 'a file of another position is not taken' \
	"cp \$(ls cache3/p04-*) \$(ls cache3/p05-*) && rm -rf mended/* && $recon --tilt-cache cache3 --tilt-out mended.csv -O mended 2>said && grep 'warning: .*p05' said && same_images cold mended"
ok 'a missing folder is refused before the work' "rm -rf mended/* && $recon --tilt-cache nothing -O mended; [ \$? = 1 ] && grep \"'nothing'\" err && [ -z \"\$(ls mended)\" ]"

# shards and kills
ok 'shards give the images of the whole, with a cache of their own or none' \
	"mkdir shards && for i in 0 1 2; do $recon --shard \$i/3 --tilt-out shard\$i.csv -O shards || exit; done && same_images plain shards &&
	 { cat shard0.csv; tail -qn +2 shard1.csv shard2.csv; } | sort >all && sort plain.csv | same - all"
ok 'two programs at once on one cache: both finish, the cache is whole' \
	"mkdir cache4 one two && { $recon --tilt-cache cache4 -O one & $recon --tilt-cache cache4 -O two; } && wait && same_images cold one && same_images cold two && [ \$(ls cache4 | wc -l) = 10 ] &&
	 for f in cache4/*; do grep -vc ^stack \$f | grep -x 1 || exit; done"
kills() {	# killed after each of these times, then finished
	local t
	for t in $1; do
		rm -rf cache5 killed; mkdir cache5 killed
		$recon --tilt-cache cache5 --tilt-out killed.csv --resume -O killed & sleep "$t"; kill -9 $!; wait $! 2>/dev/null
		for f in cache5/p*.csv; do [ ! -e "$f" ] || same "$f" "cache2/${f##*/}" || { echo "torn: $f after $t"; return 1; }; done
		for f in killed/*_phase.tif; do [ ! -e "$f" ] || tiffdiff "$f" "cold/${f##*/}" || return; done
		$recon --tilt-cache cache5 --tilt-out killed.csv --resume -O killed && ! grep warning err && same_images cold killed || return
		csvdiff position= time= z_offset= zenith= azimuth= cold.csv killed.csv || return
	done
}
ok 'killed at any moment: cache and images are whole or absent, --resume ends with the same' "kills '0.05 0.2 0.3'"
slow && ok 'at more moments' "kills '0.02 0.1 0.15 0.25 0.35 0.4 0.5'"

# recipe
speed="tiltrecon --config pheno --list $well --recipe speed --init-zenith 0.1 --init-azimuth radial"
ok 'the speed recipe: nadam on midband, few iterations and frozen angles inside, everything beyond 0.7' \
	"mkdir fast cachef && $speed --tilt-cache cachef --tilt-out fast.csv -O fast && $speed --tilt-cache cachef2 --plan-only >plan.csv &&
	 paste -d, plan.csv fast.csv | awk -F, 'NR > 1 { full = \$5; angles = (\$7 == \$17 && \$8 == \$18); skip = \$21;
		if (full && (skip || \$20 != 25 || angles) || !full && !angles || !full && skip != \$9 || !full && !skip && \$20 != \$6) { print; exit 1 } }'"
ok 'the meniscus neither reads nor writes the cache' "[ \$(ls cachef | wc -l) = 5 ] && $speed --tilt-cache cachef --tilt-out again.csv -O fast && [ \$(skipped again.csv 1) = 10 ]"
ok 'an explicit option wins over the recipe' \
	"$speed --no-zen-blend --meniscus off --scale-iters 2,2 --freeze z --optimize adam --loss tv --tilt-out x.csv --shard 0/10 && awk -F, 'NR > 1 && (\$11 != 2 || \$8 == 0.1) { exit 1 }' x.csv &&
	 $speed --no-zen-blend --meniscus off --plan-only | awk -F, 'NR > 1 && (\$7 != 0.10000000000000001 || \$5) { exit 1 }'"

# warm starts
ok 'warm tilts are returned to the bit, loss nan, 0 iterations' \
	"grep -v ',1,0,0,0,' cold.csv >first.csv && mkdir warm && tiltrecon --config pheno --list $well --warm-start first.csv --skip-warm --tilt-out warm.csv -O warm &&
	 [ \$(skipped warm.csv 1) = 20 ] && awk -F, 'NR == FNR { v[\$2] = \$7 \",\" \$8 \",\" \$9; next } FNR > 1 && v[\$2] != \$7 \",\" \$8 \",\" \$9 { exit 1 }' first.csv warm.csv"
ok 'a warm start saves evaluations' \
	"$recon --warm-start plain.csv --shard 0/2 -O warm; [ \$? = 1 ] && grep \"2 rows for 'p00', expected 1\" err && $recon --warm-start first.csv --tilt-out warmed.csv -O warm &&
	 [ \$(awk -F, '{ n += \$11 } END { print n }' warmed.csv) -lt \$(awk -F, '{ n += \$11 } END { print n }' plain.csv) ]"
ok 'a position the table lacks fails alone, with the numbers' \
	"grep -v p07 first.csv >lacks.csv && rm -rf warm/* && tiltrecon --config pheno --list $well --warm-start lacks.csv --skip-warm -O warm; [ \$? = 1 ] && grep \"0 rows for 'p07', expected 1\" err &&
	 grep '2 of 20 inputs failed' err && [ \$(ls warm | wc -l) = 18 ]"
ok 'beyond the meniscus --skip-warm is not heeded, but the warm tilts are the start' \
	"tiltrecon --config pheno --list $well --recipe speed --warm-start first.csv --skip-warm --lr-z 1e-9 --lr-zenith 1e-9 --lr-azimuth 1e-9 --tilt-out skip.csv -O warm && [ \$(skipped skip.csv 1) = 10 ] &&
	 [ \$(skipped skip.csv 0) = 10 ] && csvdiff position= z_offset=1e-6 zenith=1e-6 azimuth=1e-6 warm.csv skip.csv"

# manifest
bad() { ok "$1" "$2 >bad.csv; tiltrecon --config pheno --list bad.csv ${4:-} --optimize bfgs --tilt-out b.csv; [ \$? != 0 ] && grep -e '$3' err && [ ! -e b.csv ]"; }
bad 'a recipe needs coordinates' "cut -d, -f1-4 $well" x_um '--recipe speed'
bad 'a coordinate that is no number' "awk -F, -v OFS=, 'NR == 3 { \$4 = \"here\" } 1' $well" 'line 3.*y_um' '--meniscus 0.7'
bad 'a manifest without stack' "cut -d, -f2- $well" stack
bad 'a focus offset that is no number' "sed '2s/-0.002/near/' $well" focus_offset
ok 'a recipe without a manifest is usage' "tiltrecon --config pheno --recipe speed -o x.tif $shared/data/tilt/thin7x48.tif; s=\$?; echo status \$s; [ \$s != 0 ] && grep -e --list err"
done_testing
