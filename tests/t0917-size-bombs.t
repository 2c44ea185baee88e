#!/bin/bash
# Inputs of a few bytes that claim to be large, for every reader: refused with one message, and nobody has even asked for the memory.
# (The fault library tells the largest allocation that anyone asked for, libraries included.)
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
. "$srcdir/tests/faults.sh"
most=$((64 << 20))
tiffmake -t f32 -s 24,24 -n 3 -k noise good.tif
tiffmake -t u16 -s 24,24 -n 1 -k 1 labels.tif
tiffmake -t u16 -s 24,24 -n 1 -k noise image.tif
ptychosim -q --frames 4 --size 16 --step 3 --jitter 1 --photons 1e4 -o s || exit 1

# refused COMMAND...: exit 1, one line, no file, no large allocation
refused() {
	local status=0 largest
	rm -rf result && mkdir result
	env FAULT_COUNT=counts LD_PRELOAD="$library" "$@" >stdout 2>said </dev/null || status=$?
	largest=$(times largest)
	[ "$status" = 1 ] && [ "$(wc -l <said)" = 1 ] && [ -z "$(ls -A result)" ] && [ "$largest" -lt "$most" ] && return
	echo "$*: exit status $status, $largest bytes at once"; cat said; ls -A result
	return 1
}

# ---- TIFF
# 2^31 by 2^31 pixels without data; 8 GiB of packed nothing; 2^20 by 16 with a strip that is not there
tiffmake -A 2147483647,2147483647 huge.tif
tiffmake -A 65000,65000,8 packed.tif
tiffmake -A 1048576,4096 long.tif
for f in huge packed long; do
	ok "$f.tif as a stack, an image, labels, a volume, a model, frames, a probe, an object" "for c in \
		'tiltrecon -q --config pheno -o result/o.tif $f.tif' 'tiltsim -q --config pheno --slices 3 -o result/o.tif $f.tif' \
		'granularity -q -o result/o.csv $f.tif labels.tif' 'granularity -q -o result/o.csv image.tif $f.tif' 'zernike -q -o result/o.csv image.tif $f.tif' \
		'intensity -q -o result/o.csv $f.tif labels.tif' 'tvloss -q -o result/o.csv $f.tif' 'tvdenoise -q -l 1 -o result/o.tif $f.tif' \
		'kplanes fit -q --resolution 5 --iters 1 -o result/o.tif $f.tif' 'kplanes render -q -o result/o.tif $f.tif' \
		'ptychorecon -q -a epie:1 -p s_pos.csv --probe s_probe0.tif -o result/r $f.tif' 'ptychorecon -q -a epie:1 -p s_pos.csv --probe $f.tif -o result/r s_dp.tif' \
		'ptychorecon -q -a epie:1 -p s_pos.csv --probe s_probe0.tif --object $f.tif -o result/r s_dp.tif' \
		'ptychorecon -q -a epie:1 -p s_pos.csv --probe s_probe0.tif --mask $f.tif -o result/r s_dp.tif' \
		'ptychosim -q --frames 4 --size 16 --object $f.tif -o result/s' 'ptychofrc -q -o result/o.csv $f.tif $f.tif'; do
			refused \$c || exit 1
		done"
done

