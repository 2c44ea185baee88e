#!/bin/bash
# Devices: the table, how one is chosen, what happens without any, and that another OpenCL implementation and a checker of every access agree.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
mkdir no-devices
export SCOPELINE_DEVICE=${TESTS_DEVICE:-pthread}
tiffmake -t u16 -s 24,32 -n 5 -k noise stack.tif
tiltsim --config pheno --slices 5 --phantom disks --size 32,40 --zenith 0.1 --azimuth 1 --noise poisson -o sim.tif

for tool in tiltrecon tiltsim; do
	ok "$tool --device list is a table with a CPU device, and exits 0" "exits 0 $tool --device list >table && grep -qi cpu table && [ \$(wc -l <table) -ge 2 ]"
	ok "$tool without any device exits 1 and names the package" \
		"OCL_ICD_VENDORS=$PWD/no-devices/ exits 1 $tool --config pheno --slices 5 -o x.tif stack.tif || OCL_ICD_VENDORS=$PWD/no-devices/ exits 1 $tool --config pheno -o x.tif stack.tif; [ \$? = 0 ] && says pocl-opencl-icd && [ ! -e x.tif ]"
done
ok 'an index, a kind and a part of a name choose' \
	'tiltrecon --config pheno --device cpu -o cpu.tif stack.tif && index=$(tiltrecon --device list | awk "/pthread/ { print \$1; exit }") && tiltrecon --config pheno --device "$index" -o index.tif stack.tif &&
	 tiltrecon --config pheno --device PThread -o name.tif stack.tif && same index.tif name.tif'
ok 'kernels on the own threads, 1, 2 or 5 of them, and on those of PoCL: the same pixels' '
	for given in "basic --threads 1" "basic --threads 2" "basic --threads 5" "pthread --threads 1" "pthread --threads 2"; do
		tiltrecon --config pheno --optimize bfgs --iters 2 --device $given -o "${given// /}.tif" stack.tif && tiffdiff -t 0 basic--threads1.tif "${given// /}.tif" || exit
	done'
ok 'up to 8 threads run kernels themselves, more leave it to PoCL; $POCL_DEVICES has a say' '
	unset SCOPELINE_DEVICE
	tiltrecon --config pheno -v --threads 8 -o x.tif stack.tif && says "device .*: basic" && tiltrecon --config pheno -v --threads 9 -o x.tif stack.tif && says "device .*: pthread" &&
	export POCL_DEVICES=pthread && tiltrecon --config pheno -v --threads 2 -o x.tif stack.tif && says "device .*: pthread"'
ok 'a name that no device has exits 1 and points to the list' 'exits 1 tiltrecon --config pheno --device warp-core -o x.tif stack.tif && says warp-core && says "device list"'
ok 'an index beyond the table exits 1'                        'exits 1 tiltrecon --config pheno --device 99 -o x.tif stack.tif && says 99'
ok '$SCOPELINE_DEVICE is the default'                         'SCOPELINE_DEVICE=warp-core exits 1 tiltrecon --config pheno -o x.tif stack.tif && says warp-core'
ok '--profile prints kernels and stages'                      'tiltrecon --config pheno --profile -o x.tif stack.tif && says fft && says read'
ok '--profile says of each kernel what it moves, GB/s'                  'tiltrecon --config pheno --optimize bfgs --iters 2 --profile=p.csv -o x.tif stack.tif &&
	[ $(grep -c ^kernel, p.csv) -gt 10 ] && ! grep "^kernel,.*,0,0$" p.csv'
ok '--profile=FILE is CSV'                                    'tiltrecon --config pheno --profile=p.csv -o x.tif stack.tif && quiet && grep -q , p.csv && grep -q fft p.csv'

# agrees NAME: the same results on another device, to the tolerance of the goldens
agrees() {
	tiltrecon --config pheno --zenith 0.1 --azimuth 2 --tile 20 --overlap 8 --pad 4 --outputs both -o here.tif sim.tif &&
		"$@" tiltrecon --config pheno --zenith 0.1 --azimuth 2 --tile 20 --overlap 8 --pad 4 --outputs both -o there.tif sim.tif && tiffdiff -t 1e-4 here.tif there.tif
}
agrees_thick() {
	tiltrecon --config pheno --model thick --zenith 0.1 -o here.tif sim.tif &&
		"$@" tiltrecon --config pheno --model thick --zenith 0.1 -o there.tif sim.tif && tiffdiff -t 1e-4 here.tif there.tif
}
agrees_search() {
	tiltrecon --config pheno --optimize nadam --iters 2 --init-zenith 0.05 --tilt-out here.csv sim.tif &&
		"$@" tiltrecon --config pheno --optimize nadam --iters 2 --init-zenith 0.05 --tilt-out there.csv sim.tif &&
		csvdiff z_offset=2e-3 tilt=5e-4 loss=1e-4r here.csv there.csv
}
agrees_sim() {
	tiltsim --config pheno --slices 3 --phantom disks --size 32,40 --forward abbe --points 6 -o here.tif &&
		"$@" tiltsim --config pheno --slices 3 --phantom disks --size 32,40 --forward abbe --points 6 -o there.tif && tiffdiff -t 2e-5 here.tif there.tif
}
# unavailable SENTENCE REASON: a failure where everything must be there
unavailable() { if [ "${CI:-}" = true ]; then ok "$1 ($2)" false; else skip "$1" "$2"; fi; }

rusticl() { RUSTICL_ENABLE=llvmpipe SCOPELINE_DEVICE=rusticl "$@"; }
if rusticl tiltrecon --device list 2>/dev/null | grep -qi rusticl; then
	for what in agrees agrees_thick agrees_search agrees_sim; do
		if slow || [ $what = agrees ]; then ok "rusticl agrees with PoCL: $what" "$what rusticl"; fi
	done
else
	unavailable 'rusticl agrees with PoCL' 'no rusticl device, expected the package mesa-opencl-icd'
fi

ok 'without double precision in kernels the results agree' 'agrees env SCOPELINE_NO_FP64=1 && agrees_thick env SCOPELINE_NO_FP64=1 && agrees_search env SCOPELINE_NO_FP64=1'

# oclgrind runs every work-item by itself and reports what is out of bounds or raced for.  Of optimised code it (21.10) does not know
# every intrinsic function, and its check for uninitialised values crashes in itself.
ground() {
	env -u SCOPELINE_DEVICE oclgrind --data-races --build-options -O0 --log grind.log "$@" && { [ ! -s grind.log ] || { cat grind.log; false; }; }
}
if [ -n "${TESTS_SANITIZED:-}" ]; then
	skip 'oclgrind is silent' 'it does not load beside AddressSanitizer'
elif command -v oclgrind >/dev/null; then
	for what in agrees agrees_thick agrees_search agrees_sim; do
		if slow || [ $what = agrees ]; then ok "oclgrind finds nothing and agrees: $what" "$what ground"; fi
	done
else
	unavailable 'oclgrind finds nothing' 'no oclgrind'
fi
done_testing
