#!/bin/bash
# Array jobs on a real SLURM: slurmctld, slurmd and munged of this test's own, on this machine.  Root (or sudo without password) is needed.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

[ -z "${TESTS_FAST:-}" ] || [ "${CI:-}" = true ] || { echo '1..0 # SKIP slow'; exit 0; }
cannot() {
	[ "${CI:-}" = true ] || { echo "1..0 # SKIP $1"; rm -rf "$scratch"; exit 0; }
	echo '1..1'; echo "not ok 1 - a cluster can be started ($1)"; exit 1
}
if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null || cannot 'neither root nor sudo without password'
	exec sudo -n env srcdir="$srcdir" builddir="$builddir" SCOPELINE_SHARED="$shared" CI="${CI:-}" bash "$srcdir/tests/$(basename "$0")"
fi

# shellcheck source=tests/cluster.sh
. "$srcdir/tests/cluster.sh"
trap stop_cluster EXIT
start_cluster 2 batch_sched_delay=0,sched_interval=1 || cannot "$why"

# submit ARRAY SCRIPT: runs the array job in the current folder to its end
submit() {
	local id
	id=$(timeout 20 sbatch --parsable --requeue --array="$1" -o task.%a.log "$2") || return
	for _ in $(seq 360); do
		[ -n "$(timeout 10 squeue -h -j "$id" 2>/dev/null)" ] || { cat task.*.log; return 0; }
		sleep 0.5
	done
	timeout 10 squeue; cat task.*.log; scancel "$id"
	return 1
}
# equal A B N: the same files with the same bytes, N at least; what SIGKILL leaves of a temporary has a name that no one takes for an output,
# and the tables of tasks are left beside the one they were joined to
equal() { [ "$(find "$1" -type f | wc -l)" -ge "${3:-1}" ] && diff -r -x '.*.tmp' -x '*.[0-9].csv' "$1" "$2"; }

ok 'forty small stacks' '
	for seed in 0 1 2 3 4; do
		tiltsim --config pheno --phantom disks --size 40 --phase-peak 0.4 --slices 5 --zenith 0.0$seed --seed $seed -o s$seed.tif || exit 1
	done
	echo stack,position,output >jobs.csv
	for k in $(seq 10 49); do cp s$((k % 5)).tif stack$k.tif; echo stack$k.tif,p$k,stack${k}_phase.tif >>jobs.csv; done
	mkdir single array killed tables'
recon='tiltrecon --config pheno --list ../jobs.csv -O out'
ok 'a single run of them' "cd single && mkdir out && $recon"
ok 'an array of 8 tasks gives the same bytes' "cd array && mkdir out && printf '%s\n' '#!/bin/bash' '$recon --shard slurm --resume' >job &&
	submit 0-7 job && cd .. && equal single/out array/out 40"
ok 'the tables of the tasks are the table of the single run, in parts' '
	cd tables && options="--config pheno --optimize bfgs --iters 3" &&
	tiltrecon $options --list ../jobs.csv --tilt-out all.csv &&
	printf "%s\n" "#!/bin/bash" "tiltrecon $options --list ../jobs.csv --shard slurm --tilt-out part.\$SLURM_ARRAY_TASK_ID.csv" >job &&
	submit 0-3 job && sort all.csv >want && { head -n 1 all.csv; tail -q -n +2 part.?.csv; } | sort | cmp - want && [ "$(wc -l <want)" = 41 ]'
