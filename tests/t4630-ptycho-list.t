#!/bin/bash
# Many scans in one call: the rows of a manifest are the single runs, in shards, after kills, beside failures.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
for k in 0 1 2; do ptychosim -q --frames 36 --size 32 --step 4 --seed $k --photons 2e5 -o s$k; done
# six rows; a cell that is empty is the command line's
options=("wasp:12,,,remove" "dm:8,2,,keep" ",,1,keep" "lsqml:60:noise=poisson,3,,remove" "epie:4,,0,keep" ",2,,remove")
row() { echo "s$(($1 % 3))_dp.tif,s$(($1 % 3))_pos.csv,s$(($1 % 3))_probe0.tif,out/r$1,${options[$1]}"; }
{ echo frames,positions,probe,output,algorithm,modes,half,ramp; for k in 0 1 2 3 4 5; do row $k; done; } >jobs.csv
all=(--mode-power 0.1 -a rpie:5)
list() { (mkdir -p "$1/out" && cp -n s?_*.* jobs.csv "$1" && cd "$1" && ptychorecon -q "${all[@]}" --list jobs.csv "${@:2}"); }
quiet_log() { cut -d, -f1-15 "$1_log.csv"; }	# without the seconds
# Files of one scan: all bytes, but for the seconds of the log and, with `pixels`, the command in the TIFFs
alike() {	# STEM STEM [pixels]
	local f compare=${3:+tiffdiff}
	for f in object probe; do ${compare:-cmp} "$1_$f.tif" "$2_$f.tif" || return; done
	for f in frames.csv positions.csv preview.png; do cmp "$1_$f" "$2_$f" || return; done
	cmp <(quiet_log "$1") <(quiet_log "$2")
}
six() { for k in 0 1 2 3 4 5; do alike "want/out/r$k" "$1/out/r$k" || return; done; }
made() { find "$1/out" -name '*_object.tif' -printf '%f\n' | sort | tr -dc '0-9\n' | paste -sd' '; }
inode() { stat -c '%i' "$1"; }

ok 'six rows with options of their own' 'list want && [ "$(made want)" = "0 1 2 3 4 5" ]'
single() {	# K: the row's run by itself
	local frames pos probe out algorithm modes half ramp
	IFS=, read -r frames pos probe out algorithm modes half ramp < <(row "$1")
	mkdir -p single/out && ptychorecon -q --mode-power 0.1 -a "${algorithm:-rpie:5}" ${modes:+--modes "$modes"} ${half:+--half "$half"} --ramp "$ramp" -p "$pos" --probe "$probe" -o "single/$out" "$frames"
}
ok 'are the six single runs, pixel by pixel and row by row' \
	'for k in 0 1 2 3 4 5; do single $k && alike want/out/r$k single/out/r$k pixels || exit 1; done && [ "$(tail -1 want/out/r1_log.csv | cut -d, -f1)" = final ] && grep -q ,dm, want/out/r1_log.csv && grep -q ,rpie, want/out/r2_log.csv'
ok 'two shards take every second row, and are the same bytes' \
	'list shards --shard 0/2 && [ "$(made shards)" = "0 2 4" ] && list shards --shard 1/2 && six shards'
example() {	# I: task I of 2
	(cd example && env SLURM_ARRAY_TASK_ID="$1" SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_STEP=1 "$srcdir/examples/slurm/ptychorecon.sbatch" stems.csv all -q "${all[@]}")
}
ok 'so do the tasks of examples/slurm/ptychorecon.sbatch, each stem beside the others: the same pixels' \
	'mkdir example && cp s?_*.* example && { head -1 jobs.csv | cut -d, -f1-3,5-; for k in 0 1 2; do row $k | cut -d, -f1-3,5-; done; } >example/stems.csv && example 0 && [ ! -e example/all/s1_dp_object.tif ] && example 1 &&
	 for k in 0 1 2; do alike want/out/r$k example/all/s${k}_dp pixels || exit 1; done'
