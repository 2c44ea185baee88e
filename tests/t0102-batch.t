#!/bin/bash
# Many inputs: lists, naming, shards, resuming after any interruption, isolation of failures, pipes.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
mkdir stacks
for n in 01 02 03 04 05 06 07 08 09 10 11 12; do
	tiffmake -t u16 -s $((20 + 10#$n)),32 -n 5 -k noise stacks/s$n.tif
done
recon='tiltrecon --config pheno'
ok 'a run of twelve stacks into a folder' "mkdir want && $recon -O want stacks/*.tif && [ \"\$(ls -A want | paste -sd' ')\" = \"\$(printf 's%02d_phase.tif ' \$(seq 12) | sed 's/ \$//')\" ]"
equal() { diff -r -x '.*.tmp' "$1" "$2" && [ "$(find "$2" -name '*.tif' | wc -l)" = 12 ]; }
whole() { [ -z "$(find "$1" -name '.*')" ]; }

# ---- where the inputs come from
ok 'a list from find' "mkdir a && find stacks -name '*.tif' | sort | $recon --list - -O a && equal want a"
ok 'a manifest: paths are relative to it, it may name outputs' \
	"mkdir -p b lists && { echo stack,output; echo ../stacks/s01.tif,own.tif; echo ../stacks/s02.tif,; } >lists/m.csv &&
	 (cd / && $recon --list $scratch/lists/m.csv -O $scratch/b) && [ \"\$(ls -A b | paste -sd' ')\" = 'own.tif s02_phase.tif' ] && tiffdiff b/s02_phase.tif want/s02_phase.tif"
ok 'a manifest with columns in another order, quoted, with a byte order mark and carriage returns' \
	"mkdir c && printf '\\357\\273\\277note,\"stack\"\\r\\n\"a, b\",stacks/s03.tif\\r\\n' >m.csv && $recon --list m.csv -O c && same c/s03_phase.tif want/s03_phase.tif"
ok 'operands beside a list are refused'     "exits 2 $recon --list m.csv -O c stacks/s01.tif && says '--list'"
ok 'two inputs with one target are an error before any work' \
	"mkdir d other && cp stacks/s02.tif other/s01.tif && exits 2 $recon -O d stacks/s02.tif stacks/s01.tif other/s01.tif; [ \$? = 0 ] && says s01_phase.tif && [ -z \"\$(ls -A d)\" ]"
ok 'stdin twice is refused'                 "mkdir e && ! $recon -O e - - <stacks/s01.tif && says stdin\\\\\\|standard"
ok 'an output folder that is missing is refused before any work' "! $recon -O nowhere stacks/s01.tif && says nowhere && [ ! -e nowhere ]"

# ---- shards
ok 'shards partition the work, bytes are those of the whole' \
	"mkdir f && for i in 0 1 2 3 4; do $recon --shard \$i/5 -O f stacks/*.tif || exit 1; done && equal want f"
ok 'a shard takes every N-th job'           "mkdir g && $recon --shard 1/5 -O g stacks/*.tif && [ \"\$(ls g | paste -sd' ')\" = 's02_phase.tif s07_phase.tif s12_phase.tif' ]"
ok 'a shard without jobs is done'           "mkdir h && exits 0 $recon --shard 12/13 -O h stacks/*.tif && [ -z \"\$(ls -A h)\" ]"
ok 'slurm shards follow id, first id, count and step' \
	"mkdir i && SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_STEP=2 $recon --shard slurm -O i stacks/*.tif &&
	 [ \"\$(ls i | paste -sd' ')\" = 's03_phase.tif s07_phase.tif s11_phase.tif' ]"
ok 'slurm shards outside an array job are an error that names the variable' "! $recon --shard slurm -O i stacks/*.tif && says SLURM_ARRAY_TASK_ID"

# ---- failures
ok 'a failed input is isolated, counted, exit 1' \
	"mkdir j && head -c 900 stacks/s05.tif >cut.tif && exits 1 $recon -O j stacks/s04.tif cut.tif stacks/s06.tif && says cut.tif && says '1 of 3 inputs failed' &&
	 same j/s04_phase.tif want/s04_phase.tif && same j/s06_phase.tif want/s06_phase.tif && [ ! -e j/cut_phase.tif ] && whole j"
ok 'a table holds the rows of the others, in order' \
	"exits 1 $recon --tilt-out t.csv stacks/s06.tif cut.tif stacks/s04.tif && [ \"\$(cut -d, -f1 t.csv | paste -sd' ')\" = 'stack s06 s04' ] && [ -e t.csv.journal ] &&
	 rm t.csv.journal"
ok '--dry-run prints a line per job, touches nothing, opens what is readable' \
	"mkdir k && exits 1 $recon --dry-run -O k stacks/s01.tif none.tif stacks/s02.tif && [ \$(grep -c 's0[12].tif' \"\$scratch/out\") = 2 ] && says none.tif && [ -z \"\$(ls -A k)\" ]"

# ---- resume
ok '--resume leaves finished outputs alone and makes the others' \
	"mkdir l && $recon -O l stacks/s0[1-6].tif && stat -c '%n %i %Y' l/* >before && $recon --resume -O l stacks/*.tif && stat -c '%n %i %Y' l/s0[1-6]* | cmp - before && equal want l"
ok '--resume redoes the work of another command and says so' \
	"$recon --reg 0.01 --resume -O l stacks/s01.tif && says 's01_phase.tif.*again' && differ l/s01_phase.tif want/s01_phase.tif"
ok '--resume redoes an output that is cut' \
	"$recon -O l stacks/s01.tif && truncate -s -100 l/s01_phase.tif && $recon --resume -O l stacks/s01.tif && same l/s01_phase.tif want/s01_phase.tif"
ok '--resume does not mind options that change no bytes' \
	"stat -c %i l/s02* >before && $recon --resume --threads 1 --mem 1G --quiet -O l stacks/s02.tif && stat -c %i l/s02* | cmp - before"
ok 'a table is complete after a resume, with the bytes of one run' \
	"$recon --tilt-out whole.csv stacks/*.tif && { exits 1 $recon --fail-fast --tilt-out part.csv stacks/s0[1-7].tif cut.tif; } &&
	 rm -f part.csv && $recon --resume --tilt-out part.csv stacks/*.tif && same whole.csv part.csv && [ ! -e part.csv.journal ]"

# ---- interruption at random instants; the delays are of this file's own seed.  perl sends the signals: a shell starts what runs
# behind it with SIGINT ignored, and ends itself when a child dies of that.
RANDOM=17
interrupt() {	# SIGNAL DIR: starts a run, sends the signal after up to 0.4 s
	local f
	mkdir -p "$2"
	perl -e 'my ($signal, $delay, @run) = @ARGV; $SIG{$signal} = "DEFAULT" if $signal ne "KILL"; my $pid = fork; exec @run unless $pid;
		select undef, undef, undef, $delay; kill $signal, $pid; waitpid $pid, 0' \
		"$1" "0.$(printf %03d $((RANDOM % 400)))" tiltrecon --config pheno -O "$2" --tilt-out "$2/tilts.csv" stacks/*.tif 2>/dev/null
	[ ! -e "$2/tilts.csv" ] || cmp "$2/tilts.csv" whole.csv || return
	for f in "$2"/*.tif; do
		[ ! -e "$f" ] || cmp "$f" "want/${f##*/}" || return
	done
}
times=$(slow && echo 12 || echo 4)
ok 'SIGKILL at any instant: outputs whole or absent' "for n in \$(seq $times); do interrupt KILL kill\$n || exit 1; done"
ok 'after each of them --resume ends with the bytes of an undisturbed run, and nothing else' \
	"for n in \$(seq $times); do
		$recon --resume -O kill\$n --tilt-out kill\$n/tilts.csv stacks/*.tif && same kill\$n/tilts.csv whole.csv && rm kill\$n/tilts.csv && equal want kill\$n && whole kill\$n || exit 1
		[ ! -e kill\$n/tilts.csv.journal ] || exit 1
	 done"
ok 'SIGTERM and SIGINT: the same, and no temporary stays' \
	"for n in \$(seq $times); do interrupt \$([ \$((n % 2)) = 0 ] && echo TERM || echo INT) term\$n && whole term\$n || exit 1; done"
ok 'the status after SIGTERM is that of the signal' \
	"mkdir m; $recon -O m stacks/*.tif & sleep 0.05; kill -TERM \$!; wait \$!; s=\$?; [ \$s = 143 ] || [ \$s = 0 ]"

# ---- pipes
ok 'simulate, reconstruct, compare: two pipes and no file' \
	"tiltsim --config pheno --slices 5 --phantom disks --size 32 --zenith 0.05 -o - | $recon --zenith 0.05 -o - - >piped.tif &&
	 tiltsim --config pheno --slices 5 --phantom disks --size 32 --zenith 0.05 -o sim.tif && $recon --zenith 0.05 -o filed.tif sim.tif && tiffdiff filed.tif piped.tif"
ok 'a table through a pipe'                 "$recon --tilt-out - stacks/s01.tif stacks/s02.tif | cut -d, -f1 | paste -sd' ' | grep -x 'stack s01 s02'"
ok 'a full disk is exit 1 for a batch, too' "exits 1 $recon --tilt-out /dev/full stacks/s01.tif && says 'No space'"
ok 'a fifo and /dev/null are written to, not replaced' \
	"mkfifo pipe && { cat pipe >from-pipe.tif & } && $recon -o pipe stacks/s01.tif && wait && [ -p pipe ] && same from-pipe.tif want/s01_phase.tif && $recon -o /dev/null stacks/s01.tif && [ -c /dev/null ]"
ok 'progress lines without a terminal'      "mkdir n && $recon --progress always -O n stacks/s0*.tif && exits 0 $recon --progress never -O n stacks/s0*.tif"
done_testing
