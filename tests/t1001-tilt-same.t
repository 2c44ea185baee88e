#!/bin/bash
# The same command gives the same bytes, whatever the threads, the memory, the work-group size, the sharding and the library of
# the transforms may change no more than rounding.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

ok 'a field and its tilts' \
	'tiltsim -q --config pheno --slices 9 --phantom cells --size 112,96 --seed 3 --tile 48 --overlap 16 --zenith 0.08 --azimuth 1 --focus-offset 0.25 --noise poisson --truth t.csv -o field.tif'
thin='tiltrecon -q --config pheno --tile 48 --overlap 16 --tilt-csv t.csv --outputs both'
thick='tiltrecon -q --model thick --config pheno --z-pad 2 --tile 48 --overlap 16 --zenith 0.08 --azimuth 1 --absorption-ratio 0.1'
whole='tiltrecon -q --config pheno --zenith 0.08 --azimuth 1 --focus-offset 0.5'
search='tiltrecon -q --config pheno --tile 48 --overlap 16 --optimize bfgs --iters 6'
ok 'reference outputs' "$thin -o thin.tif field.tif && $thick -o thick.tif field.tif && $whole -o whole.tif field.tif && $search --tilt-out tilts.csv field.tif"

for o in '--threads 1' '--threads 3 --work-group 1' '--work-group 256'; do
	ok "$o: thin, thick, whole field and search, same bytes" \
		"$thin $o -o a.tif field.tif && same thin.tif a.tif && $thick $o -o a.tif field.tif && same thick.tif a.tif &&
		 $whole $o -o a.tif field.tif && same whole.tif a.tif && $search $o --tilt-out a.csv field.tif && same tilts.csv a.csv"
done

# as little memory as works, found by doubling, and three steps above it
for c in thin thick whole; do
	slow && ok "$c: little --mem and three steps more give the same bytes; less is refused with the figure needed" \
		"for m in 256 1024 4096 8192 16384 32768 65536; do ${!c} --mem \${m}K -o m.tif field.tif && break; done && same $c.tif m.tif && [ \$m -gt 256 ] && says 'needs [0-9]* bytes' &&
		 for k in 1 2 3; do m=\$((2 * m)); ${!c} --mem \${m}K -o m.tif field.tif && same $c.tif m.tif || exit 1; done"
done
ok 'search: the same with little memory' \
	"for m in 1024 4096 8192 16384 32768 65536; do $search --mem \${m}K --tilt-out m.csv field.tif && break; done; same tilts.csv m.csv"

# few sizes: clFFT writes and compiles kernels for each
if slow; then
	small='tiltrecon -q --config pheno --zenith 0.08 --azimuth 1 --focus-offset 0.5'
	ok 'clFFT and FFTW agree to 1e-5 of the largest value, thin and thick, and in the search' \
		"tiltsim -q --config pheno --slices 6 --phantom disks --size 32 --seed 3 --zenith 0.08 --azimuth 1 -o small.tif &&
		 for f in fftw clfft; do $small --fft \$f --outputs both -o thin-\$f.tif small.tif && $small --fft \$f --model thick --absorption-ratio 0.1 -o thick-\$f.tif small.tif &&
		 	tiltrecon -q --config pheno --fft \$f --optimize bfgs --iters 5 --opt-pad 0 --tilt-out \$f.csv small.tif || exit 1; done &&
		 tiffdiff -t 1e-5 thin-fftw.tif thin-clfft.tif && tiffdiff -t 1e-5 thick-fftw.tif thick-clfft.tif && csvdiff tilt=1e-3 z_offset=5e-3 loss=1e-5 fftw.csv clfft.csv"
fi
ok 'a device without doubles gives the same bytes: nothing of the method needs them' "SCOPELINE_NO_FP64=1 $thin -o a.tif field.tif && same thin.tif a.tif"

ok 'shards make the files of the whole' \
	"for i in 1 2 3 4 5; do cp field.tif f\$i.tif; done && mkdir one three && $whole -O one f?.tif && for i in 0 1 2; do $whole --shard \$i/3 -O three f?.tif || exit 1; done && diff -r one three &&
	 [ \$(ls three | wc -l) = 5 ] && tiffdiff -t 0 whole.tif three/f1_phase.tif"
ok 'simulated stacks: same bytes for any threads, work-group and memory' \
	"s='tiltsim -q --config pheno --slices 5 --phantom cells --size 64 --seed 3 --tile 40 --overlap 16 --zenith 0.1 --noise poisson' && \$s -o a.tif && \$s --threads 1 --work-group 1 -o b.tif && same a.tif b.tif &&
	 \$s --forward abbe --points 20 -o c.tif && \$s --forward abbe --points 20 --threads 1 --work-group 128 -o d.tif && same c.tif d.tif && differ a.tif c.tif"
done_testing
