#!/bin/bash
# What must happen with bad input, row by row, for both tools: exit status, one message that names the subject, no partial output.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
tiffmake -t u16 -s 24,32 -n 5 -k noise good.tif
tiffmake -t f32 -s 24,32 -k noise phase.tif
printf '%s\n' tile,zenith,azimuth 0,0.1,0.5 >tilts.csv
mkdir folder
: >empty.tif

recon='tiltrecon --config pheno -o x.tif'
sim='tiltsim --config pheno --slices 5 -o x.tif'
# refuses SENTENCE COMMAND PATTERN...: exit 1, every pattern in the one line on stderr, no output left
refuses() {
	local sentence=$1 command=$2 p check=
	shift 2
	for p; do check="$check && says '$p'"; done
	ok "$sentence" "rm -f x.tif; exits 1 $command && [ \$(wc -l <\"\$scratch/err\") = 1 ] && [ ! -e x.tif ] $check"
}

for tool in recon sim; do
	run=${!tool}
	refuses "$tool: a missing file"             "$run none.tif"    none.tif 'No such file'
	refuses "$tool: a folder"                   "$run folder"      folder
	refuses "$tool: an empty file"              "$run empty.tif"   empty.tif
	refuses "$tool: text"                       "$run tilts.csv"   tilts.csv
	if [ "$(id -u)" != 0 ]; then
		cp phase.tif secret.tif && chmod 0 secret.tif
		refuses "$tool: an unreadable file" "$run secret.tif"  secret.tif denied
	else
		skip "$tool: an unreadable file" 'root reads everything'
	fi
	tiffmake -t f32 -s 24,32 -n 3 -k noise -C 2000 cut.tif
	refuses "$tool: a truncated file"           "$run cut.tif"     cut.tif
	tiffmake -t f32 -s 24,32 -n 3 -k noise -P 1,20,32 sizes.tif
	refuses "$tool: pages of two sizes"         "$run sizes.tif"   'page 2' '20' '24'
	tiffmake -A 2147483647,2147483647 absurd.tif
	refuses "$tool: 2^31 by 2^31 pixels without data" "$run absurd.tif" absurd.tif 'page 1'
	tiffmake -A 60000,60000,5 packed.tif
	refuses "$tool: 60000 by 60000 packed into nothing" "$run packed.tif" packed.tif 'page 1'
	for type in bit1 f16 u64 c64 palette; do
		tiffmake -t $type -s 24,32 -n 1 type.tif
		refuses "$tool: pixels of type $type"    "$run type.tif"    type.tif expected
	done
	tiffmake -t u16 -s 24,32 -n 1 -S 3 -k noise rgb.tif
	refuses "$tool: three samples per pixel, with the way out" "$run rgb.tif" '3 samples' '--channel'
	ok "$tool: the way out works"               "exits 0 $run --channel 2 rgb.tif"
	refuses "$tool: a page that is not there"   "$run --pages 2-9 good.tif" good.tif
	tiffmake -t f32 -s 24,32 -n 1 -k noise -N 0,3,5 nan.tif
	refuses "$tool: a NaN pixel"                "$run nan.tif"     nan.tif finite
	refuses "$tool: a missing output folder"    "${run/x.tif/no/x.tif} phase.tif" 'no/x.tif'
	refuses "$tool: a folder as output"         "${run/x.tif/folder} phase.tif" folder
	printf '%s\n' tile,azimuth 0,1 >t.csv
	refuses "$tool: a tilt table without a column" "$run --tilt-csv t.csv phase.tif" t.csv zenith
	printf '%s\n' tile,zenith,azimuth 0,x1,1 >t.csv
	refuses "$tool: a tilt that is no number"   "$run --tilt-csv t.csv phase.tif" t.csv 'line 2' zenith x1
	printf '%s\n' tile,zenith,azimuth 0,nan,1 >t.csv
	refuses "$tool: a tilt that is NaN"         "$run --tilt-csv t.csv phase.tif" t.csv 'line 2' zenith
	printf '%s\n' tile,zenith,azimuth 0,1 >t.csv
	refuses "$tool: a ragged table"             "$run --tilt-csv t.csv phase.tif" t.csv 'line 2'
	printf '%s\n' tile,zenith,azimuth >t.csv
	refuses "$tool: a table of zero tiles"      "$run --tilt-csv t.csv phase.tif" t.csv '0 rows' 'expected 1'
	printf '%s\n' tile,zenith,azimuth 0,.1,1 1,.1,1 >t.csv
	refuses "$tool: a table of too many tiles"  "$run --tilt-csv t.csv phase.tif" t.csv 'expected 1'
	printf '%s\n' tile,zenith,azimuth 0,.1,1 0,.1,1 >t.csv
	refuses "$tool: a tile given twice"         "$run --tilt-csv t.csv phase.tif" t.csv
	refuses "$tool: a table that is missing"    "$run --tilt-csv none.csv phase.tif" none.csv
	refuses "$tool: memory that cannot do, with the figure needed" "$run --mem 1000 phase.tif" bytes
	refuses "$tool: a manifest that is missing" "${run/-o x.tif/-O .} --list none.csv" none.csv
	ok "$tool: a disk that fills up: exit 1, nothing left, the older output stays" \
		"tiffmake -t f32 -s 200,300 -k noise big.tif && cp phase.tif x.tif && (trap '' XFSZ; ulimit -f 100; exits 1 $run big.tif) &&
		 same x.tif phase.tif && [ -z \"\$(find . -name '.*.tmp')\" ] && rm x.tif"
done

refuses 'recon: a plane of mean 0 is named'      "$recon $(tiffmake -t u16 -s 24,32 -n 3 -k 0 zero.tif; echo zero.tif)" zero.tif 'page 1'
refuses 'recon: NaN in page 3 is named'          "$recon $(tiffmake -t f32 -s 24,32 -n 5 -k noise -N 2,0,0 nan3.tif; echo nan3.tif)" nan3.tif 'page 3'
refuses 'recon: a warm table of the wrong length' "$recon --warm-start tilts.csv --skip-warm --tile 16 --pad 4 good.tif" tilts.csv expected
refuses 'recon: light beyond the objective'      "$recon --zenith 1.2 --na-det 0.2 --na-ill 0.05 good.tif" good.tif
refuses 'recon: a residual without frequencies'  "$recon --optimize bfgs --band 0.0001,0.0002 good.tif" 'holds no frequency'
refuses 'recon: a manifest without its column'   "tiltrecon --config pheno -O . --list $(printf '%s\n' file,position good.tif,p >m.csv; echo m.csv)" m.csv stack
refuses 'recon: a ragged manifest'               "tiltrecon --config pheno -O . --list $(printf '%s\n' stack,position good.tif >m.csv; echo m.csv)" m.csv 'line 2'
refuses 'recon: a manifest with a bad number'    "tiltrecon --config pheno -O . --list $(printf '%s\n' stack,focus_offset good.tif,x >m.csv; echo m.csv)" m.csv 'line 2' focus_offset
refuses 'sim: more than one page of phase'       "$sim good.tif" good.tif '5 pages' 'expected 1'
refuses 'sim: absorption of another size'        "$sim --absorption $(tiffmake -t f32 -s 24,30 -k noise other.tif; echo other.tif) phase.tif" other.tif
ok 'recon: a constant stack gives zero; the search warns and stays where it starts' \
	'tiffmake -t u16 -s 24,32 -n 5 -k 100 flat.tif && tiffmake -t f32 -s 24,32 -k 0 zero.tif && exits 0 tiltrecon --config pheno -o z.tif flat.tif && tiffdiff -a zero.tif z.tif &&
	 exits 0 tiltrecon --config pheno --optimize bfgs --init-zenith 0.1 --tilt-out t.csv flat.tif && says flat.tif &&
	 printf "%s\n" z_offset,zenith,azimuth,loss 0,0.1,0,0 >want.csv && csvdiff z_offset=0 zenith=1e-15 azimuth=0 loss=0 want.csv t.csv'
ok 'one failed input is named, the others go on' \
	'mkdir phases && cp good.tif good2.tif && exits 1 tiltrecon --config pheno -O phases good.tif nan3.tif good2.tif none.tif && says "nan3.tif.*page 3" && says "none.tif" && says "2 of 4 inputs failed" &&
	 [ "$(ls -A phases)" = "good2_phase.tif
good_phase.tif" ]'
ok '--fail-fast stops there'  'rm -f phases/*; exits 1 tiltrecon --fail-fast --config pheno -O phases none.tif good.tif good2.tif && [ ! -e phases/good2_phase.tif ]'

# Damaged copies of good files: never a crash.  --dry-run reads the headers of all pages, one in eight is read whole.
damage() {	# N IN OUT: some bytes are other ones, sometimes the end is missing
	perl -e 'my ($n, $in, $out) = @ARGV; srand $n; local $/; open my $f, "<:raw", $in or die; my $s = <$f>;
		substr($s, int(rand(rand() < .5 ? 300 : length $s)), 1) = chr int rand 256 for 0 .. int rand 6;
		$s = substr $s, 0, int rand length $s if rand() < .2;
		open my $o, ">:raw", $out or die; print $o $s' "$@"
}
tiffmake -t u16 -s 24,32 -n 3 -k noise -c deflate -T 16 tiled.tif
tiffmake -t f32 -s 24,32 -n 3 -k noise -b -c lzw strips.tif
ok 'two hundred damaged files: exit 0 or 1, no signal' '
	for n in $(seq $(slow && echo 200 || echo 24)); do
		damage $n $([ $((n % 2)) = 0 ] && echo tiled.tif || echo strips.tif) hurt.tif
		tiltrecon --config pheno --dry-run -o y.tif hurt.tif; s=$?
		[ $s -le 1 ] || { echo "seed $n: exit status $s"; exit 1; }
		[ $((n % 8)) = 0 ] || continue
		tiltrecon --config pheno -o y.tif hurt.tif; s=$?
		[ $s -le 1 ] || { echo "seed $n: exit status $s"; exit 1; }
	done'
ok 'a hundred damaged tables: exit 0 or 1, no signal' '
	printf "%s\n" "tile,zenith,azimuth,z_offset,position" "0,0.1,\"0.5\",0.25," >table.csv
	for n in $(seq $(slow && echo 100 || echo 10)); do
		damage $n table.csv hurt.csv
		tiltrecon --config pheno --tilt-csv hurt.csv -o y.tif phase.tif; s=$?
		[ $s -le 1 ] || { echo "seed $n: exit status $s"; exit 1; }
	done'
done_testing