# ---- what a TIFF's description claims
ome() { printf '<?xml version="1.0"?><OME><Image><Pixels DimensionOrder="XYZCT" SizeX="24" SizeY="24" SizeZ="%s" SizeC="%s" SizeT="%s"><Channel SamplesPerPixel="1"/></Pixels></Image></OME>' "$@"; }
laughs=$(printf '<!DOCTYPE o [<!ENTITY a "aaaaaaaaaa">'; for i in b:a c:b d:c e:d f:e g:f h:g i:h j:i; do printf '<!ENTITY %s "%s">' "${i%:*}" "$(printf "&${i#*:};%.0s" 1 2 3 4 5 6 7 8 9 10)"; done; echo ']><OME>&j;</OME>')
tiffmake -t f32 -s 24,24 -n 3 -k noise -d "$(ome 2000000000 1 1)" many.tif
tiffmake -t f32 -s 24,24 -n 3 -k noise -d "$(ome 4294967296 4294967296 3)" over.tif
tiffmake -t f32 -s 24,24 -n 3 -k noise -d "$laughs" laughs.tif
tiffmake -t f32 -s 24,24 -n 3 -k noise -d 'ImageJ=1.53t\nimages=2000000000\nslices=2000000000\n' ij.tif
# refused or read as the three pages there are
modest() {
	rm -rf result && mkdir result
	env FAULT_COUNT=counts LD_PRELOAD="$library" "$@" >stdout 2>said </dev/null || [ "$(wc -l <said)" = 1 ] || { cat said; return 1; }
	[ "$(times largest)" -lt "$most" ] || { echo "$*: $(times largest) bytes at once"; return 1; }
}
for f in many over laughs ij; do
	ok "$f.tif: what OME-XML or ImageJ says of sizes is not believed" "modest tiltrecon -q --config pheno -o result/o.tif $f.tif && modest tvdenoise -q -l 1 --max-iter 2 -o result/o.tif $f.tif"
done

# ---- CSV
printf '%s\n' frame,x_px,y_px 0,0,0 1,1e7,0 2,0,1e7 3,1e7,1e7 >far.csv
printf '%s\n' frame,x_px,y_px 0,0,0 1,1e300,0 2,0,1e300 3,1,1 >further.csv
printf '%s\n' frame,x_px,y_px 0,0,0 1,3,0 2,0,3 9007199254740993,3,3 >index.csv
for f in far further; do
	ok "$f.csv: positions that span a field no memory holds" "refused ptychorecon -q -a epie:1 -p $f.csv --probe s_probe0.tif -o result/r s_dp.tif && grep 'the object is 1000\|the object is 2147' said &&
		refused ptychosim -q --size 16 --photons 1e4 --positions $f.csv -o result/s && grep 'a canvas of' said"
done
ok 'a frame of a number no stack has' "refused ptychorecon -q -a epie:1 -p index.csv --probe s_probe0.tif -o result/r s_dp.tif"
ok 'labels as large as they can be cost no table of that length' \
	"tiffmake -t u32 -s 24,24 -n 1 -k 4294967295 far.tif && for t in granularity zernike intensity; do modest \$t -q -o result/o.csv image.tif far.tif || exit 1; done"

# ---- config files
printf 'zenith-grid = 0,1,4000000000\n' >grid
printf 'slices = 4000000000\n' >slices
printf 'size = 4000000000\n' >size
ok 'sizes in a config file are held to their ranges or to what there is' "for f in grid slices size; do
	status=0; rm -rf result; mkdir result; env FAULT_COUNT=counts LD_PRELOAD='$library' tiltsim -q --config pheno --config \$f --phantom disks -o result/o.tif >stdout 2>said || status=\$?
	[ \$status -gt 0 ] && [ \$(wc -l <said) = 1 ] && [ -z \"\$(ls -A result)\" ] && [ \"\$(times largest)\" -lt $most ] || { echo \"\$f: \$status\"; cat said counts; exit 1; }
done"

# ---- models
model() {	# rotations channels levels size shape
	printf '[kplanes]\\nformat = 1\\nrotations = %s\\nchannels = %s\\nlevels = %s\\nsize.0 = %s\\nshape = %s\\nactivation = linear\\noffset = 0\\nscale = 1\\nbias = 0\\nrotation.0 = 1 0 0 0 1 0 0 0 1\\nweight.0 = 1\\n' "$@"
}
n=0
for m in '2000000000|1|1|4 5|2 3 4' '1|2000000000|1|4 5|2 3 4' '1|1|2000000000|4 5|2 3 4' '1|1|1|2000000000 2000000000|2 3 4' '4294967296|4294967296|4294967296|4 5|2 3 4' \
	'1|1|1|4 5|2000000000 2000000000 2000000000' '1|1|1|4 5|18446744073709551615 18446744073709551615 2'; do
	n=$((n + 1))
	IFS='|' read -ra words <<<"$m"
	tiffmake -t f32 -s 4,5 -n 3 -k noise -d "$(model "${words[@]}")" model$n.tif
	ok "a model of ${m//|/, } is refused" "refused kplanes render -q -o result/o.tif model$n.tif"
done
done_testing
