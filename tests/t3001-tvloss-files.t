#!/bin/bash
# tvloss and its files: layouts of complex volumes, where a NaN goes, holes in slabs, files beyond 2^32 voxels, an end in the midst of it.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

column() { tail -n "${3:-1}" "$2" | head -n 1 | cut -d, -f"$1"; }
# bytes of device memory that FILE needs at least with these options
least() { local file=$1; shift; { tvloss --mem 1 "$@" -g x.tif "$file" 2>&1 || :; } | sed 's/.*at least \([0-9]*\).*/\1/'; }
# pages PAGE...: a volume of these pages of numbers, by a generator of its own for each
pages() { local p n=0; for p in "$@"; do [ $((n++)) = 0 ] || echo; awk -v p="$p" 'BEGIN { srand(p); for (y = 0; y < 7; y++) { for (x = 0; x < 9; x++) printf "%.6f ", rand() - 0.3; print "" } }'; done; }
# page N FILE: the numbers of a gradient's page
page() { perl -e 'local $/; my ($n, $f) = @ARGV; open F, "<:raw", $f; my $d = <F>; my $at = unpack "V", substr $d, 4, 4;
	$at = unpack "V", substr $d, $at + 2 + 12 * unpack("v", substr $d, $at, 2), 4 for 2 .. $n;
	my %t; for my $i (0 .. unpack("v", substr $d, $at, 2) - 1) { my @e = unpack "vvVV", substr $d, $at + 2 + 12 * $i, 12; $t{$e[0]} = $e[1] == 3 ? $e[3] & 65535 : $e[3] }
	print join " ", map { sprintf "%.9g", $_ } unpack "f<*", substr $d, $t{273}, 4 * $t{256} * $t{257}; print "\n"' "$1" "$2"; }

# ---- complex
pages 1 2 3 4 5 6 | tifftext f32 pairs.tif
pages 1 3 5 2 4 6 | tifftext f32 halves.tif
for kind in sq iso l1; do
	ok "$kind: halves and pairs of the same numbers have the same losses, and gradients in their own layout" "
		tvloss --complex pairs -k $kind -g p.tif pairs.tif | cut -d, -f2- >p.csv && tvloss --complex halves -k $kind -g h.tif halves.tif | cut -d, -f2- >h.csv && same p.csv h.csv &&
		for n in '1 1' '2 4' '3 2' '4 5' '5 3' '6 6'; do page \${n% *} p.tif >a && page \${n#* } h.tif >b && same a b && grep -q '[1-9].* .*[1-9]' a || exit 1; done"
done
ok 'phase and amplitude add up to the total' 'tvloss --complex pairs -k l1 pairs.tif >t && awk -F, "NR > 1 { v[\$4] = \$13 } END { exit !(v[\"phase\"] > 0 && v[\"amplitude\"] > 0 && v[\"total\"] == v[\"phase\"] + v[\"amplitude\"]) }" t &&
	tvloss --complex pairs --parts phase -k l1 pairs.tif >one && [ "$(wc -l <one)" = 2 ] && [ "$(column 13 one)" = "$(column 13 t 3)" ]'

# ---- NaN
ok 'propagate: loss nan, and the gradient is nan at the voxel and its six neighbours and nowhere else' '
	tiffmake -t f32 -s 7,9 -n 5 -k noise -N 2,3,4 nan.tif && for kind in sq l1; do
		tvloss -k $kind --nan propagate -g g.tif nan.tif >row && [ "$(column 13 row)" = nan ] &&
		for p in 1 2 3 4 5; do page $p g.tif | tr " " "\n" | { grep -in nan || :; } | sed "s/:.*//;s/^/$p:/"; done | tr "\n" " " >out && [ "$(cat out)" = "2:32 3:23 3:31 3:32 3:33 3:41 4:32 " ] || exit 1; done'
for kind in sq iso l1; do
	for more in '-s sum' '-s mean' '--slices -s mean'; do
		tiffmake -t f32 -s 20,33 -n 6 -k noise -N 2,3,4 hole.tif
		[ "$kind $more" = 'iso --slices -s mean' ] || ok "$kind with holes, $more: slabs of one and more planes change nothing" "
			tvloss --nan skip -k $kind $more -g want.tif hole.tif >want.csv && l=\$(least hole.tif --nan skip -k $kind $more) && [ \$l -gt 1000 ] && for mem in \$l \$((l + 6000)) \$((l + 14000)); do
				tvloss --nan skip -k $kind $more --mem \$mem -g got.tif hole.tif | sed s/got/want/ >got.csv && same want.tif got.tif && same want.csv got.csv || exit 1; done &&
			tvloss --nan skip -k $kind $more --mem \$l --dry-run -g x.tif hole.tif | grep -qv ' 1 block'"
	done
done

# ---- beyond 2^31 and 2^32 voxels: a BigTIFF whose pixels are a hole in the file
sparse() {
	perl -e 'my ($out, $n, $ny, $nx) = @ARGV; open F, ">:raw", $out; my $ifd = 8 + 9 * 20 + 8; my $data = 16 + $n * $ifd; my $bytes = $ny * $nx;
		print F pack("a2vvvQ<", "II", 43, 8, 0, 16);
		for my $p (0 .. $n - 1) { print F pack("Q<", 9), map({ pack("vvQ<Q<", @$_) } [256,4,1,$nx], [257,4,1,$ny], [258,3,1,8], [259,3,1,1], [262,3,1,1], [273,16,1,$data + $p * $bytes], [277,3,1,1], [278,4,1,$ny],
			[279,16,1,$bytes]), pack("Q<", $p + 1 < $n ? 16 + ($p + 1) * $ifd : 0) }
		truncate F, $data + $n * $bytes or exit 1' "$@"
}
if sparse big.tif 3 46340 46340 2>/dev/null && sparse long.tif 5000 1100 1000 2>/dev/null; then
	ok 'pages of 2^31 voxels, 6 10^9 in all: bytes of a dry run are right to the last' \
		'tvloss --dry-run --mem 200G -g x.tif big.tif >plan && grep -q "^big.tif: 3x46340x46340 u8 -> x.tif: 32210934000 bytes on the host, 515[0-9]* on the device, 1 block$" plan && [ ! -e x.tif ]'
	ok 'and its least memory is named' 'exits 1 tvloss --dry-run --mem 1G -g x.tif big.tif && says "at least 343[0-9]* for one plane" && says -- "--mem"'
	ok '5.5 10^9 voxels of smaller pages pass through 64 MB' 'tvloss --dry-run --mem 64M -g x.tif long.tif >plan && awk "{ for (i = 1; i < NF; i++) { if (\$(i + 1) == \"bytes\") host = \$i; if (\$(i + 1) == \"on\" && \$(i + 3) == \"device,\") d = \$i; if (\$(i + 1) == \"blocks\") b = \$i } }
		END { exit !(d > 0 && d <= 67108864 && host < 140000000 && b > 800) }" plan'
	ok 'tvdenoise and kplanes say their shape' 'tvdenoise --dry-run --mem 1G -l 1 -o x.tif long.tif | grep "5000x1100x1000 u8" && kplanes fit --dry-run -o x.tif long.tif | grep "5000x1100x1000 u8" && [ ! -e x.tif ]'
	rm -f big.tif long.tif
else
	skip 'pages of 2^31 voxels' 'no sparse files here'
fi

# ---- an end in the midst of it
tiffmake -t f32 -s 300,400 -n 160 -k noise large.tif
ok 'a large volume passes in slabs where there is room for all of it, too: same row, same gradient' \
	'tvloss --dry-run --mem 1G -g x.tif large.tif | grep -E " 1?[0-9]{7} on the device, [0-9]{2} blocks$" && tvloss --mem 1G -k l1 -g want.tif large.tif >want.csv &&
	 tvloss --mem $(least large.tif) -k l1 -g got.tif large.tif | sed s/got/want/ >got.csv && same want.tif got.tif && same want.csv got.csv; rm -f want.tif got.tif'
# a temporary is there, and the gradient is not
written() { for _ in {1..2000}; do compgen -G "$1/.*.tmp" >list && return; sleep 0.005; done; return 1; }
# a shell ignores SIGINT for what it runs with &
run() { exec perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$@"; }
for signal in TERM INT KILL; do
	ok "stopped by SIG$signal while it writes: no gradient, and no temporary unless killed" "
		rm -rf k && mkdir k && l=\$(least large.tif) && { run tvloss --mem \$l -k iso -g k/g.tif large.tif >row & pid=\$!
			written k; kill -$signal \$pid; wait \$pid; s=\$?; }
		[ ! -e k/g.tif ] && [ \$s -gt 128 ] && [ $signal = KILL -o -z \"\$(ls -A k)\" ]"
done
ok 'started with SIGINT ignored, as by & of a shell, it goes on through one' "
	rm -rf k && mkdir k && l=\$(least large.tif) && { tvloss --mem \$l -k iso -g k/g.tif large.tif >row & pid=\$!
		written k; kill -INT \$pid; timeout 60 tail --pid=\$pid -f /dev/null && wait \$pid; } && [ -e k/g.tif ]"
ok '--resume after a kill: the rows and gradients of one go' "
	mkdir r1 r2 && for i in 1 2 3 4 5 6; do tiffmake -t f32 -s 200,220 -n \$((i + 15)) -k noise v\$i.tif; done && tvloss -k iso -O r1 v?.tif -o one.csv &&
	{ run tvloss -k iso -O r2 v?.tif -o two.csv & pid=\$!; for i in {1..2000}; do [ -e r2/v2_grad.tif ] && break; sleep 0.005; done; kill -KILL \$pid; wait \$pid || :; } &&
	rm -f r2/.*.tmp && tvloss --resume -k iso -O r2 v?.tif -o two.csv && same one.csv two.csv && for i in 1 2 3 4 5 6; do tiffdiff r1/v\${i}_grad.tif r2/v\${i}_grad.tif || exit 1; done"
done_testing
