#!/bin/bash
# The kernels of granularity give the bytes of the tree on every OpenCL implementation at hand, and touch nothing that they should not.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
for f in "$shared"/data/features/*; do ln -s "$f" .; done
kernels() { granularity --algorithm kernels "$@"; }
# what this machine lacks is a failure where everything must be there
unavailable() { if [ "${CI:-}" = true ]; then ok "$1" "echo '$2' >&2; false"; else skip "$1" "$2"; fi; }

granularity --level both -s 0.3 fly_dna.tif fly_labels.tif >fly.csv
granularity --level both -n 2 -r 2 odd_u16.tif odd_labels.tif >odd.csv
granularity --level both --volume -s 1,0.5,0.5 -r 2 -n 3 vol_u16.tif vol_labels.tif >vol.csv

ok 'on the CPU device' 'kernels --device cpu --level both -s 0.3 fly_dna.tif fly_labels.tif >got.csv && same fly.csv got.csv &&
	kernels --device cpu --level both --volume -s 1,0.5,0.5 -r 2 -n 3 vol_u16.tif vol_labels.tif >got.csv && same vol.csv got.csv'
ok 'in groups of 7 work-items' 'kernels --device cpu --work-group 7 --level both -s 0.3 fly_dna.tif fly_labels.tif >got.csv && same fly.csv got.csv'
ok 'without double precision' 'SCOPELINE_NO_FP64=1 kernels --device cpu --level both -s 0.3 fly_dna.tif fly_labels.tif >got.csv && same fly.csv got.csv'
ok '--mem refuses what the device shall not hold' 'exits 1 kernels --device cpu --mem 2M -s 1 fly_dna.tif fly_labels.tif >got.csv && [ -s "$scratch/err" ] && [ ! -s got.csv ]'

export RUSTICL_ENABLE=llvmpipe
if kernels --device list 2>/dev/null | grep -qi rusticl; then
	ok 'on rusticl' 'kernels --device rusticl --level both -n 2 -r 2 odd_u16.tif odd_labels.tif >got.csv && same odd.csv got.csv'
	slow && ok 'a volume on rusticl' 'kernels --device rusticl --level both --volume -s 1,0.5,0.5 -r 2 -n 3 vol_u16.tif vol_labels.tif >got.csv && same vol.csv got.csv'
else
	unavailable 'on rusticl' 'no rusticl device, expected the package mesa-opencl-icd'
fi
unset RUSTICL_ENABLE

# optimised code has intrinsic functions that oclgrind does not know
if [ -n "${TESTS_SANITIZED:-}" ]; then
	skip 'oclgrind is silent' 'it does not load beside AddressSanitizer'
elif ! command -v oclgrind >/dev/null; then
	unavailable 'oclgrind is silent' 'no oclgrind'
elif slow; then
	ok 'oclgrind finds no race and no access out of bounds' \
		'oclgrind --data-races --build-options -O0 --log grind.log granularity --algorithm kernels --level both -n 2 -r 2 odd_u16.tif odd_labels.tif >got.csv &&
		{ [ ! -s grind.log ] || { cat grind.log; false; }; } && same odd.csv got.csv'
fi
done_testing
