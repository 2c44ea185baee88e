#!/bin/bash
# Damaged tables and stacks: ptychorecon, ptychosim and ptychofrc take them or refuse them, with a message; they do
# not crash, do not hang, and leave no output of a run that failed.  (With --enable-sanitize every access is watched.)
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
slow && n=20 || n=4

# n copies of a file, each with some bytes changed, cut out or doubled
damage() {
	perl -e 'my ($path, $n, $text) = @ARGV; srand 7; local $/; open F, "<:raw", $path or die; my $d = <F>;
		for my $i (1 .. $n) {
			my $c = $d;
			for (0 .. int rand 4) {
				my $at = $text || rand() < 0.5 ? int rand length $c : int rand(length $c < 400 ? length $c : 400);
				my $kind = int rand 5;
				if ($kind == 0) { substr($c, $at, 1) = chr int rand 256 }
				elsif ($kind == 1) { substr($c, $at, 1 + int rand 8) = "" }
				elsif ($kind == 2) { substr($c, $at, 0) = substr($c, $at, 1 + int rand 8) }
				elsif ($kind == 3) { substr($c, $at, 1) = ("\n", ",", "\"", "-", "e", "9", "\0", "nan")[int rand 8] }
				else { $c = substr($c, 0, $at) if rand() < 0.3; substr($c, $at, 4) = pack "V", (0, 1, 0xffffffff, 0x7fffffff, 65536)[int rand 5] if $at < length $c }
			}
			open G, ">:raw", "damaged$i" or die; print G $c; close G
		}' "$@"
}
# each damaged file in turn: exit status 0 or 1, in 20 seconds, and of a failure a line and no file, but those of a run that diverged
survives() {
	local i status=0 fine=0
	for ((i = 1; i <= n; i++)); do
		rm -rf result && mkdir result && status=0
		timeout 20 "${@//DAMAGED/damaged$i}" >stdout 2>said || status=$?
		if [ "$status" -gt 1 ] || { [ "$status" = 1 ] && { [ ! -s said ] || { [ -n "$(ls -A result)" ] && ! grep -q "is written$" said; }; }; }; then
			echo "damaged$i: status $status"; cat said; ls -A result
			return 1
		fi
		fine=$((fine + (status == 0)))
	done
	echo "$fine of $n taken"
	[ "$fine" -lt "$n" ]
}

ptychosim -q --frames 9 --size 16 --step 3 --jitter 1 --photons 1e4 -o s || exit 1
ptychosim -q --frames 9 --size 16 --step 3 --jitter 1 --photons 1e4 --compress deflate --dead 3 -o z || exit 1
recon='ptychorecon -q -a epie:1 -p s_pos.csv --probe s_probe0.tif --mem 64M -o result/r'
ok 'positions of a reconstruction'  'damage s_pos.csv "$n" text && survives ptychorecon -q -a epie:1 -p DAMAGED --probe s_probe0.tif --mem 64M -o result/r s_dp.tif'
ok 'its frames, plain'              "damage s_dp.tif $n && survives $recon DAMAGED"
ok 'its frames, compressed'         "damage z_dp.tif $n && survives $recon DAMAGED"
ok 'its probe'                      'damage s_probe0.tif "$n" && survives ptychorecon -q -a epie:1 -p s_pos.csv --probe DAMAGED --mem 64M -o result/r s_dp.tif'
ok 'its object'                     "damage s_truth_object.tif $n && survives $recon --object DAMAGED s_dp.tif"
ok 'its mask'                       "damage z_mask.tif $n && survives $recon --mask DAMAGED s_dp.tif"
ok 'positions of a simulation'      'damage s_pos.csv "$n" text && survives ptychosim -q --size 16 --photons 1e4 --mem 64M --positions DAMAGED -o result/r'
ok 'its probe and object'           'damage s_truth_probe.tif "$n" && survives ptychosim -q --frames 9 --size 16 --probe DAMAGED -o result/r && damage s_truth_object.tif "$n" &&
	survives ptychosim -q --frames 9 --size 16 --step 3 --jitter 1 --object DAMAGED -o result/r'
ok 'an object to be compared'       "damage s_truth_object.tif $n && survives ptychofrc -q DAMAGED s_truth_object.tif"
done_testing
