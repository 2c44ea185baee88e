#!/bin/bash
# kplanes: goldens, the verbs among themselves, usage, bad input.  The arithmetic itself is held by unit-kplanes.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
data=$shared/data/tv golden=$shared/golden/tv

# pages of noise with the text of a model: one rotation, one channel, 4 x 5 texels; $1: a sed script for the text, $2: pages
text='[kplanes]\nformat = 1\nrotations = 1\nchannels = 1\nlevels = 1\nsize.0 = 4 5\nshape = 2 3 4\nactivation = linear\noffset = 0\nscale = 1\nbias = 0\nrotation.0 = 1 0 0 0 1 0 0 0 1\nweight.0 = 1\n'
made() { tiffmake -t f32 -s 4,5 -n "${2:-3}" -k noise -d "$(printf %s "$text" | sed -e "$1")" made.tif; }
printf 'x,y,z\n0.5,-0.25,0.1\n-3,0,2\n' >p.csv

# n: the largest extent of the planes; values (2e-6 + 1e-7 n), gradients (4e-6 + 1e-7 n) of the largest entry, TV 2e-6 relative
for c in 'tiny 5' 'odd 9' 'border 9' 'thin 6' 'levels 23'; do
	n=${c#* } c=kp_${c% *}
	m=$data/${c}_model.tif p=$data/${c}_points.tif value=$(perl -e "print 2e-6 + 1e-7 * $n") slope=$(perl -e "print 4e-6 + 1e-7 * $n")
	ok "$c: features and values" "kplanes eval $m --points $p -o f.tif && tiffdiff -t $value $golden/${c}_features.tif f.tif &&
		kplanes eval --value $m --points $p -o v.tif && tiffdiff -t $value $golden/${c}_value.tif v.tif"
	ok "$c: the volume" "kplanes render $m -o r.tif && tiffdiff -t $value $golden/${c}_render.tif r.tif"
	ok "$c: gradients by planes, points, rotations" \
		"kplanes grad $m --points $p --upstream $data/${c}_upstream.tif --grad-planes a.tif --grad-points b.tif --grad-rotations c.csv &&
		 tiffdiff -t $slope $golden/${c}_gpoints.tif b.tif && npztif $golden/${c}_gplanes.npz want.tif &&
		 for l in \$(kplanes info $m | awk -F'[, ]' '\$1 == \"rotations\" { t = \$2 } \$1 == \"channels\" { n = 3 * t * \$2 }
			\$1 ~ /^size/ { print i * n + 1 \"-\" ++i * n }'); do
			tiffdiff -t $slope -p \$l want.tif a.tif || exit
		 done && awk -F, 'NR == FNR { for (i = 2; i <= 10; i++) w[FNR, i] = \$i; next }
			FNR > 1 { n++; for (i = 2; i <= 10; i++) { d = \$i - w[FNR, i]; d = d < 0 ? -d : d; a = w[FNR, i]; a = a < 0 ? -a : a
				if (d > worst) worst = d; if (a > top) top = a } }
			END { print worst / top; exit !(n > 0 && worst <= $slope * top) }' $golden/${c}_grot.csv c.csv"
	ok "$c: total variation" "kplanes tv $m --points $p >tv.csv && { echo term,level,value; grep ^$c, $golden/kplanes_tv.csv | cut -d, -f2-; } >want.csv &&
		csvdiff term= level= value=2e-6r want.csv tv.csv"
done

# fits: logged terms 1e-4 relative; the long one 1e-3 for 5 iterations and a PSNR not more than 0.5 dB below
cells=$data/cells_truth.tif
logged() { { echo iter,mse,plane_tv,volume_tv; grep "^$1,[1-5]," "$golden/fit.csv" | cut -d, -f2-; } >want.csv; head -n 6 log.csv >got.csv
	csvdiff iter= mse="$2"r plane_tv="$2"r volume_tv="$2"r want.csv got.csv; }
short='--rotations 2 --channels 3 --resolution 12,10 --levels 1,2 --iters 5 --batch 512 --seed 9 --lr 0.01,0.01,0.005 --tv-plane 0.05 --tv-volume 0.01 --tv-points 100'
ok 'fit_short: both terms, two levels' "kplanes fit $short --log log.csv -o short.tif $cells && logged fit_short 1e-4"
ok 'fit_nadam: softplus' "kplanes fit --rotations 2 --channels 3 --resolution 12 --init-rotations identity --activation softplus --optimiser nadam --iters 5 --batch 512 --seed 9 --lr 0.01,0.01,0.005 --log log.csv -o nadam.tif $cells && logged fit_nadam 1e-4"
slow && ok 'fit_cells: a volume comes back with the PSNR of the golden' \
	"kplanes fit --rotations 4 --channels 4 --resolution 64 --iters 300 --batch 4096 --seed 1 --lr 0.05,0.02,0.005 --log log.csv -o cells.tif $cells && logged fit_cells 1e-3 &&
	 kplanes render cells.tif -o r.tif && tiffdiff -P 36.19 $cells r.tif"
ok 'the same bytes on one thread, two, and for other work-groups' \
	"kplanes fit $short --threads 1 -o t1.tif $cells && kplanes fit $short --threads 2 --work-group 16 -o t2.tif $cells && same t1.tif t2.tif && same t1.tif short.tif"
ok 'every voxel each time' "kplanes fit --batch 0 --resolution 8 --channels 4 --iters 2 --log log.csv -o x.tif $data/blocks_12x24x26.tif && [ \$(wc -l <log.csv) = 3 ]"
ok 'no iteration writes the first model, another seed another one' \
	"i=0; for s in 1 1 2; do kplanes fit --iters 0 --seed \$s --resolution 6 --channels 4 -o s\$((++i)).tif $cells || exit; done; same s1.tif s2.tif && ! tiffdiff s1.tif s3.tif"
ok 'the first planes are those of the seed' 'tiffstat s1.tif | awk "NR == 1 { exit !(\$4 > 0.4 && \$4 < 0.5 && \$2 > 0.2 && \$2 < 0.4) }"'
ok 'a fit goes on from a model' \
	"kplanes fit --iters 0 --init short.tif -o again.tif $cells && kplanes info again.tif | grep -v ^quat >a.csv && kplanes info short.tif | grep -v ^quat >b.csv && same a.csv b.csv &&
	 kplanes fit --iters 1 --batch 512 --seed 9 --init short.tif --log log.csv -o x.tif $cells && awk -F, 'NR == 2 { exit !(\$2 < 0.0742) }' log.csv"
ok 'rotations of a model, and held' \
	"kplanes fit --iters 3 --batch 64 --rotations 2 --channels 1 --resolution 5 --init-rotations short.tif --fix-rotations -o x.tif $cells &&
	 kplanes info x.tif | grep ^rotation. >a.csv && kplanes info short.tif | grep ^rotation. >b.csv && same a.csv b.csv"
ok 'levels come in one after another' \
	"kplanes fit $short --warmup 1 --log warm.csv -o x.tif $cells && kplanes fit $short --log cold.csv -o x.tif $cells && awk -F, 'NR == FNR { m[FNR] = \$2; next } FNR == 2 { exit m[2] == \$2 }' warm.csv cold.csv"
ok 'the value range decides offset and scale' \
	"kplanes fit --iters 0 --resolution 4 --value-range=-1,3 -o x.tif $cells && kplanes info x.tif | grep '^offset,-1$' && kplanes info x.tif | grep '^scale,4$'"
ok 'a constant volume has scale 1' "tiffmake -t f32 -s 4,4 -n 2 -k 3 flat.tif && kplanes fit --iters 2 --batch 8 --resolution 4 -o x.tif flat.tif && kplanes info x.tif | grep '^scale,1$'"

ok 'eval at the voxels of a grid gives what render gives, bit for bit' \
	"awk 'BEGIN { print \"x,y,z\"; for (y = 0; y < 5; y++) for (x = 0; x < 7; x++) printf \"%.17g,%.17g,0.25\n\", -1 + 2 * x / 6, -0.5 + y / 4 }' >grid.csv &&
	 for m in short.tif nadam.tif; do kplanes eval --value \$m --points grid.csv -o e.tif && kplanes render --shape 1,5,7 --box=-1,1,-0.5,0.5,0,0.5 \$m -o r.tif && cmp -i 8 -n 140 e.tif r.tif || exit; done"
ok 'an axis of one voxel lies in the middle of its box' \
	"kplanes render --shape 1,1,1 short.tif -o r.tif && printf 'x,y,z\n0,0,0\n' | kplanes eval --value --points - short.tif -o e.tif && cmp -i 8 -n 4 e.tif r.tif"
ok 'bytes do not depend on --mem' \
	"for k in \$(seq 9000); do echo 0.\$k,-0.5,0.\$k; done | sed 1ix,y,z >many.csv && kplanes eval short.tif --points many.csv -o a.tif && kplanes eval --mem 60000 short.tif --points many.csv -o b.tif && same a.tif b.tif &&
	 kplanes render short.tif -o a.tif && kplanes render --mem 60000 short.tif -o b.tif && same a.tif b.tif"
ok 'too little memory is refused with the figure' \
	"exits 1 kplanes eval --mem 20000 short.tif --points p.csv && says -- '--mem' && exits 1 kplanes fit $short --mem 100000 -o y.tif $cells && says -- '--mem' && [ ! -e y.tif ]"
ok 'the same command again is skipped, another one is not' \
	"kplanes fit --resume --verbose $short -o short.tif $cells && [ ! -s out ] && touch -d '2001-01-01' short.tif && kplanes fit --resume $short -o short.tif $cells && [ \$(date -r short.tif +%Y) = 2001 ] &&
	 cp short.tif old.tif && kplanes fit --resume $short --seed 8 -o old.tif $cells && differ old.tif short.tif"
ok 'CSV and TIFF have the same features' \
	"kplanes eval short.tif --points p.csv >f.csv && head -n 1 f.csv | grep '^f0,f1,.*,f11$' && [ \$(wc -l <f.csv) = 3 ] && kplanes eval short.tif --points p.csv -o f.tif && kplanes eval short.tif --points p.csv -o g.csv && same f.csv g.csv"
ok 'model and points come through pipes' \
	"cat $data/kp_levels_model.tif | kplanes eval - --points $data/kp_levels_points.tif -o a.tif && cat $data/kp_levels_points.tif | kplanes eval $data/kp_levels_model.tif --points - -o b.tif && tiffdiff a.tif b.tif &&
	 kplanes render short.tif -o - | cat >r1.tif && kplanes render short.tif -o r2.tif && tiffdiff r1.tif r2.tif"
ok 'many models, one folder' "mkdir -p many && kplanes render -O many short.tif nadam.tif && kplanes render nadam.tif -o r.tif && tiffdiff r.tif many/nadam_render.tif && [ -s many/short_render.tif ]"
ok 'a dry run says sizes and touches nothing' "kplanes fit --dry-run $short -o z.tif $cells && grep -q '30x64x64' out && grep -q 'on the device' out && [ ! -e z.tif ]"
ok 'a picture' "kplanes render short.tif --preview r.png && head -c 8 r.png | grep -q PNG"
ok 'the gradient of plane TV has pages of the model' "kplanes tv short.tif --grad-planes g.tif >tv.csv && tiffdiff -p 1-18 g.tif g.tif && tiffdiff -p 19-36 g.tif g.tif"

ok 'no point: an empty table, but no TIFF' \
	"echo x,y,z >none.csv && kplanes eval short.tif --points none.csv >f.csv && [ \$(wc -l <f.csv) = 1 ] && exits 1 kplanes eval short.tif --points none.csv -o x2.tif && [ ! -e x2.tif ]"
ok 'usage: no verb, an unknown one, an option of another one' \
	"exits 2 kplanes && says render && exits 2 kplanes paint x.tif && says paint && says info && exits 2 kplanes eval short.tif --points p.csv --iters 3 && says iters && exits 2 kplanes --points p.csv"
ok 'usage: what a verb needs' \
	"exits 2 kplanes eval short.tif && says points && exits 2 kplanes grad short.tif --points p.csv && says upstream && exits 2 kplanes grad short.tif --points p.csv --upstream p.csv && says grad-planes &&
	 exits 2 kplanes render short.tif && exits 2 kplanes fit $cells && exits 2 kplanes tv short.tif nadam.tif && exits 2 kplanes info"
ok 'usage: values and names' \
	"exits 2 kplanes fit --levels 1,x -o x.tif $cells && exits 2 kplanes fit --levels 0 -o x.tif $cells && exits 2 kplanes fit --levels 1,1,1,1,1,1,1,1,1 -o x.tif $cells &&
	 exits 2 kplanes fit --init short.tif --channels 2 -o x.tif $cells && exits 2 kplanes fit --value-range 2,1 -o x.tif $cells && exits 2 kplanes fit --rotations 65 -o x.tif $cells && says 64 &&
	 exits 2 kplanes grad short.tif --points p.csv --upstream f.tif --grad-points y.csv --grad-rotations y.csv && exits 2 kplanes eval - --points - && exits 2 kplanes fit --tv-plane=-1 -o x.tif $cells"
ok 'help and version open no device' 'kplanes --help >help && grep -q -- --tv-volume help && kplanes fit --help | cmp - help && kplanes --version | grep -q "^kplanes "'

ok 'points: a number that is none, a column that is not there, a shape that is wrong' \
	"printf 'x,y,z\n1,2,3\n1,nan,3\n' >b.csv && exits 1 kplanes eval short.tif --points b.csv && says b.csv && says 3 && printf 'x,y\n1,2\n' >b.csv && exits 1 kplanes eval short.tif --points b.csv && says z &&
	 exits 1 kplanes eval short.tif --points $cells && says cells_truth && tiffmake -t f32 -s 3,3 -k noise -N 0,1,2 nan.tif && exits 1 kplanes eval short.tif --points nan.tif && says 'row 1' && tiffmake -t f32 -s 3,4 -k noise four.tif && exits 1 kplanes eval short.tif --points four.tif && says '3 x 4'"
ok 'upstream of another shape names both' \
	"tiffmake -t f32 -s 2,5 -k noise u.tif && exits 1 kplanes grad short.tif --points p.csv --upstream u.tif --grad-points no.csv && says '2 x 5' && says '2 x 12' &&
	 tiffmake -t f32 -s 3,12 -k noise u.tif && exits 1 kplanes grad short.tif --points p.csv --upstream u.tif --grad-points no.csv && says '3 x 12' && says '2 rows' && [ ! -e no.csv ]"
ok 'a model that is made by hand' "made '' && kplanes eval made.tif --points p.csv -o f.tif && kplanes info made.tif | grep '^size.0,4 5$' && made 's/weight.0 = 1/more = 1/' && kplanes eval --value made.tif --points p.csv | tail -n 1 | grep '^0$'"
for key in format rotations channels levels size.0 shape activation offset scale bias rotation.0; do
	ok "a model without $key" "made 's/$key =/x$key =/' && exits 1 kplanes info made.tif && says 'no key $key'"
done
ok 'a model that is wrong' \
	"for s in 's/= 4 5/= 5 4/' 's/= 4 5/= 4000000000 5/' 's/= 4 5/= 65536 65536/' 's/rotations = 1/rotations = 64/' 's/channels = 1/channels = 257/' 's/levels = 1/levels = 9/' 's/format = 1/format = 2/' \
		's/linear/cubic/' 's/scale = 1/scale = nan/' 's/0 0 0 1 0/0 0 1 0/' 's/shape = 2/shape = 0/'; do made \"\$s\" && exits 1 kplanes info made.tif && says made.tif || { echo \"\$s\"; exit 1; }; done"
ok 'pages that are missing, or too many, are counted' "made '' 4 && exits 1 kplanes info made.tif && says '4 pages, expected 3' && exits 1 kplanes info $cells && says kplanes"
ok 'a frame that is no rotation is allowed, and said' "made 's/= 1 0 0 0/= 1 0.1 0 0/' && kplanes eval made.tif --points p.csv -o f.tif && quiet && kplanes info --verbose made.tif && says rotation"
ok 'a volume with NaN, and none at all' \
	"exits 1 kplanes fit -o y.tif $data/holes_6x20x24.tif && says 'page 1' && exits 1 kplanes fit -o y.tif nothing.tif && says nothing.tif && [ ! -e y.tif ]"
ok 'a fit that diverges says when and leaves nothing' \
	"exits 1 kplanes fit --iters 50 --lr 1e30,1e30,1 --batch 64 --resolution 8 -o y.tif $cells && says 'diverged at iteration' && [ ! -e y.tif ]"
ok 'a truncated model' 'head -c 3000 short.tif >cut.tif && exits 1 kplanes info cut.tif && says cut.tif'
ok 'a thousand damaged bytes in 120 models end no program by a signal' \
	"perl -e 'srand 5; open F, \"<:raw\", shift; local \$/; \$d = <F>; for (1 .. 120) { \$c = \$d; substr(\$c, rand length \$c, 1) = chr rand 256 for 1 .. 8; open O, \">:raw\", \"fuzz\$_.tif\"; print O \$c; close O }' $data/kp_tiny_model.tif &&
	 for i in \$(seq 120); do s=0; kplanes info fuzz\$i.tif >fuzz.csv 2>fuzz.err || s=\$?; [ \$s -le 1 ] || { echo \"fuzz\$i.tif: \$s\"; exit 1; }; done; rm -f fuzz*"
ok 'killed at work it leaves neither model nor temporary' \
	"mkdir -p killed && { kplanes fit --iters 1000000 --batch 64 --resolution 8 -o killed/m.tif $cells & sleep 1; kill %1; wait %1; }; [ -z \"\$(ls killed)\" ]"
if command -v tvloss >/dev/null; then
	ok 'plane TV is that of tvloss' \
		"kplanes tv nadam.tif | awk -F, '\$1 == \"plane\" && \$2 == 0 { print \$3 }' >a && tvloss --kind plane nadam.tif | awk -F, 'END { print \$NF }' >b && paste a b | awk '{ d = \$1 / \$2 - 1; exit !(d < 1e-6 && d > -1e-6) }'"
fi
done_testing
