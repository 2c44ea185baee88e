#!/bin/bash
# With --enable-sanitize: the n-th allocation, read, write ... fails, and the run ends with nothing that nobody can reach any more, and
# without touching what it must not: the tools that need no device, and two that do, but for what the device's libraries lose.
# `.ci/run leaks` asks for it by TESTS_LEAKS=1.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
faults_with_sanitizers=1
. "$srcdir/tests/faults.sh"
{ sanitized && [ -n "${TESTS_LEAKS:-}" ]; } || { echo '1..0 # SKIP for a build with sanitizers, and TESTS_LEAKS=1'; exit 0; }
. "$srcdir/tests/faultlists.sh"
slow && most=${FAULTS:-12} || most=${FAULTS:-3}
# the fault library hands allocations on to the sanitizer's, which so comes second
printf 'leak:%s\n' libRusticl libpocl libLLVM libOpenCL libclang >theirs
export LSAN_OPTIONS=suppressions=theirs:print_suppressions=0 ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1 OMP_NUM_THREADS=1
mkdir in
for i in 1 2 3; do
	tiffmake -t u16 -s 2$i,24 -n 1 -k noise in/i$i.tif
	tiffmake -t u16 -s 2$i,24 -n 1 -k 1 in/l$i.tif
	tiffmake -t f32 -s 2$i,20 -n 2 -k noise in/w$i.tif
done
printf '%s\n' image,labels i1.tif,l1.tif i2.tif,l2.tif i3.tif,l3.tif >in/pairs.csv
printf '%s\n' file_a,file_b w1.tif,w1.tif w2.tif,w2.tif w3.tif,w3.tif >in/waves.csv
printf '%s\n' w1.tif w2.tif w3.tif >in/w.txt

# LeakSanitizer stops every thread to look, and now and then trips over one.
watched() {
	local try status
	for try in 1 2 3; do
		status=0
		rm -rf result && if [ -d half ]; then cp -r half result; else mkdir result; fi
		faulty "$@" || status=$?
		grep -q 'LeakSanitizer has encountered a fatal error\|Tracer caught signal' said || return "$status"
		echo "again after $try"
	done
	return "$status"
}
survives() {
	local call=$1 n=$2 status=0
	shift 2
	watched FAULT="$call:$n" "$@" || status=$?
	[ -e fired ] || return 0	# threads: one call fewer this time
	! grep -q 'ERROR: \|runtime error' said && [ "$status" -le 1 ] && return
	echo "$call $n: exit status $status"; cat said
	return 1
}
every() {
	local call n bad=0 tried=0
	for call in "${all_calls[@]}"; do
		for n in $(chosen "$(times "$call")" "$most" "$@" "$call"); do
			tried=$((tried + 1))
			survives "$call" "$n" "$@" || bad=$((bad + 1))
		done
	done
	echo "$bad of $tried"
	[ "$bad" = 0 ]
}
tool() {	# its name, its single run up to --, its list
	local tool=$1 one=() many=()
	while [ "$1" != -- ]; do one+=("$1"); shift; done
	shift; many=("$tool" "$@")
	ok "$tool: a leak would be seen"                        "! watched LEAK=1 ${one[*]@Q} && grep -q 'SUMMARY: AddressSanitizer: 1000 byte' said"
	ok "$tool: a failing call leaks nothing"                "undisturbed ${one[*]@Q} && every ${one[*]@Q}"
	ok "$tool: nor does one in a list"                      "undisturbed ${many[*]@Q} && every ${many[*]@Q}"
	ok "$tool: nor one of a run that finds a journal"       "! watched FAULT=rename:1 ${many[*]@Q} && [ -n \"\$(echo result/*.journal)\" ] && mv result half && watched NONE= ${many[*]@Q} --resume &&
		rm -rf result && cp -r half result && env FAULT_COUNT=counts LD_PRELOAD='$library' ${many[*]@Q} --resume && every ${many[*]@Q} --resume"
	rm -rf half
}
for t in granularity zernike intensity; do
	tool $t -q -o result/o.csv in/i1.tif in/l1.tif -- -q -o result/o.csv --list in/pairs.csv
done
most=$(slow && echo 2 || echo 1)
tool ptychofrc -q -o result/o.csv in/w1.tif in/w1.tif -- -q -o result/o.csv --list in/waves.csv
tool tvdenoise -q -l 1 --max-iter 3 --report result/r.csv -o result/o.tif in/w1.tif -- -q -l 1 --max-iter 3 --report result/r.csv -O result --list in/w.txt
done_testing