ok 'done, nothing is done again with --resume' \
	'was=$(inode shards/out/r3_object.tif) && list shards --resume && [ "$was" = "$(inode shards/out/r3_object.tif)" ] && six shards'
# killed DIR FILE ARGS...: SIGKILL as soon as the file is there
killed() {
	(mkdir -p "$1/out" && cp -n s?_*.* jobs.csv "$1" && cd "$1" &&
		killed_at "$2" ptychorecon -q "${all[@]}" --list jobs.csv "${@:3}")
}
ok 'killed after the third row and resumed: the same bytes, the rows that were done are left' \
	'killed k out/r2_object.tif && [ ! -e k/out/r5_object.tif ] && was=$(inode k/out/r0_object.tif) && list k --resume && six k && [ "$was" = "$(inode k/out/r0_object.tif)" ]'
ok 'killed within a row that keeps checkpoints' \
	'killed c out/r1.ckpt/state.json --checkpoint 2 && [ ! -e c/out/r1_object.tif ] && list c --checkpoint 2 --resume && six c && [ -z "$(find c -name "*.ckpt*")" ]'
ok 'a shard that is killed and resumed does not touch the other' \
	'killed s out/r2_object.tif --shard 0/2 && list s --shard 1/2 && list s --shard 0/2 --resume && six s'
ok 'an option of one row changes: with --resume that row alone is done again, and it is said' \
	'mkdir -p other && cp -r shards/. other && sed -i "6s/epie:4/epie:3/" other/jobs.csv && grep -q epie:3 other/jobs.csv && cp other/jobs.csv changed.csv && was="$(inode other/out/r3_object.tif) $(inode other/out/r4_object.tif)" &&
	 (cd other && ptychorecon "${all[@]}" --list jobs.csv --resume) && set -- $was && [ "$1" = "$(inode other/out/r3_object.tif)" ] && [ "$2" != "$(inode other/out/r4_object.tif)" ] &&
	 [ "$(wc -l <other/out/r4_log.csv)" = 5 ] && alike want/out/r3 other/out/r3 && says r4'
ok 'two rows fail, by a missing file and by ragged positions: the others are the same bytes, both are named, exit 1' \
	'mkdir -p bad/out && cp s?_*.* jobs.csv bad && sed -i "3s/s1_dp/none_dp/; 5s/s0_pos/ragged/" bad/jobs.csv && printf "x_px,y_px\n1,2\n3\n" >bad/ragged.csv && (cd bad && exits 1 ptychorecon -q "${all[@]}" --list jobs.csv) &&
	 says none_dp.tif && says ragged.csv && says "2 of 6" && [ "$(made bad)" = "0 2 4 5" ] && for k in 0 2 4 5; do alike want/out/r$k bad/out/r$k || exit 1; done'
ok 'with --fail-fast the rest is left' \
	'rm -f bad/out/* && (cd bad && exits 1 ptychorecon -q "${all[@]}" --fail-fast --list jobs.csv); says none_dp.tif && [ ! -e bad/out/r5_object.tif ]'
ok 'the same output twice is refused before any work' \
	'mkdir twice && cp s?_*.* twice && mkdir twice/out && { cat jobs.csv; row 0; } >twice/jobs.csv && (cd twice && exits 2 ptychorecon "${all[@]}" --list jobs.csv || exits 1 ptychorecon "${all[@]}" --list jobs.csv) && says r0 && [ -z "$(ls twice/out)" ]'
ok 'frames on the command line with -O: stems in the folder, the same pixels' \
	'mkdir O && ptychorecon -q -a wasp:4 -p s0_pos.csv --probe s0_probe0.tif -O O s0_dp.tif s1_dp.tif && ptychorecon -q -a wasp:4 -p s0_pos.csv --probe s0_probe0.tif -o one s1_dp.tif && alike one O/s1_dp pixels && [ -e O/s0_dp_object.tif ]'
ok 'one thread, a work-group of 16 and little memory: the same bytes' 'list t --threads 1 --work-group 16 --mem 2500k && six t'
done_testing
