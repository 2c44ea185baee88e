#!/bin/bash
# Every tool, with the n-th allocation, read, write, fsync, rename, open, device buffer or kernel failing, for every n (with TESTS_FAST a few):
# the tool exits 1 with one message of its own that names the cause and leaves no temporary; of several outputs those that were done
# before are whole, byte for byte.  It never crashes.
# What is tried is FAULTS=N values of n per call, spread over the whole run; FAULTS=all takes each.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
library=$builddir/tests/fault.so
[ -e "$library" ] || { echo '1..0 # SKIP sanitizers bring an allocator of their own, which this library would hide'; exit 0; }
slow && most=${FAULTS:-8} || most=${FAULTS:-2}

tiffmake -t f32 -s 12,14 -n 3 -k noise noise.tif
tiffmake -t u16 -s 24,24 -n 3 -k noise counts.tif
tiffmake -t u16 -s 24,24 -n 1 -k noise image.tif
tiffmake -t u16 -s 24,24 -n 1 -k 1 labels.tif
tiffmake -t f32 -s 32,32 -n 2 -k noise wave.tif
ptychosim -q --frames 4 --size 16 --step 3 --jitter 1 --photons 1e4 -o s || exit 1
kplanes fit -q --rotations 2 --channels 2 --resolution 5 --iters 2 --batch 16 --seed 1 -o model.tif noise.tif || exit 1

# "1 2 ... " up to $1, at most $most of them: the first ones, then evenly
chosen() {
	awk -v n="$1" -v most="$most" 'BEGIN {
		if (most == "all" || n <= most) { for (i = 1; i <= n; i++) print i; exit }
		for (i = 1; i <= most; i++) { k = i <= most / 2 ? i : int(most / 2 + (n - most / 2) * (i - int(most / 2)) / (most - int(most / 2))); print k }
	}' | sort -nu
}
cause() {
	case $1 in
	malloc) echo 'memory\|cannot allocate' ;;
	read) echo 'Input/output error' ;;
	write) echo 'No space left on device' ;;
	fsync | rename) echo 'Input/output error' ;;
	open) echo 'Too many open files' ;;
	clCreateBuffer) echo 'CL_MEM_OBJECT_ALLOCATION_FAILURE' ;;
	clEnqueueNDRangeKernel) echo 'CL_OUT_OF_RESOURCES' ;;
	esac
}
# the files of result/ are those of the undisturbed run, but not all of them; a log tells the time, and so is held to its number of lines
whole() {
	local f n=0
	[ -z "$(find result -name '.*' -type f)" ] || return
	for f in result/*; do
		[ -e "$f" ] || break
		cmp -s "$f" "want/${f#*/}" || { [[ $f = *_log.csv ]] && [ "$(wc -l <"$f")" = "$(wc -l <"want/${f#*/}")" ]; } || return
		n=$((n + 1))
	done
	[ "$n" -lt "$(find want -type f | wc -l)" ]
}
# one run with a fault, its command in $@: silent if all is well
survives() {
	local call=$1 n=$2 status=0
	shift 2
	rm -rf result fired && mkdir result
	FAULT=$call:$n FAULT_MARK=fired LD_PRELOAD=$library timeout 60 "$@" >stdout 2>said </dev/null || status=$?
	[ -e fired ] || return 0	# threads: one call fewer this time
	[ "$status" = 1 ] && whole && grep -q "$(cause "$call")" said && ! grep -qv "^$1: " said && [ "$(wc -l <said)" = 1 ] && return
	echo "$call $n: exit status $status"; cat said; ls -A result
	return 1
}
every() {
	local call=$1 n total bad=0
	shift
	rm -rf result && mkdir result
	total=$(awk -v call="$call" '$1 == call { print $2 }' counts)
	for n in $(chosen "$total"); do
		survives "$call" "$n" "$@" || bad=$((bad + 1))
	done
	echo "$bad of $total"
	[ "$bad" = 0 ]
}
# The undisturbed run must work, and do the calls whose failing is a sentence below.
tool() {
	local call
	rm -rf result && mkdir result
	if ! "$@" >stdout 2>said </dev/null || ! FAULT_COUNT=counts LD_PRELOAD=$library "$@" >stdout 2>said </dev/null; then
		ok "$1 runs undisturbed" 'cat said >&2; false'
		return
	fi
	run=("$@")
	rm -rf want && mv result want
	for call in malloc read write fsync rename open clCreateBuffer clEnqueueNDRangeKernel; do
		[ "$(awk -v call="$call" '$1 == call { print $2 }' counts)" != 0 ] || continue
		ok "$*: a failing $call is said, and nothing half written is left" "every $call ${run[*]@Q}"
	done
}

tool tiltrecon -q --config pheno -o result/o.tif --preview result/p.png counts.tif
tool tiltsim -q --config pheno --slices 3 --phantom disks --size 24 --phantom-out result/p.tif --truth result/t.csv -o result/o.tif
tool granularity -q -o result/o.csv image.tif labels.tif
tool zernike -q -o result/o.csv image.tif labels.tif
tool intensity -q -o result/o.csv image.tif labels.tif
tool tvloss -q -g result/g.tif -o result/o.csv noise.tif
tool tvdenoise -q -l 1 --max-iter 20 --report result/r.csv -o result/o.tif noise.tif
tool kplanes fit -q --rotations 2 --channels 2 --resolution 5 --iters 2 --batch 16 --seed 1 --log result/l.csv -o result/o.tif noise.tif
tool kplanes render -q -o result/o.tif model.tif
tool ptychosim -q --frames 4 --size 16 --step 3 --jitter 1 --photons 1e4 -o result/s
tool ptychorecon -q -a epie:1 -p s_pos.csv --probe s_probe0.tif -o result/r s_dp.tif
tool ptychofrc -q --curves result/c.csv -o result/o.csv wave.tif wave.tif
done_testing
