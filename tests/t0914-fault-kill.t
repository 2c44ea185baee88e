#!/bin/bash
# SIGKILL in the middle of a list, for every tool that takes one: at an open, write (which happens by half), fsync, rename, unlink or close.
# What has its name by then is whole, and --resume ends with the bytes of an undisturbed run and nothing else.
# SIGTERM leaves no temporary, either.
# KILLS=N instants for each tool, spread over the run; 50 with TESTS_LONG=1, all with KILLS=all.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
. "$srcdir/tests/faults.sh"
. "$srcdir/tests/faultlists.sh"
[ -z "${TESTS_LONG:-}" ] || KILLS=${KILLS:-50}
slow && most=${KILLS:-3} || most=${KILLS:-1}
lists

# killed SIGNAL N COMMAND...
killed() {
	local signal=$1 n=$2 status=0 f
	shift 2
	rm -rf result && mkdir result
	KILL_SIGNAL=$signal faulty KILL="$n" "$@" || status=$?
	[ -e fired ] || return 0	# threads: one call fewer this time
	for f in $(names result); do
		[[ $f = *.journal || $f = */.* || $f = *.ckpt/* ]] || is_whole "$f" || { echo "$f is not whole"; return 1; }
	done
	if [ "$status" = $((128 + signal)) ] && { [ "$signal" = 9 ] || [ -z "$(find result -name '.*')" ]; }; then
		resumed "$@" && return
		echo 'after --resume:'
	fi
	echo "signal $signal at call $n: exit status $status"; cat said; ls -AR result
	return 1
}
kills() {
	local signal=$1 n bad=0 total
	shift
	total=$(times kill)
	for n in $(chosen "$total" "$most" "$signal" "$@"); do
		killed "$signal" "$n" "$@" || bad=$((bad + 1))
	done
	echo "$bad of $total"
	[ "$bad" = 0 ]
}
list() {
	local name=$1
	shift
	run=("$@")
	ok "$name: SIGKILL at any call, then --resume: the bytes of an undisturbed run" "undisturbed ${run[*]@Q} && kills 9 ${run[*]@Q}"
	ok "$name: SIGTERM, too, and it leaves no temporary" "kills 15 ${run[*]@Q}"
}
each_list list
done_testing
