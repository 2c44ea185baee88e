#!/bin/bash
# ptychorecon against the double-precision reference model: every trajectory of the shared goldens, in their tolerances.
# shellcheck disable=SC2016 # code of the sentences is for eval
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
need_shared
D=$shared/data/ptycho G=$shared/golden/ptycho

recon() {
	ptychorecon -p "$D/tiny_pos.csv" --probe "$D/tiny_probe0.tif" --coverage 0 --log-every 1 --watchdog off --compress none "$@" \
		"$D/tiny_dp.tif"
}
# case, tolerances of object, probe and log, arguments
golden() {
	local name=$1 object=$2 probe=$3 log=$4
	shift 4
	ok "$name: the reference's object to $object, probe to $probe, log to $log" \
		"recon -o $name $* && ptychodiff '$G/$name' $name $object $probe $log >&2"
}

golden epie 1e-3 1e-3 1e-3 -a epie:3:batch=4
golden epie1 1e-3 1e-3 1e-3 -a epie:3:batch=1 --seed 7
golden rpie 1e-3 1e-3 1e-3 -a rpie:3:batch=4:alpha=0.3:beta=0.6
golden wasp 1e-3 1e-3 1e-3 -a wasp:3:batch=4
golden wasp_seq 5e-3 5e-3 5e-3 -a wasp:3:batch=1 --order sequential
golden lsqml 1e-3 1e-3 1e-3 -a lsqml:3:batch=8
golden lsqml_poisson 1e-3 1e-3 1e-3 -a lsqml:3:batch=8:noise=poisson
golden lsqml_compact 5e-3 5e-3 5e-3 -a lsqml:5:batch=8:compact=1:momentum=0.5
golden mlgrad 2e-3 2e-3 2e-3 -a mlgrad:4 --start-update-probe 2
golden mlgrad_gauss 5e-3 5e-3 5e-3 -a mlgrad:4:noise=gauss --start-update-probe 2
golden er 5e-3 5e-3 5e-3 -a er:3
golden dm 5e-3 5e-3 5e-3 -a dm:3
golden raar 5e-3 5e-3 5e-3 -a raar:3
golden ml 1e-3 1e-3 1e-3 -a ml:3
golden ml_poisson 1e-3 1e-3 1e-3 -a ml:3:noise=poisson
golden ml_gauss 1e-3 1e-3 1e-3 -a ml:3:noise=gauss
golden chain 2e-3 2e-3 2e-3 -a epie:2:batch=4,dm:2,mlgrad:1
golden frozen 1e-3 1e-3 1e-3 -a epie:3:batch=4 --freeze-probe
golden modes2 1e-3 1e-3 1e-3 -a epie:3:batch=4 --modes 2 --mode-power 0.1
golden modes2_lsqml 1e-3 1e-3 1e-3 -a lsqml:3:batch=8 --modes 2 --mode-power 0.1
golden subpixel 1e-3 1e-3 1e-3 -p "'$D/tiny_subpixel_pos.csv'" -a epie:3:batch=4 --subpixel fourier
golden masked 1e-3 1e-3 1e-3 -a wasp:3:batch=4 --mask "'$D/tiny_mask.tif'"
golden cold 1e-3 1e-3 1e-3 -a epie:3:batch=4 --probe data --recentre
golden positions 1e-3 1e-3 1e-3 -p "'$D/tiny_error_pos.csv'" -a lsqml:4:batch=8 --subpixel fourier --refine-positions 1,1,4,0.5

ok 'frozen: the probe is the file'"'"'s, bit for bit' 'tiffdiff -t 0 "$D/tiny_probe0.tif" frozen_probe.tif'
ok 'positions: the final windows are the reference'"'"'s to 2e-3 px' '
	cut -d, -f1,4,5 positions_frames.csv | sed 1s/.*/frame,row,column/ >windows.csv
	csvdiff frame= row=2e-3 column=2e-3 "$G/positions_windows.csv" windows.csv'
ok 'the frames csv says used for every frame' '[ "$(grep -c "^[0-9]*,1,," positions_frames.csv)" = 25 ]'
done_testing
