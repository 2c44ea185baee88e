#!/bin/bash
# Every tool that takes a list, with the n-th allocation, read, write ... failing in a run of three jobs: exit 1 with one message of the
# cause (or 0 where it can be done without, and then all is there), no temporary, only whole files, tables with whole rows; and --resume ends
# with the bytes of an undisturbed run and nothing else, whatever the journal or a checkpoint had got to.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
. "$srcdir/tests/faults.sh"
. "$srcdir/tests/faultlists.sh"
slow && most=${FAULTS:-1} || most=${FAULTS:-0}
lists

# what a run that failed may leave: outputs as they should be, tables with some of the rows, the journal, a checkpoint
whole() {
	local f
	for f in $(names result); do
		[[ $f = *.journal || $f = ./*.ckpt/* ]] && continue
		if [ ! -e "want/$f" ] || { ! is_whole "$f" && { [[ $f != *.csv ]] || grep -qvxFf "want/$f" "result/$f"; }; }; then
			echo "$f is not whole"
			return 1
		fi
	done
}
# What was only to be removed, the journal, a checkpoint, may stay until --resume; a checkpoint is renamed in another way where it cannot be
# exchanged for the older one.
done_without() {
	case $1 in
	unlink | opendir) complete result '\.journal$\|\.ckpt' ;;
	rename) [[ ${run[*]} = *--checkpoint* ]] && complete result ;;
	*) may_be_done_without "$1" && complete result ;;
	esac
}
is_well() {
	local call=$1 status=$2
	shift 2
	{ [ "$status" = 1 ] && whole && one_message "$1" "$call"; } || { [ "$status" = 0 ] && done_without "$call"; } || return
	resumed "$@" || { echo 'after --resume:'; return 1; }
}
every() {
	local call n bad=0 tried=0 k=0
	for call in "${all_calls[@]}"; do
		k=$((k + 1))
		[ -n "${FAULTS:-}" ] || [ $(((k + turn) % 2)) = 0 ] || continue
		for n in $(chosen "$(times "$call")" "$most" "$@" "$call"); do
			tried=$((tried + 1))
			survives "$call" "$n" "$@" || bad=$((bad + 1))
		done
	done
	echo "$bad of $tried" | tee -a tried
	[ "$bad" = 0 ]
}
turn=0	# without FAULTS=N every tool has half of the calls, and its neighbour the others
list() {
	local name=$1
	turn=$((turn + 1))
	shift
	run=("$@")
	ok "$name: a failing call is said, nothing half written is left, --resume completes" "undisturbed ${run[*]@Q} && every ${run[*]@Q}"
}
each_list list
done_testing
