#!/bin/bash
# The example of a whole well does what it says, alone, as an array job and under make -j.  (run.sh builds first; its own part is run here.)
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
examples=$srcdir/examples

for script in "$examples"/well/run.sh "$examples"/slurm/*.sbatch; do
	ok "${script#"$srcdir"/} is bash and can be started" "head -n 1 '$script' | grep -x '#!/bin/bash' && [ -x '$script' ] && bash -n '$script'"
done
ok 'every tool that takes a manifest has its array job in examples/slurm' \
	"n=0; for page in $srcdir/man/*.1; do tool=\$(basename \$page .1); \$tool --help >help 2>&1; ! grep -q -- '--list FILE' help || { n=\$((n + 1)); [ -x $examples/slurm/\$tool.sbatch ] || { echo \$tool; exit 1; }; }; done; [ \$n -ge 10 ]"

# the well: examples/well
ok 'raw stacks and a manifest become phase images, a table, a map and one page' \
	"make -s -f $examples/well/Makefile OUT=well && [ \$(ls well/phase/*.tif | wc -l) = 20 ] && [ \$(wc -l <well/tilts.csv) = 21 ] && [ \$(grep -c '<td>p0' well/well.html) = 20 ]"
ok 'an image is what tiltrecon makes of that stack with that tilt' \
	"grep -e ^stack -e ^p05_t1, well/tilts.csv | cut -d, -f1,4- >one.csv && tiltrecon --config pheno --tilt-csv one.csv -o one.tif $examples/well/data/well/p05_t1.tif && tiffdiff one.tif well/phase/p05_t1_phase.tif"
ok 'the map has a dot and two arrows for each of ten positions: the tilt found and the truth' \
	"[ \$(grep -c '<circle' well/map.svg) = 10 ] && [ \$(grep -c \"url(#crimson)'/>\" well/map.svg) = 10 ] && [ \$(grep -c \"url(#silver)'/>\" well/map.svg) = 10 ]"
ok 'an arrow is 400 units long per rad, from the place of its position' \
	"printf 'position,x_um,y_um\nA,0,0\nB,1000,500\n' >m.csv && printf 'zenith,azimuth,position\n0.1,0,A\n0.1,1.5707963267948966,B\n' >t.csv &&
	 awk -f $examples/well/tiltmap.awk m.csv t.csv >map.svg && grep -F \"d='M60.0 60.0l39.9 0.0'\" map.svg && grep -F \"d='M460.0 260.0l0.0 39.9'\" map.svg"
ok 'before and after differ, by the levels of tiles: over 0.01 rad somewhere, under 0.2 anywhere' \
	"! tiffdiff -t 0.01 well/before.tif well/after.tif && tiffdiff -t 0.2 well/before.tif well/after.tif && [ -s well/before.png ] && [ -s well/after.png ]"
ok 'nothing is made twice' "make -q -f $examples/well/Makefile OUT=well"
ok 'a new manifest is' "! make -q -f $examples/well/Makefile OUT=well -W $examples/well/data/well.csv"

# the same as array job and as make -j: examples/slurm
whole="--config pheno --optimize bfgs --iters 4"
ok 'the whole well in one run' "mkdir -p single/phase && tiltrecon --list $examples/well/data/well.csv $whole --tilt-out single/tilts.csv -O single/phase"
equals_single() { local f n=0; same single/tilts.csv "$1/tilts.csv" || return; for f in single/phase/*.tif; do n=$((n + 1)); tiffdiff "$f" "$1/phase/${f##*/}" || return; done; [ "$n" = 20 ]; }
ok 'well.mk: three shards, two at a time, and their tables joined are the run without shards' \
	"make -s -j 2 -f $examples/slurm/well.mk WELL=$examples/well/data/well.csv OUT=shards N=3 OPTIONS='$whole' && equals_single shards"
ok 'tiltrecon.sbatch as task 0 and 1 of 2, then the join: the same' \
	"for i in 0 1; do SLURM_ARRAY_TASK_ID=\$i SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_STEP=1 $examples/slurm/tiltrecon.sbatch $examples/well/data/well.csv array $whole || exit; done &&
	 $examples/slurm/join.sbatch array/tilts 2 && equals_single array"
ok 'the join keeps several rows of an input together' \
	"printf 'stack,position,time,tile\na,,,0\na,,,1\nc,,,0\nc,,,1\n' >j.0.csv && printf 'stack,position,time,tile\nb,,,0\nb,,,1\n' >j.1.csv && $examples/slurm/join.sbatch j 2 &&
	 printf 'stack,position,time,tile\na,,,0\na,,,1\nb,,,0\nb,,,1\nc,,,0\nc,,,1\n' | same - j.csv"
ok 'by a manifest it leaves an input without rows its place, whatever the names; rows of none of its inputs are an error' \
	"printf '%s\n' image,label '\"a,\"\"1.tif\",1' '\"a,\"\"1.tif\",2' d/c.tif,1 >k.0.csv && printf 'image,label\nb.tif,1\n' >k.1.csv &&
	 printf '%s\r\n' labels,image 'x,\"a,\"\"1.tif\"' y,none.tif y,none.tif y,b.tif y,c.tif >list.csv && $examples/slurm/join.sbatch k 2 list.csv &&
	 printf '%s\n' image,label '\"a,\"\"1.tif\",1' '\"a,\"\"1.tif\",2' b.tif,1 d/c.tif,1 | same - k.csv && sed -i /c.tif/d list.csv && ! $examples/slurm/join.sbatch k 2 list.csv"
done_testing