ok "the array job of examples/slurm and the job that depends on it and joins its tables are the single run" '
	cd array && mkdir single && tiltrecon --list ../jobs.csv --config pheno --optimize bfgs --iters 3 --tilt-out single.csv -O single &&
	job=$(timeout 20 sbatch --parsable --array=0-3 -o example.%a.log "$srcdir/examples/slurm/tiltrecon.sbatch" "$PWD/../jobs.csv" "$PWD/example" --config pheno --optimize bfgs --iters 3) &&
	join=$(timeout 20 sbatch --parsable --dependency=afterok:"$job" -o join.log "$srcdir/examples/slurm/join.sbatch" "$PWD/example/tilts" 4) || exit
	for _ in $(seq 240); do [ -n "$(timeout 10 squeue -h -j "$join" 2>/dev/null)" ] || break; sleep 0.5; done
	cat example.*.log join.log; cmp single.csv example/tilts.csv && [ $(ls example/phase/*.tif | wc -l) = 40 ] &&
	for f in single/*.tif; do tiffdiff "$f" "example/phase/${f##*/}" || exit; done'	# not their bytes: provenance names other folders
cat >killed/job <<END
#!/bin/bash
run() { $recon --shard slurm --resume; }
if [ "\$SLURM_ARRAY_TASK_ID" = 1 ] && [ ! -e was_killed ]; then
	$recon --shard slurm --resume &
	until ls out/*.tif >/dev/null 2>&1; do sleep 0.01; done
	kill -9 \$!
	ls -A out >was_killed
	scontrol requeue "\${SLURM_ARRAY_JOB_ID}_1"
	sleep 60
fi
run
END
ok 'a task killed by SIGKILL in the middle and requeued ends with the same bytes' '
	cd killed && mkdir out && submit 1-2 job && [ -s was_killed ] && cd .. && mkdir half && cd half && mkdir out &&
	for i in 0 1; do '"$recon"' --shard $i/2 || exit 1; done && cd .. && equal half/out killed/out 40'
options='-q --probe disc:0.15625,0.012,1.5 -a lsqml:200'
ok 'six scans of ptychorecon, a row each' '
	echo frames,positions,modes >scans.csv && for k in 0 1 2 3 4 5; do ptychosim -q --frames 36 --size 32 --step 4 --seed $k -o scan$k && echo "scan${k}_dp.tif,scan${k}_pos.csv,$((k % 3 + 1))" >>scans.csv || exit 1; done
	mkdir -p scans/out tasks && cd scans && ptychorecon '"$options --list ../scans.csv -O out"
cat >tasks/job <<END
#!/bin/bash
run() { exec "$srcdir/examples/slurm/ptychorecon.sbatch" ../scans.csv out $options --checkpoint 5; }
if [ "\$SLURM_ARRAY_TASK_ID" = 1 ] && [ ! -e was_killed ]; then
	run &
	until [ -e out/scan4_dp.ckpt/state.json ]; do sleep 0.01; done
	kill -9 \$!
	ls -A out >was_killed
	scontrol requeue "\${SLURM_ARRAY_JOB_ID}_1"
	sleep 60
fi
run
END
ok 'the array job of examples/slurm on them, of 3 tasks, one killed within its second scan and requeued, gives the same bytes, but for the seconds in the logs' '
	cd tasks && submit 0-2 job && grep -q scan4_dp.ckpt was_killed && cd .. && sed -i "s/,[^,]*$//" scans/out/*_log.csv tasks/out/*_log.csv && equal scans/out tasks/out 36'
# every other example: its array job, and the job that depends on it and joins its tables, all in the queue at once; in folder every/
examples=$srcdir/examples/slurm
each() {
	"$1" granularity held.csv -n 4
	"$1" zernike pairs.csv --degree 4
	"$1" intensity pairs.csv
	"$1" ptychofrc waves.csv
	"$1" tvloss n.txt --kind iso
	"$1" tvdenoise held.txt -l 1 --max-iter 5
	"$1" fit n.txt --rotations 2 --channels 2 --resolution 5 --iters 2 --batch 16 --seed 1
	"$1" render m.txt
	"$1" tiltsim p.txt --config pheno --slices 3
}
single() {
	local name=$1 list=$2 out=one/$1 run=("$1")
	shift 2
	mkdir -p "$out"
	case $name in
	fit | render) run=(kplanes "$name" -O "$out") ;;
	tvdenoise) mkdir "$out/denoised"; run+=(--report "$out/tvdenoise.csv" -O "$out/denoised") ;;
	tiltsim) mkdir "$out/stacks"; run+=(--truth "$out/truth.csv" -O "$out/stacks") ;;
	*) run+=(-o "$out/$name.csv") ;;
	esac
	"${run[@]}" -q --list "in/$list" "$@" || exit
}
queue() { timeout 20 sbatch --parsable --cpus-per-task=1 "$@"; }
array() {
	local name=$1 list=in/$2 example=("$examples/$1.sbatch") job join=("many/$1/$1" 2 "in/$2")
	shift 2
	case $name in
	fit | render) example=("$examples/kplanes.sbatch" "$name") join=() ;;
	granularity | tvdenoise) example=(held "${example[@]}") ;;
	tiltsim) join=(many/tiltsim/truth 2) ;;
	esac
	job=$(queue --requeue --array=0-1 -o "$name.%a.log" "${example[@]}" "$list" "many/$name" -q "$@") || exit
	[ ${#join[@]} = 0 ] || queue --dependency=afterok:"$job" --kill-on-invalid-dep=yes -o "$name.join.log" "$examples/join.sbatch" "${join[@]}" || exit
}
# an input of task 1 is a pipe that never says anything, until the task is killed
mkdir every
cat >every/held <<'END'
#!/bin/bash
tool=$(basename "$1" .sbatch)
if [ "$SLURM_ARRAY_TASK_ID" = 1 ] && [ -p in/$tool.tif ]; then
	"$@" &
	until [ -s many/$tool/$tool.1.csv.journal ]; do sleep 0.01; done
	kill -9 $!
	find many/$tool -type f >killed.$tool
	mv in/$tool.held in/$tool.tif
	scontrol requeue "${SLURM_ARRAY_JOB_ID}_1"
	sleep 60
fi
"$@"
END
ok 'a manifest for every other tool, one image without objects, and single runs of them' '
	. "$srcdir/tests/faultlists.sh" && cd every && lists && cd in && tiffmake -t u16 -s 22,24 -n 1 -k 0 l0.tif && cp i2.tif granularity.tif && cp n2.tif tvdenoise.tif &&
	printf "%s\n" image,labels i1.tif,l1.tif i2.tif,l2.tif i2.tif,l0.tif granularity.tif,l2.tif i3.tif,l3.tif >held.csv && printf "%s\n" n1.tif n2.tif n3.tif tvdenoise.tif >held.txt &&
	cd .. && each single && for t in granularity tvdenoise; do mv in/$t.tif in/$t.held && mkfifo in/$t.tif || exit; done'
ok 'all their array jobs run, of two tasks each; of granularity and tvdenoise one is killed by SIGKILL in its second input and requeued' '
	cd every && each array && for _ in $(seq 240); do [ -n "$(timeout 10 squeue -h 2>/dev/null)" ] || break; sleep 0.5; done
	timeout 10 squeue -h; cat *.log; scancel -u root; grep -q "granularity.1.csv.journal" killed.granularity && ! grep -q "granularity.1.csv$" killed.granularity &&
	grep -q denoised/n2_tv.tif killed.tvdenoise && ! grep -q denoised/tvdenoise killed.tvdenoise'
as_single() { ok "$1: the array job of examples/slurm leaves the bytes of the single run, its tables joined" "cd every && equal one/$1 many/$1"; }
each as_single
ok 'outside an array job --shard slurm is an error that names the variable' "cd single && ! $recon --shard slurm && grep SLURM_ARRAY_TASK_ID ../err"
done_testing
