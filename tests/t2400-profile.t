#!/bin/bash
# examples/profile: a plate to one table per feature, their join and a figure; by one make, and by the tasks of an array job.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
make="env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -f $srcdir/examples/profile/Makefile PAIRS=$shared/data/features/pairs.csv"

ok 'make leaves the three tables, their join and a figure' "$make OUT=one && ls one/{granularity,zernike,intensity,profile}.csv one/profile.svg"
ok 'the join has a row per object and all columns' '[ $(wc -l <one/profile.csv) = $(wc -l <one/zernike.csv) ] && [ "$(head -n 1 one/profile.csv | tr , "\n" | wc -l)" = $((4 + 16 + 90 + 21)) ]'
ok 'a joined row is the rows of its object' 'for t in granularity zernike intensity; do grep "^human_dna.tif,0,0,60010," one/$t.csv | cut -d, -f5-; done | paste -sd, >want &&
	grep "^human_dna.tif,0,0,60010," one/profile.csv | cut -d, -f5- >got && same want got'
ok 'the figure has a dot per object' '[ "$(grep -c "<circle" one/profile.svg)" = $(($(wc -l <one/profile.csv) - 1 - $(awk -F, "\$5 == \"nan\"" one/profile.csv | wc -l))) ]'
ok 'an unknown column is said' "! $make OUT=one X=none -B one/profile.svg && says 'no column none'"
ok 'tasks of an array job, merged, are joined to the same bytes' "export SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2 PAIRS=$shared/data/features/pairs.csv OUT=two
	for i in 0 1; do SLURM_ARRAY_TASK_ID=\$i $srcdir/examples/profile/profile.sbatch || exit; done; $make OUT=two merge && $make OUT=two && same one/profile.csv two/profile.csv"
done_testing
