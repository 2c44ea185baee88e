#!/bin/bash
# A page of 5120 x 5120 with 4032 objects: each tool stays inside 1 GB, counts every object, and tiles of the files change nothing.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
slow || { echo '1..0 # SKIP slow'; exit 0; }

# page NAME labels|image: 63 x 64 discs of radius 30 at a pitch of 80, or noise that no row repeats
page() {
	perl -e 'my ($what) = @ARGV; my $n = 5120; binmode STDOUT;
		print pack("a2vV", "II", 42, 8 + 2 * $n * $n);
		srand 4; my $noise = pack "v*", map { int rand 60000 } 0 .. 2 * $n;
		for my $y (0 .. $n - 1) {
			if ($what eq "image") { print substr($noise, 2 * ($y * 37 % $n), 2 * $n); next }
			my ($band, $d) = (int($y / 80), $y % 80 - 40);
			my $w = abs($d) <= 30 && $band < 63 ? int(sqrt(900 - $d * $d)) : -1;
			print $w < 0 ? "\0" x (2 * $n) : join "", map { "\0" x (2 * (40 - $w)) . pack("v", 1 + 64 * $band + $_) x (2 * $w + 1) . "\0" x (2 * (39 - $w)) } 0 .. 63;
		}
		print pack("v", 9), map({ pack("vvVV", @$_) } [256,4,1,$n], [257,4,1,$n], [258,3,1,16], [259,3,1,1], [262,3,1,1], [273,4,1,8], [277,3,1,1], [278,4,1,$n], [279,4,1,2*$n*$n]), pack("V", 0)' "$2" >"$1"
}
page labels.tif labels
page image.tif image
for tool in zernike intensity granularity; do
	ok "$tool: 4032 objects of a page of 5120 x 5120 inside 1 GB" \
		"peakmem 1048576 $tool --digits 5 image.tif labels.tif -o $tool.csv && [ \$(wc -l <$tool.csv) = 4033 ] && tail -n 1 $tool.csv | grep -q '^image.tif,0,0,4032,' && ! grep -q nan $tool.csv"
	ok "$tool: the bound of --mem is kept or refused with the figure" \
		"if peakmem 614400 $tool --mem 500M --digits 5 image.tif labels.tif -o less.csv; then same $tool.csv less.csv; else says bytes && ! says peakmem; fi"
done
ok 'discs of one shape have one shape: moments of all 4032 are the same text' '[ $(cut -d, -f5-34 zernike.csv | tail -n +2 | sort -u | wc -l) = 1 ]'
{ echo image,labels; for _ in {1..300}; do echo "$shared/data/features/human_dna.tif,$shared/data/features/human_labels.tif"; done; } >many.csv
ok 'the rows of a long list, 80 MB, are not held in memory' \
	'peakmem 61440 zernike --threads 2 --digits 9 --list many.csv -o many_out.csv && [ $(stat -c %s many_out.csv) -gt 80000000 ]'
done_testing
