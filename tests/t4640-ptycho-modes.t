#!/bin/bash
# The chain's key modes: the number of the probe's modes changes from stage to stage.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
ptychosim -q --frames 64 --size 32 --step 4 --modes 3 --mode-power 0.15 --photons 1e6 --seed 4 -o s
recon() { ptychorecon -q -p s_pos.csv --probe s_probe0.tif "$@" s_dp.tif; }
R() { tail -1 "$1_log.csv" | cut -d, -f4; }
pages() { [ "$(tiffstat "$1_probe.tif" | wc -l)" = $((2 * $2)) ]; }
light() { tiffstat "$1_probe.tif" | awk '{ n += 1023 * $3 + 1024 * $2 ^ 2 } END { print n }'; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { print a, b; exit !(a > 0 && (a / b - 1) ^ 2 < 1e-10) }'; }

ok 'modes=3 at the start is --modes 3' \
	'recon --modes 3 -a wasp:0 -o a && recon -a wasp:0:modes=3 -o b && pages b 3 && tiffdiff -t 1e-6 a_probe.tif b_probe.tif'
ok 'a number that stays changes nothing' \
	'recon --modes 2 -a wasp:3,dm:2,lsqml:2 -o a && recon --modes 2 -a wasp:3,dm:2:modes=2,lsqml:2 -o b && tiffdiff a_object.tif b_object.tif && tiffdiff a_probe.tif b_probe.tif'
ok 'a second stage with three modes explains the frames better than one with one' \
	'recon -a wasp:10,wasp:10 -o one && recon -a wasp:10,wasp:10:modes=3 -o three && pages one 1 && pages three 3 && awk -v a="$(R three)" -v b="$(R one)" "BEGIN { print a, b; exit !(a < 0.9 * b) }"'
ok 'the stages before it are those of the chain without' \
	'cmp <(head -11 one_log.csv | cut -d, -f1-15) <(head -11 three_log.csv | cut -d, -f1-15)'
ok 'of fewer the strongest stay, with all the light' \
	'recon -a wasp:6:modes=3 -o many && recon -a wasp:6:modes=3,wasp:0:modes=1 -o few && pages few 1 && near "$(light few)" "$(light many)" &&
	 ptychofrc -q few_probe.tif many_probe.tif | awk -F, "NR == 2 { print \$4; exit !(\$4 < 1e-5) }"'
ok 'and of more each has --mode-power of it' \
	'recon -a wasp:6,wasp:0:modes=3 --mode-power 0.1 -o more && recon -a wasp:6 -o six && near "$(light more)" "$(light six)" && tr -c "[:print:]" "\n" <more_probe.tif | grep -q "^power_percent=80[.0-9]*,10[.0-9]*,10[.0-9]*$"'
chain=wasp:3,lsqml:3:modes=3,ml:3:modes=2,dm:3:modes=4,mlgrad:3:modes=1,raar:2:modes=2,epie:3:modes=3
ok 'every engine takes them over: the same bytes on one thread and in little memory' \
	"recon -a $chain -o all && pages all 3 && recon -a $chain --threads 1 --mem 11640000 -o little && tiffdiff all_object.tif little_object.tif && tiffdiff all_probe.tif little_probe.tif"
for c in wasp:4,wasp:40:modes=3 wasp:4:modes=4,dm:40:modes=2 "wasp:3:modes=3,wasp:0:modes=4,ml:40"; do
	ok "$c: killed with other modes than at the start, and resumed: the same bytes" \
		"run='ptychorecon --verbose -p s_pos.csv --probe s_probe0.tif -a $c --checkpoint 6 -o r s_dp.tif' && rm -rf r_* r.ckpt && \$run && for f in object.tif probe.tif frames.csv; do mv r_\$f want_\$f; done && rm r_* && : >err &&
		 killed_at r.ckpt/state.json \$run && [ ! -e r_object.tif ] && \$run --resume && says 'goes on after iteration' && for f in object.tif probe.tif frames.csv; do same r_\$f want_\$f || exit 1; done"
done
ok 'a run that diverges after a change writes the modes of its last good state' \
	'exits 1 recon -a wasp:4,lsqml:40:step=10:modes=3 -o d && after=$(sed -n "s/.*the state after iteration \([0-9]*\) is written.*/\1/p" err) && [ "$after" -ge 4 ] && pages d 3 && recon -a wasp:4,lsqml:$((after - 4)):step=10:modes=3 --watchdog off -o e && tiffdiff d_probe.tif e_probe.tif && tiffdiff d_object.tif e_object.tif'
ok 'the plan is for the most of them' \
	'recon --dry-run -a wasp:2,wasp:2:modes=5 -o x >five && recon --dry-run --modes 5 -a wasp:2,wasp:2 -o x >same && same five same && recon --dry-run -a wasp:2 -o x >one && differ one five'
for v in 0 65 1.5 -1 x ''; do
	ok "modes=$v is refused" "exits 2 recon -a wasp:3:modes=$v -o x && says 'whole number of 1 to 64'"
done
ok 'and modes without a number, of a frozen probe, with --opr, with more power than there is' \
	"exits 2 recon -a wasp:3:modes -o x && says key=value && exits 2 recon --freeze-probe -a wasp:3:modes=2 -o x && says freeze-probe && exits 2 recon --opr 1 -a epie:3:modes=2 -o x && says opr && exits 2 recon -a wasp:3:modes=21 -o x && says mode-power"
done_testing
