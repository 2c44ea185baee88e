# tests/faultlists.sh: small lists for every tool that takes one, for the tests of faults; sourced behind faults.sh.
# lists:             makes the inputs in in/
# each_list COMMAND: COMMAND NAME TOOL ARGUMENT... for each; outputs go to result/, which is there
lists() {
	local i k
	mkdir in && cd in || exit 1
	for i in 1 2 3; do
		tiffmake -t u16 -s 2$i,24 -n 3 -k noise c$i.tif
		tiffmake -t f32 -s 1$i,14 -n 3 -k noise n$i.tif
		tiffmake -t f32 -s 24,24 -n 1 -k noise p$i.tif
		tiffmake -t u16 -s 2$i,24 -n 1 -k noise i$i.tif
		tiffmake -t u16 -s 2$i,24 -n 1 -k 1 l$i.tif
		tiffmake -t f32 -s 3$i,32 -n 2 -k noise w$i.tif
		ptychosim -q --seed $i --frames 4 --size 16 --step 3 --jitter 1 --photons 1e4 -o s$i || exit 1
		kplanes fit -q --rotations 2 --channels 2 --resolution 5 --iters 2 --batch 16 --seed $i -o m$i.tif n$i.tif || exit 1
	done
	for k in c n p m; do printf '%s\n' "$k"{1,2,3}.tif >$k.txt; done
	printf '%s\n' image,labels i1.tif,l1.tif i2.tif,l2.tif i3.tif,l3.tif >pairs.csv
	printf '%s\n' file_a,file_b w1.tif,w1.tif w2.tif,w2.tif w3.tif,w3.tif >waves.csv
	printf '%s\n' frames,positions,probe s1_dp.tif,s1_pos.csv,s1_probe0.tif s2_dp.tif,s2_pos.csv,s2_probe0.tif s3_dp.tif,s3_pos.csv,s3_probe0.tif >jobs.csv
	cd ..
}
each_list() {
	"$@" tiltrecon tiltrecon -q --config pheno --tilt-out result/t.csv -O result --list in/c.txt
	"$@" tiltsim tiltsim -q --config pheno --slices 3 --truth result/t.csv -O result --list in/p.txt
	"$@" granularity granularity -q -o result/o.csv --list in/pairs.csv
	"$@" zernike zernike -q -o result/o.csv --list in/pairs.csv
	"$@" intensity intensity -q -o result/o.csv --list in/pairs.csv
	"$@" tvloss tvloss -q -O result -o result/o.csv --list in/n.txt
	"$@" tvdenoise tvdenoise -q -l 1 --max-iter 5 --report result/r.csv -O result --list in/n.txt
	"$@" 'kplanes fit' kplanes fit -q --rotations 2 --channels 2 --resolution 5 --iters 2 --batch 16 --seed 1 -O result --list in/n.txt
	"$@" 'kplanes render' kplanes render -q -O result --list in/m.txt
	"$@" ptychofrc ptychofrc -q -o result/o.csv --list in/waves.csv
	"$@" ptychorecon ptychorecon -q -a epie:2 -O result --list in/jobs.csv
	"$@" 'ptychorecon with checkpoints' ptychorecon -q -a wasp:3 --checkpoint 1 -O result --list in/jobs.csv
}
# undisturbed TOOL ARGUMENT...: the run without a fault, with its files in want/ and its calls in `counts`
undisturbed() {
	rm -rf want result && mkdir result
	env FAULT_COUNT=counts LD_PRELOAD="$library" "$@" >stdout 2>said </dev/null && mv result want
}
# is_whole FILE, of result/: as undisturbed, or the preview of a checkpoint
is_whole() {
	alike "result/$1" "want/$1" || { [[ $1 = *_preview.png ]] && tail -c 12 "result/$1" | grep -aq IEND && [[ ${run[*]} = *--checkpoint* ]]; }
}
# resumed TOOL ARGUMENT...: the same command with --resume ends, and then result/ has the bytes of the undisturbed run and nothing else
resumed() { "$@" --resume >stdout 2>>said </dev/null && complete result && [ -z "$(find result -name '*.ckpt*')" ]; }
