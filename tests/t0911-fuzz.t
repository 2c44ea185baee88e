#!/bin/bash
# Readers on damaged inputs, a second each: every mutation of the seeds (and of what crashed a reader once, tests/fuzz/found/) is taken in
# silence or refused in one line.  `.ci/run fuzz` takes longer, with sanitizers and libFuzzer.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
slow && seconds=3 || seconds=0.5
mkdir -p tests && ln -sfn "$builddir/tests/fuzz" tests/fuzz
for target in tiff csv ome config kplanes; do
	ok "$target: no crash, no hang, one line for each refusal" "FUZZ_ENGINE=driver bash '$srcdir/tests/fuzz/run' $seconds 1 $target && grep -q ' inputs, ' out"
done
done_testing
