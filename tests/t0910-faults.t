#!/bin/bash
# Every tool, with the n-th allocation, read, write, fsync, rename, open, close, thread, device buffer, kernel ... failing: the tool exits 1
# with one message of its own that names the cause and leaves no temporary; of several outputs those that were done before are whole, byte
# for byte.  Where it can do without, it exits 0 and all is there.  It never crashes.  (faults.sh tells which n are tried.)
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
. "$srcdir/tests/faults.sh"
slow && most=${FAULTS:-2} || most=${FAULTS:-1}

tiffmake -t f32 -s 12,14 -n 3 -k noise noise.tif
tiffmake -t u16 -s 24,24 -n 3 -k noise counts.tif
tiffmake -t u16 -s 24,24 -n 1 -k noise image.tif
tiffmake -t u16 -s 24,24 -n 1 -k 1 labels.tif
tiffmake -t f32 -s 32,32 -n 2 -k noise wave.tif
ptychosim -q --frames 4 --size 16 --step 3 --jitter 1 --photons 1e4 -o s || exit 1
kplanes fit -q --rotations 2 --channels 2 --resolution 5 --iters 2 --batch 16 --seed 1 -o model.tif noise.tif || exit 1

# the files of result/ are those of the undisturbed run, but not all of them, unless it is stdout that cannot be closed,
# or ptychorecon has no memory to remove its checkpoint, which follows the last of them
whole() {
	local f n=0
	for f in $(names result); do
		[ -e "want/$f" ] && alike "result/$f" "want/$f" || return
		n=$((n + 1))
	done
	[ "$n" -lt "$(names want | wc -l)" ] || grep -q '<stdout>' said || { [ "${run[0]}" = ptychorecon ] && grep -q 'out of memory' said; }
}
is_well() {
	case $2 in
	0) may_be_done_without "$1" && complete result ;;
	1) whole && one_message "$3" "$1" ;;
	*) false ;;
	esac
}
every() {
	local call=$1 n bad=0
	shift
	for n in $(chosen "$(times "$call")" "$most" "$@" "$call"); do
		survives "$call" "$n" "$@" || bad=$((bad + 1))
	done
	echo "$bad of $(times "$call")"
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
	for call in "${all_calls[@]}"; do
		[ "$(times "$call")" != 0 ] || continue
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

printf '%s\n' stack,output counts.tif,o.tif counts.tif,./o.tif >twice.csv
run=(tiltrecon -q --config pheno --list twice.csv -O result)
ok 'one output under two names is seen, or there is no memory: each allocation fails' "
	exits 2 env FAULT_COUNT=counts LD_PRELOAD='$library' ${run[*]@Q} && total=\$(times malloc) && [ \$total -gt 50 ] || exit
	for n in \$(seq \$total); do
		status=0; faulty FAULT=malloc:\$n ${run[*]@Q} || status=\$?
		[ \$status = 2 ] || { [ \$status = 1 ] && one_message tiltrecon malloc; } || { echo \$n: \$status; cat said; exit 1; }
	done"
done_testing
