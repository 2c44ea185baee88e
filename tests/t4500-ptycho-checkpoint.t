#!/bin/bash
# Checkpoints: a run that is killed at any instant and resumed ends with the bytes of one that was not disturbed, for every engine.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
ptychosim --frames 64 --size 32 --step 4 --jitter 1.5 --seed 3 --photons 2e5 -o s
cp "$shared/data/ptycho/tiny_probe0.tif" probe.tif
quiet_log() { cut -d, -f1-15 "$1_log.csv"; }	# without the seconds
alike() {	# STEM STEM
	cmp "$1_object.tif" "$2_object.tif" && cmp "$1_probe.tif" "$2_probe.tif" && cmp "$1_positions.csv" "$2_positions.csv" && cmp "$1_frames.csv" "$2_frames.csv" &&
		cmp <(quiet_log "$1") <(quiet_log "$2") && cmp "$1_preview.png" "$2_preview.png"
}
# Runs of the same command write to the same STEM: each in a folder of its own.
run() { (mkdir -p "$1" && cd "$1" && ptychorecon -q -p ../s_pos.csv --probe ../probe.tif "${@:2}" -o r ../s_dp.tif); }
killed() {	# DIR ARGS: kills when the first checkpoint is there, which the rest has to start from
	local try
	for try in 1 2 3 4 5; do	# again where all was over before the signal
		rm -rf "$1"
		(mkdir -p "$1" && cd "$1" && perl -e 'my $pid = fork; exec @ARGV unless $pid; select undef, undef, undef, 0.001 until -e "r.ckpt/state.json" || waitpid($pid, 1) > 0;
		select undef, undef, undef, rand 0.02; kill KILL => $pid; waitpid $pid, 0' \
		ptychorecon -q -p ../s_pos.csv --probe ../probe.tif "${@:2}" -o r ../s_dp.tif)
		[ ! -e "$1/r.ckpt/state.json" ] || [ -e "$1/r_object.tif" ] || break
	done
	if [ ! -e "$1/r.ckpt/state.json" ] || [ -e "$1/r_object.tif" ]; then
		echo "over before the signal, $try times"
		return 1
	fi
	(cd "$1" && ptychorecon --verbose --resume -p ../s_pos.csv --probe ../probe.tif "${@:2}" -o r ../s_dp.tif 2>said; grep 'goes on after iteration' said)
}
whole() { [ -z "$(find "$1" -name '*.ckpt*')" ] && [ "$(find "$1" -name '.*' ! -name '.*.tmp' -type f | wc -l)" = 0 ]; }
times=$(slow && echo 2 || echo 1)
chains=(epie:60 rpie:60 wasp:60 lsqml:60:noise=poisson lsqml:60:compact=1 mlgrad:60 er:60 dm:40 raar:40 ml:40:noise=poisson 'epie:20,dm:20,ml:10')
slow || chains=(wasp:60 lsqml:60:compact=1 dm:40 'epie:20,dm:20,ml:10')
for c in "${chains[@]}"; do
	ok "$c: SIGKILL, then --resume" \
		"run \"want-$c\" -a $c && for i in \$(seq $times); do d=kill\$i-$c; killed \"\$d\" -a $c --checkpoint 10 && alike \"want-$c/r\" \"\$d/r\" && whole \"\$d\" || exit 1; done"
done
slow && for more in '--modes 2 --mode-power 0.1' '--subpixel fourier --refine-positions 2,1,4,0.5' --intensity; do
	ok "lsqml $more: SIGKILL, then --resume" \
		"run 'want$more' -a lsqml:60 $more && killed 'kill$more' -a lsqml:60 --checkpoint 10 $more && alike 'want$more/r' 'kill$more/r'"
done

# ---- what is in it
mkdir here
(cd here && exec ptychorecon -q -p ../s_pos.csv --probe ../probe.tif -a dm:100000 --checkpoint 5 -o r ../s_dp.tif) &
pid=$!
for _ in $(seq 300); do [ ! -e here/r_preview.png ] || break; sleep 0.1; done	# it is written after the checkpoint
kill -KILL $pid
wait $pid
ok 'a checkpoint is a folder: arrays as pages of a TIFF, the iteration, the log; and a preview' \
	"grep '^{\"iteration\": [0-9]*[05], \"stage\": 0, \"engine\": \"dm\"}' here/r.ckpt/state.json && [ \$(tail -1 here/r.ckpt/log.csv | cut -d, -f3) = dm ] &&
	 [ -e here/r.ckpt/state.tif ] && [ -e here/r_preview.png ] && [ ! -e here/r_object.tif ]"
ok 'a checkpoint of another command is not taken, and that is said' \
	"(cd here && exits 0 ptychorecon --resume -p ../s_pos.csv --probe ../probe.tif -a wasp:3 -o r ../s_dp.tif && says 'another command' && [ \$(wc -l <r_log.csv) = 5 ] && [ ! -e r.ckpt ])"
ok 'the interval changes no bytes'	"run a -a lsqml:9 && run b -a lsqml:9 --checkpoint 1 && run c -a lsqml:9 --checkpoint 4 && alike a/r b/r && alike a/r c/r"
ok 'a checkpoint that cannot be written ends the run' \
	"mkdir ro && (ulimit -f 16; exits 1 run ro -a wasp:4 --checkpoint 1) && says state.tif && [ ! -e ro/r_object.tif ] && [ ! -e ro/r.ckpt ]"
done_testing
