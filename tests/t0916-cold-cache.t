#!/bin/bash
# The tools' cache of built kernels, cold, with the n-th mkdir, open, write, close, rename, unlink, read failing: a run goes on without the
# cache; what is in it is whole, and serves the next run.  (PoCL's own cache is another one, and warm.)
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
. "$srcdir/tests/faults.sh"
export POCL_CACHE_DIR=${POCL_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pocl/kcache} XDG_CACHE_HOME=$PWD/cold
slow && most=${FAULTS:-4} || most=${FAULTS:-1}
tiffmake -t f32 -s 12,14 -n 3 -k noise noise.tif
tiffmake -t u16 -s 24,24 -n 3 -k noise counts.tif

cold() { rm -rf cold result && mkdir result; }
# Every file of the cache has its name, and as many bytes as its head says.
cache_is_whole() {
	local f
	while read -r f; do
		if [[ $f != cold/scopeline/????????????????.clbin ]] || [ "$(stat -c %s "$f")" != "$(($(od -An -tu8 -j8 -N8 "$f") + 24))" ]; then
			echo "$f: not whole"
			return 1
		fi
	done < <(find cold -type f)
}
survives() {
	local call=$1 n=$2 status=0
	shift 2
	cold
	faulty FAULT="$call:$n" "$@" || status=$?
	if [ -e fired ] && cache_is_whole && case $status in
		0) complete result && went_on=$((went_on + 1)) ;;
		1) one_message "$1" "$call" ;;	# it was the output's
		*) false ;;
		esac; then
		rm -rf result && mkdir result && "$@" >stdout 2>>said && complete result && return
		echo 'with that cache:'
	fi
	echo "$call $n: exit status $status"; cat said; find cold result
	return 1
}
# For each call: some of them must have been the cache's, if all are tried.
every() {
	local call=$1 n bad=0 went_on=0
	shift
	for n in $(chosen "$(times "$call")" "$most" "$@" "$call"); do
		survives "$call" "$n" "$@" || bad=$((bad + 1))
	done
	echo "$bad of $(times "$call"), $went_on went on"
	[ "$bad" = 0 ] && { [ "$most" != all ] || [ "$went_on" -gt 0 ]; }
}
undisturbed() {
	cold
	"$@" >stdout 2>said && [ -n "$(find cold -name '*.clbin')" ] && cache_is_whole && rm -rf want && mv result want || return
	cold
	env FAULT_COUNT=counts LD_PRELOAD="$library" "$@" >stdout 2>said && complete result
}
tool() {
	run=("$@")
	local call
	ok "$1 keeps what it has built, and ends the same with it and without" "undisturbed ${run[*]@Q} && rm -rf result && mkdir result && ${run[*]@Q} && complete result"
	for call in mkdir open write close rename; do
		ok "$1: a $call that fails for the cache does not fail the run, and leaves nothing half written" "every $call ${run[*]@Q}"
	done
}
tool tvdenoise -q -l 1 --max-iter 3 -o result/o.tif noise.tif
[ "$most" != all ] || tool tiltrecon -q --config pheno -o result/o.tif counts.tif
run=(tvloss -q -g result/g.tif -o result/o.csv noise.tif)
ok 'a cache that cannot be read is built again in memory' \
	"undisturbed ${run[*]@Q} && before=\$(find cold -type f) && for call in open read; do
		rm -rf result && mkdir result && env FAULT_COUNT=counts LD_PRELOAD='$library' ${run[*]@Q} && for n in \$(chosen \$(times \$call) \$most \$call); do
			rm -rf result && mkdir result && { faulty FAULT=\$call:\$n ${run[*]@Q} && complete result || one_message tvloss \$call; } && [ \"\$(find cold -type f)\" = \"\$before\" ] || exit 1
		done
	 done"
part=cold/scopeline/0123456789abcdef.clbin.77
ok 'SIGKILL within a write to the cache leaves a part of a file; the next write an hour later removes it, not a younger one or a whole file' "
	for n in \$(seq 40); do
		cold; faulty KILL=\$n ${run[*]@Q}; left=\$(find cold -name '*.clbin.*'); [ -z \"\$left\" ] || break
	done
	[ -n \"\$left\" ] && ${run[*]@Q} && [ -e \$left ] && whole=\$(find cold -name '*.clbin') && touch $part && touch -d '61 minutes ago' \$left \$whole &&
	tvdenoise -q -l 1 --max-iter 3 -o o.tif noise.tif && [ ! -e \$left ] && [ -e \$whole ] && [ -e $part ] && rm $part && cache_is_whole"
ok 'a folder that is not writable is no cache, and no error' "cold && mkdir -p cold && touch cold/scopeline && ${run[*]@Q} && complete result && [ -f cold/scopeline ]"
done_testing
