#!/bin/bash
# --match offset: tiles of one field are set on one level.  The least squares themselves are held by unit-well.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

recon="tiltrecon --config pheno --tile 64 --overlap 24 --pad 8 --zenith 0.05 --azimuth 1"
ok 'a field of cells without noise' \
	"tiltsim --config pheno --slices 9 --phantom cells --size 200,160 --seed 3 --phase-peak 0.3 --zenith 0.05 --azimuth 1 --phantom-out truth.tif -o field.tif && $recon --plan-only field.tif >plan.csv"
ok 'levels bring the phase nearer to the truth by a fifth' \
	"$recon --reg 1e-4 -o none.tif field.tif && $recon --reg 1e-4 --match offset -o offset.tif field.tif && tiffseams plan.csv none.tif truth.tif && tiffseams plan.csv offset.tif truth.tif &&
	 awk -v a=\$(tiffseams plan.csv none.tif truth.tif | cut -d' ' -f4) -v b=\$(tiffseams plan.csv offset.tif truth.tif | cut -d' ' -f4) 'BEGIN { exit !(b < 0.8 * a) }'"
ok 'absorption has a level of its own and stays as it is' \
	"for m in none offset; do $recon --outputs absorption --match \$m -o a_\$m.tif field.tif || exit; done; tiffdiff a_none.tif a_offset.tif && ! tiffdiff none.tif offset.tif"
ok 'the same bytes on one thread, two, and in batches' \
	"$recon --reg 1e-4 --match offset --threads 1 -o t1.tif field.tif && $recon --reg 1e-4 --match offset --threads 2 --mem 4M -o t2.tif field.tif && tiffdiff t1.tif t2.tif && tiffdiff t1.tif offset.tif"
ok 'a thick field as well' \
	"for m in none offset; do tiltrecon --model thick --config pheno --tile 64 --overlap 24 --pad 8 --z-pad 2 --match \$m -o thick_\$m.tif field.tif || exit; done; ! tiffdiff -t 1e-3 thick_none.tif thick_offset.tif"
ok 'levels need tiles that overlap' "tiltrecon --config pheno --tile 64 --match offset -o x.tif field.tif; [ \$? = 2 ] && grep -e --overlap err"
demo="tiltrecon --config pheno --tile 128 --overlap 32 --pad 16 --tilt-csv $srcdir/examples/data/demo_cells_truth.csv"
for blend in gaussian uniform; do
	ok "$blend: neighbours on both sides of a border of the demo differ as others do, within 10 %" \
		"$demo --match offset --blend $blend -o demo.tif $srcdir/examples/data/demo_cells.tif && $demo --plan-only $srcdir/examples/data/demo_cells.tif >demo.csv &&
		 tiffseams demo.csv demo.tif | tee seams | awk '{ exit !(\$3 < 1.1) }'"
done
done_testing
