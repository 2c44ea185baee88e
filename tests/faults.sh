# tests/faults.sh: what the tests of faults share (fault.c tells what can fail); sourced behind lib.sh.
library=$builddir/tests/fault.so
sanitized() { [[ $(ldd "$builddir/bin/granularity") = *libasan* ]]; }
! sanitized || [ -n "${faults_with_sanitizers:-}" ] || { echo '1..0 # SKIP sanitizers bring an allocator of their own, see t0915'; exit 0; }
# FAULTS=N values of n are tried for each call of each run, spread over all of them, another start for each; FAULTS=all takes each n.
# TESTS_LONG=1 is FAULTS=all, too.
[ -z "${TESTS_LONG:-}" ] || FAULTS=${FAULTS:-all}
file_calls=(read write fsync rename open mkdir opendir unlink close)
all_calls=(malloc "${file_calls[@]}" pthread_create clCreateBuffer clEnqueueNDRangeKernel)

# chosen N MOST WORDS...: numbers from 1 to N, at most MOST of them, evenly; where they start depends on the words
chosen() {
	local n=$1 most=$2
	shift 2
	awk -v n="$n" -v most="$most" -v start="$(cksum <<<"$*${FAULTS_SHIFT:-}" | cut -d' ' -f1)" 'BEGIN {
		if (most == "all" || n <= most) { for (i = 1; i <= n; i++) print i; exit }
		for (i = 0; i < most; i++) print 1 + int((i + start % 1009 / 1009) * n / most)
	}'
}
times() { awk -v call="$1" '$1 == call { print $2 }' counts; }
# what a message of that call says
cause() {
	case $1 in
	malloc) echo 'memory\|cannot allocate' ;;
	read | fsync | rename | close) echo 'Input/output error' ;;
	write) echo 'No space left on device\|Input/output error' ;;	# of an earlier write of a stream the reason is not known
	mkdir) echo 'No space left on device' ;;
	open | opendir) echo 'Too many open files' ;;
	unlink) echo 'Permission denied' ;;
	pthread_create) echo 'thread' ;;
	clCreateBuffer) echo 'CL_MEM_OBJECT_ALLOCATION_FAILURE' ;;
	clEnqueueNDRangeKernel) echo 'CL_OUT_OF_RESOURCES' ;;
	esac
}
# may the run do without it?  (The kernel cache is opened and read, a helping thread is not needed, what is only swept may stay.)
may_be_done_without() { [[ $1 = @(open|read|mkdir|opendir|unlink|close|pthread_create) ]]; }

# of one command, the same bytes; a log of ptychography tells the seconds in its last column
alike() { cmp -s "$1" "$2" || { [[ $1 = *_log.csv ]] && cmp -s <(cut -d, -f1-15 "$1") <(cut -d, -f1-15 "$2"); }; }
# faulty VARIABLE=VALUE COMMAND...: the command with that fault (fault.c), its words in stdout and said; its exit status
faulty() {
	rm -f fired
	timeout 60 env FAULT_MARK=fired LD_PRELOAD="$library" "$@" >stdout 2>said </dev/null
}
# survives CALL N COMMAND...: the command with the N-th CALL failing, into an empty result/; silent if `is_well CALL STATUS COMMAND...`, the
# test's own, finds all well
survives() {
	local call=$1 n=$2 status=0
	shift 2
	rm -rf result && mkdir result
	faulty FAULT="$call:$n" "$@" || status=$?
	[ -e fired ] || return 0	# threads: one call fewer this time
	is_well "$call" "$status" "$@" && return
	echo "$call $n: exit status $status"; cat said; ls -AR result
	return 1
}
names() { (cd "$1" && find . -type f | sort); }
# folder $1 has the files of want/, all of them, and nothing else, but what fits pattern $2
complete() {
	local f
	diff <(names want) <(names "$1" | grep -v "${2:-^$}") || return
	while read -r f; do alike "$1/$f" "want/$f" || { echo "$f differs"; return 1; }; done < <(names want)
}
# "TOOL: ..." in every line of `said`; one says what happened, the rest what that means for the list
one_message() {
	local rest=': [0-9]* of [0-9]* inputs failed$\|: stopped at the first failure\|: not computed$'
	! grep -qv "^$1: " said && [ "$(grep -cv "$rest" said)" = 1 ] && grep -v "$rest" said | grep -q "$(cause "$2")"
}
