# tests/lib.sh: what every tool test shares; sourced first:  . "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
#   ok 'sentence that can be false' 'shell code'
#                   runs the code in the test's scratch folder, stdout and stderr in the files out and err there; true if it exits 0.
#                   Files stay from one sentence to the next.  A failure shows the code and both files and keeps the folder.
#   skip 'sentence' 'reason'        a sentence that this machine cannot decide
#   slow                            true unless TESTS_FAST is set: slow && ok ...
#   need_shared                     skips the whole file without the neighbouring shared folder; with CI=true that is a failure
#   exits N command...              the command's status is N
#   says PATTERN                    the code's standard error so far holds it (grep)
#   quiet                           the code's standard error so far is empty
#   killed_at FILE command...       SIGKILL as soon as FILE is there; false where the command was over before
#   same A B ; differ A B           byte for byte
#   done_testing                    last line of every test
# TESTS_DEVICE=NAME runs the tools on another device than the default one.
# Run by hand: `builddir=/path/to/build tests/t0100-usage.t`; default is build/ in the sources, or the current folder.
set -u -o pipefail
srcdir=$(cd "${srcdir:-$(dirname "$0")/..}" && pwd)
[ -n "${builddir:-}" ] || { builddir=$srcdir/build; [ -d "$builddir" ] || builddir=$PWD; }
builddir=$(cd "$builddir" && pwd)
shared=${SCOPELINE_SHARED:-$srcdir/../shared}
export PATH=$builddir/bin:$builddir/tests:$srcdir/tests:$PATH SCOPELINE_CONFIG_PATH=$srcdir/share/presets LC_ALL=C
unset SCOPELINE_DEVICE
[ -z "${TESTS_DEVICE:-}" ] || export SCOPELINE_DEVICE=$TESTS_DEVICE
unset SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_STEP

tap_count=0 tap_failed=0
scratch=$builddir/tests/scratch/$(basename "$0" .t)
rm -rf "$scratch"
mkdir -p "$scratch/.log" && cd "$scratch" || exit 1

ok() {
	tap_count=$((tap_count + 1))
	: >out; : >err
	if (eval "$2") >"$scratch/out" 2>"$scratch/err" </dev/null; then
		echo "ok $tap_count - $1"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $1"
		{ echo "in $scratch:"; echo "$2"; echo '-- out:'; head -c 2000 out; echo '-- err:'; head -c 4000 err; } |
			tr -c '[:print:]\t\n' '?' | sed 's/^/# /'
		mkdir -p ".log/$tap_count" && cp out err ".log/$tap_count"
	fi
}
skip() { tap_count=$((tap_count + 1)); echo "ok $tap_count - $1 # SKIP $2"; }
slow() { [ -z "${TESTS_FAST:-}" ]; }
exits() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" = "$want" ] || { echo "exit status $got, expected $want" >&2; return 1; }
}
killed_at() {
	perl -e 'my ($file, @run) = @ARGV; my $pid = fork; unless ($pid) { exec @run; exit 127 }
		until (-e $file) { exit 1 if waitpid($pid, 1) > 0; select undef, undef, undef, 0.001 }
		kill KILL => $pid; waitpid $pid, 0; exit($? == 9 ? 0 : 1)' "$@"
}
says() { grep -q -- "$1" "$scratch/err"; }
quiet() { [ ! -s "$scratch/err" ]; }
same() { cmp -- "$1" "$2"; }
differ() { ! cmp -s -- "$1" "$2"; }
need_shared() {
	[ -d "$shared/golden" ] && [ -d "$shared/data" ] && { shared=$(cd "$shared" && pwd); return; }
	[ "${CI:-}" = true ] || { echo "1..0 # SKIP no folder $shared"; exit 0; }
	echo '1..1'; echo "not ok 1 - the folder $shared is there"; exit 1
}
done_testing() {
	echo "1..$tap_count"
	[ $tap_failed = 0 ] || { echo "# kept: $scratch"; exit 1; }
	cd "$builddir" && rm -rf "$scratch"
	exit 0
}
