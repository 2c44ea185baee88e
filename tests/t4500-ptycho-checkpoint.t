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
	(mkdir -p "$1" && cd "$1" && killed_at r.ckpt/state.json ptychorecon -q -p ../s_pos.csv --probe ../probe.tif "${@:2}" -o r ../s_dp.tif && [ ! -e r_object.tif ] &&
		ptychorecon --verbose --resume -p ../s_pos.csv --probe ../probe.tif "${@:2}" -o r ../s_dp.tif 2>said && grep 'goes on after iteration' said)
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

# Killed again and again, each time up to four iterations and a moment after the last one, a moment after it has begun, or while it writes
# what comes out; then left alone.  A run that was over too soon is begun anew.
storm() {	# SEED KILLS ARGS
	perl -e '
		my ($seed, $kills, @run) = @ARGV;
		my ($last, $n, $early) = (0, 0, 0);
		sub done { if (open my $f, "<", "r.ckpt/state.json") { $last = $1 if (<$f> // "") =~ /"iteration": (\d+)/ } $last }
		srand $seed;
		while (1) {
			my $to = done() + int rand 5;
			my $late = rand($to > $last ? 0.03 : 0.2);
			my $pid = fork;
			unless ($pid) { exec @run; exit 127 }
			if ($n < $kills) {
				my $over = 0;
				select undef, undef, undef, 0.0005 until $over = waitpid($pid, 1) > 0 or done() >= $to;
				select undef, undef, undef, $late;
				kill KILL => $pid unless $over;
				$over or waitpid $pid, 0;
			} else { waitpid $pid, 0 }
			if ($? == 0) {
				last if $n == $kills;
				die "over too soon again and again, after $n kills\n" if ++$early > 20;
				unlink glob "r_*";
				system "rm", "-rf", "r.ckpt";
				$last = 0;
				next;
			}
			die "status $?\n" if $? != 9;
			print "killed after iteration $last\n";
			$n++;
		}' "$@"
}
kills=$([ -n "${TESTS_LONG:-}" ] && echo 40 || echo 6)
each=$((2 * kills))
chain="-a wasp:$each,lsqml:$each:compact=1:modes=2,ml:$each:modes=1 --refine-positions 2"
again() { printf '%q ' ptychorecon -p ../s_pos.csv --probe ../probe.tif "$@" --checkpoint 1 --resume -o r ../s_dp.tif; }
# shellcheck disable=SC2086
ok "killed $kills times at any instant, and left alone: the bytes of a run that nobody disturbed" \
	"run want-storm $chain && mkdir storm && cd storm && storm \${TESTS_SEED:-7} $kills $(again -q $chain) && cd .. && alike want-storm/r storm/r"
short='-a wasp:9,lsqml:9:compact=1'
for f in log.csv frames.csv positions.csv probe.tif; do	# in this order, then the object
	slow || [ $f = probe.tif ] || continue
	# shellcheck disable=SC2086
	ok "killed when the output $f is there" \
		"rm -rf late && mkdir late && cd late && killed_at r_$f $(again -q $short) && [ ! -e r_object.tif ] && $(again --verbose $short) && says 'goes on after iteration 16' && cd .. &&
		 { [ -e want-late ] || run want-late $short; } && alike want-late/r late/r && whole late"
done

# ---- what is in it
mkdir here
(cd here && killed_at r_preview.png ptychorecon -q -p ../s_pos.csv --probe ../probe.tif -a dm:100000 --checkpoint 5 -o r ../s_dp.tif)	# it is written after the checkpoint
ok 'a checkpoint is a folder: arrays as pages of a TIFF, the iteration, the log; and a preview' \
	"grep '^{\"iteration\": [0-9]*[05], \"stage\": 0, \"engine\": \"dm\"}' here/r.ckpt/state.json && [ \$(tail -1 here/r.ckpt/log.csv | cut -d, -f3) = dm ] &&
	 [ -e here/r.ckpt/state.tif ] && [ -e here/r_preview.png ] && [ ! -e here/r_object.tif ]"
ok 'a checkpoint of another command is not taken, and that is said' \
	"(cd here && exits 0 ptychorecon --resume -p ../s_pos.csv --probe ../probe.tif -a wasp:3 -o r ../s_dp.tif && says 'another command' && [ \$(wc -l <r_log.csv) = 5 ] && [ ! -e r.ckpt ])"
ok 'the interval changes no bytes'	"run a -a lsqml:9 && run b -a lsqml:9 --checkpoint 1 && run c -a lsqml:9 --checkpoint 4 && alike a/r b/r && alike a/r c/r"
ok 'a checkpoint that cannot be written ends the run' \
	"mkdir ro && (ulimit -f 16; exits 1 run ro -a wasp:4 --checkpoint 1) && says state.tif && [ ! -e ro/r_object.tif ] && [ ! -e ro/r.ckpt ]"
done_testing
