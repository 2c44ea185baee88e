#!/bin/bash
# examples/tv and examples/kplanes leave what they say.  (Their set-up builds the tools; the rest of them is run here.)
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
slow || { echo '1..0 # SKIP slow'; exit 0; }
mkdir -p checkout/examples
ln -s "$builddir" checkout/build
ln -s "$srcdir/share" checkout/share
ln -s "$srcdir/examples/data" checkout/examples/data
run() { mkdir -p "checkout/examples/$1" && sed 's|^"$root/examples/setup.sh"|:|' "$srcdir/examples/$1/run.sh" >"checkout/examples/$1/run.sh" && bash "checkout/examples/$1/run.sh" >said; }
field() { tail -n "$3" "$1" | head -n 1 | cut -d, -f"$2"; }

for script in "$srcdir"/examples/{tv,kplanes}/run.sh; do
	ok "${script#"$srcdir"/} is bash and can be started" "head -n 1 '$script' | grep -x '#!/bin/bash' && [ -x '$script' ] && bash -n '$script'"
done
ok 'tv: runs, again too, and names its files' 'run tv && run tv && for f in phase.tif clean.tif clean.png gradient.tif; do [ -s checkout/tv-out/$f ] && grep -q $f said || exit 1; done'
ok 'tv: total variation falls by ten times, and the proof holds' '[ "$(wc -l <checkout/tv-out/variation.csv)" = 3 ] &&
	awk -v a="$(field checkout/tv-out/variation.csv 13 2)" -v b="$(field checkout/tv-out/variation.csv 13 1)" -v p="$(field checkout/tv-out/report.csv 6 1)" "BEGIN { exit !(b > 0 && b < a / 10 && p > 0 && p <= 0.02) }"'
ok 'kplanes: runs and names its files' 'run kplanes && for f in volume.tif model.tif fine.tif fine.png variation.csv; do [ -s checkout/kplanes-out/$f ] && grep -q $f said || exit 1; done'
ok 'kplanes: the fit is good to 30 dB of the range, twice the slices keep the picture' '
	awk -F, "NR == 2 { a = \$2 } { b = \$2 } END { exit !(b < 1e-3 && b < a / 10) }" checkout/kplanes-out/log.csv && [ "$(tiffstat checkout/kplanes-out/fine.tif | wc -l)" = 22 ] &&
	kplanes render checkout/kplanes-out/model.tif -o same.tif && tiffrms checkout/kplanes-out/volume.tif same.tif >rms && awk "{ exit !(\$1 < 0.06) }" rms'
done_testing
